/// Taking emptied nodes out of the graph, so that their slots can be used again.
///
///   1. VACUUM empties a node: from then on nothing new links to it, but transactions that met it
///      before still may. It is stamped with the last of these.
///   2. Once they have ended, every link to it is replaced, by the codes of its neighbors.
///   3. Nothing links to it any more, nor ever will: it is free.
///
/// The metapage says that there are emptied nodes until all are free, so that a VACUUM goes on
/// where another was interrupted, or waited for a transaction.
#pragma once

#include "pg/am/graph/state.hpp"

extern "C" {
#include "access/genam.h"
}

namespace nearest::pg::graph {

/// The stamp of a node that is emptied now, under its page's lock: every transaction that may have
/// met it is as old or older.
std::uint64_t emptied_stamp();

/// Marks a node without rows as emptied; on a page copy.
inline void mark_emptied(format::NodeHeader& header, std::uint64_t stamp) {
  header.state = format::NodeState::kEmptied;
  header.hash = stamp;
}

/// Says on the metapage whether there are emptied nodes.
void set_has_emptied(Relation index, bool has_emptied);

/// Steps 2 and 3 for all nodes that are ready, within maintenance_work_mem.
void remove_emptied_nodes(const IndexVacuumInfo* info, const GraphState& state,
                          IndexBulkDeleteResult* stats);

}  // namespace nearest::pg::graph
