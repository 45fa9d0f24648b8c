#include "pg/am/inverted/build.hpp"

extern "C" {
#include "access/tableam.h"
#include "access/xloginsert.h"
#include "catalog/index.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
}

#include <algorithm>

#include "core/ivf/params.hpp"
#include "pg/am/common/heap_tid.hpp"
#include "pg/am/inverted/describe.hpp"
#include "pg/am/inverted/list_writer.hpp"
#include "pg/am/inverted/options.hpp"
#include "pg/am/inverted/progress.hpp"
#include "pg/am/inverted/row_batch.hpp"
#include "pg/am/inverted/row_vector.hpp"
#include "pg/am/inverted/sample.hpp"
#include "pg/am/inverted/trainer.hpp"
#include "pg/memory.hpp"
#include "pg/models/index_model.hpp"

namespace nearest::pg::inverted {
namespace {

/// What training is to look at.
struct TrainingPlan {
  std::size_t lists;
  std::size_t sample_rows;  ///< at most
};

/// How many lists, and how many rows of the sample fit into maintenance_work_mem.
TrainingPlan plan_training(const InvertedOptions& options, const format::InvertedMeta& meta,
                           double rows) {
  const std::size_t lists = options.lists > 0 ? static_cast<std::size_t>(options.lists)
                                              : core::default_lists(static_cast<std::size_t>(rows));
  const std::size_t wanted = std::max(
      core::kFewestSampleRows, lists * static_cast<std::size_t>(options.sample_rows_per_list));
  const TrainingMemory memory = TrainingMemory::of(meta, lists);
  const auto budget = static_cast<std::size_t>(maintenance_work_mem) * 1024;
  // An estimate may be off a little.
  const auto there = static_cast<std::size_t>(rows * 1.1) + 1000;
  const std::size_t useful = std::min(wanted, there);
  const std::size_t required = memory.fixed + std::min(lists, useful) * memory.per_row;
  if (required > budget) {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("memory required is %zu MB, maintenance_work_mem is %d MB",
                           (required >> 20) + 1, maintenance_work_mem / 1024),
                    errdetail("Training %zu lists takes that much at least.", lists),
                    errhint("Increase maintenance_work_mem, or use fewer lists.")));
  }
  const std::size_t fitting = (budget - memory.fixed) / memory.per_row;
  if (fitting < useful / 2) {
    ereport(NOTICE, (errmsg("training on %zu rows instead of %zu", fitting, useful),
                     errdetail("More do not fit into maintenance_work_mem."),
                     errhint("Increase maintenance_work_mem for better lists.")));
  }
  return {lists, std::min(useful, fitting)};
}

/// What sorting may take, in kilobytes: what is left of maintenance_work_mem beside the centroids,
/// which are there as rows and as panels.
int sort_memory(const format::InvertedMeta& meta) {
  const std::size_t centroids = 2 * std::size_t{meta.lists} * meta.dim * sizeof(float) / 1024;
  const auto budget = static_cast<std::size_t>(maintenance_work_mem);
  return static_cast<int>(std::max(budget / 4, budget - std::min(budget, centroids)));
}

struct BuildState {
  Relation heap, index;
  IndexInfo* info;
  Method method;
  InvertedOptions options;
  Model model;
  MemoryContext row_context;  ///< reset after every row
  RowBatch* batch;
  ListSorter* sorter;
  std::uint64_t* sizes;  ///< (directory_entries) rows of each list
  std::size_t rows;
};

/// Trains on a sample, or tells that there is too little.
Model make_model(const BuildState& build) {
  format::InvertedMeta meta =
      describe(build.index, build.options, models::stamp_for_build(build.index));
  const double estimate = estimate_rows(build.heap, build.index, build.info);
  TrainingPlan plan = plan_training(build.options, meta, estimate);
  const MemoryContext context = CurrentMemoryContext;
  const MemoryContext sample_context =
      AllocSetContextCreate(context, "inverted file, sample", ALLOCSET_DEFAULT_SIZES);
  auto* const rows = static_cast<float*>(
      MemoryContextAllocHuge(sample_context, mul_size(plan.sample_rows, meta.dim * sizeof(float))));
  const std::size_t n =
      draw_sample(build.heap, build.index, build.info, meta, plan.sample_rows, rows);
  const bool is_default = build.options.lists == 0;
  // Fewer than asked for: these are all.
  if (is_default && n < plan.sample_rows) plan.lists = core::default_lists(n);
  const std::size_t fewest = is_default ? std::min(core::kFewestTrainingRows, plan.sample_rows) : 1;
  const bool is_trained = n >= std::max(plan.lists, fewest);
  if (is_trained) {
    meta.lists = static_cast<std::uint32_t>(plan.lists);
  } else {
    ereport(NOTICE, (errmsg("%s index created with little data", name_of(build.method)),
                     errdetail("It is untrained: all rows are in one list, and searches read all."),
                     errhint("REINDEX the index when the table has more data.")));
  }
  Model model = is_trained ? train(meta, rows, n) : untrained_model(meta, {rows, n, meta.dim});
  MemoryContextDelete(sample_context);
  return model;
}

void add_row(Relation /*index*/, ItemPointer tid, Datum* values, bool* is_null, bool /*is_alive*/,
             void* opaque) {
  CHECK_FOR_INTERRUPTS();
  auto* const build = static_cast<BuildState*>(opaque);
  const MemoryContext before = MemoryContextSwitchTo(build->row_context);
  const format::InvertedMeta& meta = build->model.state.meta;
  const RowVector row = read_row_vector(meta, values[0], is_null[0]);
  if (row.has_place()) {
    build->batch->add(to_tid(*tid), row.x);
  } else {
    const std::uint32_t list = row.list(meta);
    ++build->sizes[list];
    build->sorter->put(list, to_tid(*tid), nullptr, 0);
  }
  MemoryContextSwitchTo(before);
  MemoryContextReset(build->row_context);
  ++build->rows;
  show_done(build->rows);
}

/// Writes what is sorted, and logs it.
void write_file(BuildState* build) {
  InvertedState* const state = &build->model.state;
  begin_phase(Phase::kWrite, build->rows);
  state->meta.built_rows = build->rows;
  PageFile file(build->index, MAIN_FORKNUM);
  write_head(&file, state, build->model.trained, build->sizes, build->batch->figures());
  ListWriter writer(&file, state, build->sizes);
  std::uint32_t list = 0;
  format::Tid tid{};
  const std::byte* record = nullptr;
  std::size_t done = 0;
  while (build->sorter->next(&list, &tid, &record)) {
    CHECK_FOR_INTERRUPTS();
    writer.add(list, tid, list < state->meta.lists ? record : nullptr);
    if (++done % 1024 == 0) show_done(done);
  }
  writer.finish();
  show_done(done);
  if (RelationNeedsWAL(build->index)) {
    log_newpage_range(build->index, MAIN_FORKNUM, 0, file.next(), true);
  }
}

}  // namespace

IndexBuildResult* build(Relation heap, Relation index, IndexInfo* info) {
  if (RelationGetNumberOfBlocks(index) != 0) {
    elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
  }
  const MemoryContext build_context =
      AllocSetContextCreate(CurrentMemoryContext, "inverted file build", ALLOCSET_DEFAULT_SIZES);
  const MemoryContext before = MemoryContextSwitchTo(build_context);
  BuildState state{};
  state.heap = heap;
  state.index = index;
  state.info = info;
  state.method = method_of(index);
  state.options = options_of(index);
  state.row_context =
      AllocSetContextCreate(build_context, "inverted file build, row", ALLOCSET_DEFAULT_SIZES);
  state.model = make_model(state);

  const format::InvertedMeta& meta = state.model.state.meta;
  state.sizes = allocate_in<std::uint64_t>(build_context, format::directory_entries(meta));
  ListSorter sorter(RecordShape(state.model.state.shape).bytes, sort_memory(meta));
  RowBatch batch(&state.model, &sorter, state.sizes);
  state.sorter = &sorter;
  state.batch = &batch;
  // As ANALYZE or an earlier index found; 0 says unknown.
  begin_phase(Phase::kEncode, static_cast<std::size_t>(std::max(heap->rd_rel->reltuples, 0.0F)));
  const double heap_rows =
      table_index_build_scan(heap, index, info, true, true, add_row, &state, nullptr);
  batch.flush();
  begin_phase(Phase::kSort, state.rows);
  sorter.sort();
  write_file(&state);
  sorter.finish();

  auto* const result =
      static_cast<IndexBuildResult*>(MemoryContextAlloc(before, sizeof(IndexBuildResult)));
  result->heap_tuples = heap_rows;
  result->index_tuples = static_cast<double>(state.rows);
  MemoryContextSwitchTo(before);
  MemoryContextDelete(build_context);
  return result;
}

void build_empty(Relation index) {
  const format::InvertedMeta meta =
      describe(index, options_of(index), models::stamp_for_build(index));
  Model model = untrained_model(meta, {nullptr, 0, meta.dim});
  auto* const sizes =
      allocate_in<std::uint64_t>(CurrentMemoryContext, format::directory_entries(model.state.meta));
  PageFile file(index, INIT_FORKNUM);
  write_head(&file, &model.state, model.trained, sizes, core::FigureMoments{});
  log_init_fork(index);
}

const char* build_phase_name(std::int64_t phase) {
  switch (static_cast<Phase>(phase)) {
    case Phase::kInitialize:
      return "initializing";
    case Phase::kSample:
      return "sampling table";
    case Phase::kCluster:
      return "performing k-means";
    case Phase::kCodebooks:
      return "training codes";
    case Phase::kEncode:
      return "assigning tuples";
    case Phase::kSort:
      return "sorting tuples";
    case Phase::kWrite:
      return "writing pages";
  }
  return nullptr;
}

}  // namespace nearest::pg::inverted
