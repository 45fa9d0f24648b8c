#include "pg/am/inverted/insert.hpp"

extern "C" {
#include "utils/memutils.h"
}

#include "pg/am/common/drift_sample.hpp"
#include "pg/am/common/heap_tid.hpp"
#include "pg/am/inverted/generation.hpp"
#include "pg/am/inverted/list_choice.hpp"
#include "pg/am/inverted/list_insert.hpp"
#include "pg/am/inverted/row_vector.hpp"
#include "pg/memory.hpp"

namespace nearest::pg::inverted {
namespace {

/// Codes the row for its nearest list and adds it there. False if the state is of other lists than
/// there are now. Memory comes from the current context.
bool insert_vector(Relation index, const InvertedState& state, core::VectorView<float> x,
                   const format::Tid& tid) {
  const std::size_t dim = x.size();
  const RowCoder coder(state);
  auto* const y = static_cast<float*>(palloc(dim * sizeof(float)));
  const PlacedRow placed = coder.place(x, y);
  auto* const centroid = static_cast<float*>(palloc(dim * sizeof(float)));
  const std::uint32_t list = choose_list(index, state, {y, dim}, centroid);
  auto* const work = static_cast<float*>(palloc(coder.work_floats() * sizeof(float)));
  auto* const record = static_cast<std::byte*>(palloc(coder.record().bytes));
  coder.encode(x, placed, y, centroid, work, record);
  if (!add_to_list(index, state, list, tid, record)) return false;
  if (format::is_drift_sampled(tid)) {
    add_drift_row(index, state.meta.drift_block, state.meta.lists,
                  {coder.figures(x, placed, y, centroid, record), list});
  }
  return true;
}

}  // namespace

bool insert(Relation index, Datum* values, bool* is_null, ItemPointer heap_tid, Relation /*heap*/,
            IndexUniqueCheck /*check_unique*/, bool /*index_unchanged*/, IndexInfo* info) {
  // The state is kept for the statement; what one row needs is not.
  struct Cache {
    const InvertedState* state;
    MemoryContext row_context;
  };
  auto* cache = static_cast<Cache*>(info->ii_AmCache);
  if (cache == nullptr) {
    cache = allocate_in<Cache>(info->ii_Context);
    cache->row_context =
        AllocSetContextCreate(info->ii_Context, "inverted file insert", ALLOCSET_DEFAULT_SIZES);
    cache->state = load_state(index);
    info->ii_AmCache = cache;
  }
  const MemoryContext before = MemoryContextSwitchTo(cache->row_context);
  const RowVector row = read_row_vector(cache->state->meta, values[0], is_null[0]);
  const auto is_added = [&] {
    const InvertedState& state = *cache->state;
    if (row.has_place()) return insert_vector(index, state, row.x, to_tid(*heap_tid));
    return add_to_list(index, state, row.list(state.meta), to_tid(*heap_tid), nullptr);
  };
  while (!is_added()) {
    await_lists(index, *cache->state);
    cache->state = load_state(index);
  }
  MemoryContextSwitchTo(before);
  MemoryContextReset(cache->row_context);
  return false;
}

}  // namespace nearest::pg::inverted
