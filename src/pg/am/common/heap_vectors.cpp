#include "pg/am/common/heap_vectors.hpp"

extern "C" {
#include "access/tableam.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "utils/memutils.h"
}

#include "pg/type/vector_datum.hpp"

namespace nearest::pg {

void HeapVectors::begin(Relation heap, Relation index, MemoryContext context) {
  const MemoryContext before = MemoryContextSwitchTo(context);
  info_ = BuildIndexInfo(index);
  if (info_->ii_Expressions != NIL) executor_ = CreateExecutorState();
  row_context_ = AllocSetContextCreate(context, "heap vectors", ALLOCSET_DEFAULT_SIZES);
  slot_ = table_slot_create(heap, nullptr);
  fetch_ = table_index_fetch_begin(heap);
  if (executor_ != nullptr) GetPerTupleExprContext(executor_)->ecxt_scantuple = slot_;
  MemoryContextSwitchTo(before);
}

void HeapVectors::end() {
  if (fetch_ != nullptr) table_index_fetch_end(fetch_);
  if (slot_ != nullptr) ExecDropSingleTupleTableSlot(slot_);
  if (executor_ != nullptr) FreeExecutorState(executor_);
  *this = {};
}

HeapVectors::Found HeapVectors::find(ItemPointerData tid, Snapshot snapshot,
                                     core::VectorView<float>* x) {
  if (executor_ != nullptr) ResetPerTupleExprContext(executor_);
  MemoryContextReset(row_context_);
  bool is_again = false, is_all_dead = false;
  if (!table_index_fetch_tuple(fetch_, &tid, snapshot, slot_, &is_again, &is_all_dead)) {
    return is_all_dead ? Found::kGone : Found::kNothing;
  }
  const MemoryContext before = MemoryContextSwitchTo(row_context_);
  Datum values[INDEX_MAX_KEYS];
  bool nulls[INDEX_MAX_KEYS];
  FormIndexDatum(info_, slot_, executor_, values, nulls);
  if (!nulls[0]) *x = get_vector<float>(values[0])->view();
  MemoryContextSwitchTo(before);
  return nulls[0] ? Found::kNothing : Found::kVector;
}

void HeapVectors::release_pages() {
  if (fetch_ == nullptr) return;
  ExecClearTuple(slot_);
  table_index_fetch_reset(fetch_);
}

}  // namespace nearest::pg
