/// Writes a graph from memory into the pages of a new index.
#pragma once

#include "pg/postgres.hpp"

#include "core/graph/memory_graph.hpp"
#include "pg/am/common/drift_sample.hpp"
#include "pg/am/graph/state.hpp"
#include "pg/memory.hpp"
#include "pg/thread_team.hpp"

namespace nearest::pg::graph {

using BuildGraph = core::MemoryGraph<ContextArena>;

/// A row's place as the graph in memory keeps it, and back.
inline core::RowId to_row_id(const format::Tid& tid) {
  return static_cast<core::RowId>(tid.block_high) << 32 |
         static_cast<core::RowId>(tid.block_low) << 16 | tid.offset;
}
inline format::Tid row_tid(core::RowId row) {
  return {static_cast<std::uint16_t>(row >> 32), static_cast<std::uint16_t>(row >> 16),
          static_cast<std::uint16_t>(row)};
}

/// Rows without a node.
struct SideRows {
  core::ArenaArray<format::Tid> null_rows, zero_rows;
};

/// Writes metapage, center, entry table, nodes, rows and drift page. The index must have no pages
/// yet. Nothing is logged: the caller logs the pages that it finds. `state` is what the metapage
/// will say but for block numbers, which are filled in; graph may be null for an index without
/// nodes; `base` is given the distances of nodes to their nearest neighbors.
/// Memory comes from the current context, which the caller resets.
void write_graph(Relation index, ForkNumber fork, GraphState* state, BuildGraph* graph,
                 const SideRows& side_rows, ThreadTeam* team, DriftBase* base);

/// The phases that pg_stat_progress_create_index shows.
inline constexpr int kPhaseInitialize = 1, kPhaseLoad = 2, kPhaseOrder = 3, kPhaseWrite = 4,
                     kPhaseInsert = 5;

}  // namespace nearest::pg::graph
