#include "pg/am/graph/build.hpp"
#include "pg/am/common/index_facts.hpp"

extern "C" {
#include "access/tableam.h"
#include "access/xloginsert.h"
#include "catalog/index.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
}

#include <algorithm>

#include "core/graph/settle_space.hpp"
#include "pg/am/graph/graph_writer.hpp"
#include "pg/am/graph/insert.hpp"
#include "pg/am/graph/options.hpp"
#include "pg/am/graph/row_figures.hpp"
#include "pg/am/graph/row_vector.hpp"
#include "pg/am/graph/tid_chain.hpp"
#include "pg/models/index_model.hpp"

namespace nearest::pg::graph {
namespace {

/// Rows from which center and sizes are taken: the first ones, kept as they are until then.
constexpr std::size_t kSampleRows = 10000;
/// Of the memory for the build that the sample may take.
constexpr std::size_t kSampleShare = 8;

struct BuildState {
  Relation index;
  GraphOptions options;
  GraphState* graph_state;
  MemoryContext build_context;  ///< graph, sample, side rows
  MemoryContext row_context;    ///< reset after every row
  std::size_t memory_limit;

  bool is_settled;  ///< center and sizes are known
  bool is_flushed;  ///< the graph is on pages; further rows are inserted there
  core::ArenaArray<float> sample;
  core::ArenaArray<core::RowId> sample_rows;
  core::ArenaArray<std::uint64_t> sample_hashes;
  BuildGraph graph;
  ThreadTeam* team;
  SideRows side_rows;
  DriftBase drift;  ///< of the rows that nodes have
  float* point;
  std::int8_t* code;
  double indexed_rows;
};

/// Metapage and shape of a new index, by its definition.
GraphState* describe(Relation index, const GraphOptions& options, std::uint64_t model_stamp) {
  const int32 dim = TupleDescAttr(RelationGetDescr(index), 0)->atttypmod;
  const core::Metric metric = metric_of(index);
  if (dim < 1) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("column does not have dimensions"),
             errhint("Give the column a type such as vector(384), or index an expression "
                     "such as (embedding::vector(384)).")));
  }
  const auto m = static_cast<std::uint32_t>(options.m);
  const format::GraphShape shape =
      format::choose_shape(static_cast<std::uint32_t>(dim), m, metric, BLCKSZ);
  if (shape.nodes_per_page == 0) {
    const std::uint32_t most = format::largest_dim(m, metric, BLCKSZ);
    ereport(
        ERROR,
        (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
         errmsg("column cannot have more than %u dimensions for hnsw index", most),
         errdetail("A node with %d links does not fit on a page of %d bytes.", 2 * options.m,
                   BLCKSZ),
         options.m > core::kMinM ? errhint("A smaller m leaves room for more dimensions.") : 0));
  }
  auto* const state = static_cast<GraphState*>(palloc0(sizeof(GraphState)));
  format::GraphMeta& meta = state->meta;
  meta.magic = format::kGraphMagic;
  meta.version = format::kGraphVersion;
  meta.dim = static_cast<std::uint32_t>(dim);
  meta.metric = metric;
  meta.m = static_cast<std::uint16_t>(options.m);
  meta.ef_construction = static_cast<std::uint16_t>(options.ef_construction);
  meta.code_bits = static_cast<std::uint8_t>(shape.link_code.bits);
  meta.code_words = static_cast<std::uint16_t>(shape.link_code.words);
  meta.nodes_per_page = static_cast<std::uint16_t>(shape.nodes_per_page);
  meta.inline_tids = static_cast<std::uint16_t>(shape.inline_tids);
  meta.seed = format::kRotationSeed;
  meta.unit = 1;
  meta.query_norm = 1;
  meta.model_stamp = model_stamp;
  state->shape = shape;
  state->space = make_space(meta, nullptr, nullptr);
  return state;
}

/// Takes center and sizes from the sample.
void settle(BuildState* build) {
  GraphState* const state = build->graph_state;
  format::GraphMeta& meta = state->meta;
  const MemoryContext before = MemoryContextSwitchTo(build->build_context);
  auto* const center = static_cast<float*>(palloc0(meta.dim * sizeof(float)));
  auto* const rotated = static_cast<float*>(palloc0(meta.dim * sizeof(float)));
  const core::SpaceSizes sizes =
      core::settle_space(meta.metric, {build->sample.begin(), build->sample.size()}, meta.dim,
                         ContextArena{build->build_context}, center);
  meta.center_norm = sizes.center_norm;
  meta.unit = sizes.unit;
  meta.longest = sizes.longest;
  meta.query_norm = sizes.query_norm;
  // By rows, even if none of their nodes fits into memory: inserts must not settle it once more.
  meta.settled = build->sample_rows.empty() ? format::Settled::kNot : format::Settled::kBySample;
  state->space = make_space(meta, center, rotated);
  build->graph.prepare(ContextArena{build->build_context}, state->space, build->options.m,
                       build->options.ef_construction, build->team->size());
  build->is_settled = true;
  MemoryContextSwitchTo(before);
}

/// Writes what is in memory to pages and logs it.
void flush(BuildState* build) {
  const MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "hnsw write", ALLOCSET_DEFAULT_SIZES);
  const MemoryContext before = MemoryContextSwitchTo(context);
  write_graph(build->index, MAIN_FORKNUM, build->graph_state,
              build->is_settled ? &build->graph : nullptr, build->side_rows, build->team,
              &build->drift);
  if (RelationNeedsWAL(build->index)) {
    log_newpage_range(build->index, MAIN_FORKNUM, 0, RelationGetNumberOfBlocks(build->index), true);
  }
  MemoryContextSwitchTo(before);
  MemoryContextDelete(context);
  build->is_flushed = true;
}

void add_to_base(BuildState* build, const core::RowFigures& figures) {
  build->drift.figures.add(figures);
  build->drift.rows += 1;
}

void insert_into_pages(BuildState* build, const RowVector& row, core::RowId id) {
  ItemPointerData tid = to_item_pointer(row_tid(id));
  core::RowFigures figures;
  if (insert_row(build->index, &build->graph_state, row, &tid, &figures)) {
    add_to_base(build, figures);
  }
}

/// Adds a row to the graph in memory, or to the pages if it does not fit any more.
void add_to_graph(BuildState* build, const RowVector& row, core::RowId id) {
  if (!build->is_flushed &&
      build->graph.bytes() + build->graph.next_addition_bytes() > build->memory_limit) {
    ereport(
        NOTICE,
        (errmsg("hnsw graph no longer fits into maintenance_work_mem after " INT64_FORMAT " tuples",
                static_cast<int64>(build->indexed_rows)),
         errdetail("Building will take significantly more time."),
         errhint("Increase maintenance_work_mem to speed up builds.")));
    flush(build);
    pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, kPhaseInsert);
  }
  if (build->is_flushed) {
    insert_into_pages(build, row, id);
  } else {
    const core::PlacedPoint point =
        core::place_point(build->graph_state->space, row.x, build->point, build->code);
    build->graph.add(*build->team, id, row.hash, point, build->code);
    add_to_base(build, figures_of(build->graph_state->space, row.x, build->point, point));
  }
  build->indexed_rows += 1;
  pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE,
                               static_cast<int64>(build->indexed_rows));
}

/// Moves the sample into the graph.
void use_sample(BuildState* build) {
  if (build->is_settled) return;
  settle(build);
  // Rows that do not fit into the graph are inserted into pages, which takes memory for each.
  const MemoryContext before = MemoryContextSwitchTo(build->row_context);
  const std::size_t dim = build->graph_state->meta.dim;
  for (std::size_t i = 0; i < build->sample_rows.size(); ++i) {
    CHECK_FOR_INTERRUPTS();
    const RowVector row{
        RowPlace::kGraph, {build->sample.begin() + i * dim, dim}, build->sample_hashes[i]};
    add_to_graph(build, row, build->sample_rows[i]);
    if (build->is_flushed) MemoryContextReset(build->row_context);
  }
  if (!build->sample.empty()) {
    pfree(build->sample.begin());
    build->sample = {};
  }
  MemoryContextSwitchTo(before);
}

void add_row(Relation /*index*/, ItemPointer tid, Datum* values, bool* is_null, bool /*is_alive*/,
             void* opaque) {
  CHECK_FOR_INTERRUPTS();
  auto* const build = static_cast<BuildState*>(opaque);
  const MemoryContext before = MemoryContextSwitchTo(build->row_context);
  const format::GraphMeta& meta = build->graph_state->meta;
  const ContextArena arena{build->build_context};
  const RowVector row = read_row_vector(meta.metric, meta.dim, values[0], is_null[0]);
  const core::RowId id = to_row_id(to_tid(*tid));
  if (build->is_flushed) {
    insert_into_pages(build, row, id);
    build->indexed_rows += 1;
  } else if (row.place == RowPlace::kNullRows) {
    build->side_rows.null_rows.push_back(arena, to_tid(*tid));
  } else if (row.place == RowPlace::kZeroRows) {
    build->side_rows.zero_rows.push_back(arena, to_tid(*tid));
  } else if (build->is_settled) {
    add_to_graph(build, row, id);
  } else {
    for (const float element : row.x) build->sample.push_back(arena, element);
    build->sample_rows.push_back(arena, id);
    build->sample_hashes.push_back(arena, row.hash);
    if (build->sample_rows.size() == kSampleRows ||
        build->sample.size() * sizeof(float) > build->memory_limit / kSampleShare) {
      use_sample(build);
    }
  }
  MemoryContextSwitchTo(before);
  MemoryContextReset(build->row_context);
}

}  // namespace

IndexBuildResult* build(Relation heap, Relation index, IndexInfo* info) {
  if (RelationGetNumberOfBlocks(index) != 0) {
    elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
  }
  const MemoryContext build_context =
      AllocSetContextCreate(CurrentMemoryContext, "hnsw build", ALLOCSET_DEFAULT_SIZES);
  const MemoryContext before = MemoryContextSwitchTo(build_context);
  auto* const state = allocate_in<BuildState>(build_context);
  state->index = index;
  state->options = options_of(index);
  state->graph_state = describe(index, state->options, models::stamp_for_build(index));
  state->build_context = build_context;
  state->row_context =
      AllocSetContextCreate(build_context, "hnsw build, one row", ALLOCSET_DEFAULT_SIZES);
  state->memory_limit = static_cast<std::size_t>(maintenance_work_mem) * 1024;
  state->team = new (palloc(sizeof(ThreadTeam))) ThreadTeam(ThreadTeam::of_maintenance());
  state->point = static_cast<float*>(palloc(state->graph_state->meta.dim * sizeof(float)));
  state->code = static_cast<std::int8_t*>(palloc(state->graph_state->meta.dim));

  pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, kPhaseLoad);
  // As ANALYZE or an earlier index found; 0 says unknown.
  const double expected_rows = heap->rd_rel->reltuples;
  pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_TOTAL,
                               static_cast<int64>(std::max(expected_rows, 0.0)));
  const double heap_rows =
      table_index_build_scan(heap, index, info, true, true, add_row, state, nullptr);
  use_sample(state);
  if (!state->is_flushed) {
    flush(state);
  } else {
    set_drift_base(index, state->graph_state->meta.drift_block, state->drift);
  }

  auto* const result =
      static_cast<IndexBuildResult*>(MemoryContextAlloc(before, sizeof(IndexBuildResult)));
  result->heap_tuples = heap_rows;
  result->index_tuples = state->indexed_rows +
                         static_cast<double>(state->side_rows.null_rows.size()) +
                         static_cast<double>(state->side_rows.zero_rows.size());
  MemoryContextSwitchTo(before);
  MemoryContextDelete(build_context);
  return result;
}

void build_empty(Relation index) {
  GraphState* const state = describe(index, options_of(index), models::stamp_for_build(index));
  ThreadTeam alone(1);
  DriftBase drift{};
  write_graph(index, INIT_FORKNUM, state, nullptr, SideRows{}, &alone, &drift);
  log_init_fork(index);
}

const char* build_phase_name(std::int64_t phase) {
  switch (phase) {
    case kPhaseInitialize:
      return "initializing";
    case kPhaseLoad:
      return "loading tuples";
    case kPhaseOrder:
      return "ordering nodes";
    case kPhaseWrite:
      return "writing pages";
    case kPhaseInsert:
      return "inserting tuples into pages";
    default:
      return nullptr;
  }
}

}  // namespace nearest::pg::graph
