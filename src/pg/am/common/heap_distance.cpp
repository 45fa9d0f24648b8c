#include "pg/am/common/heap_distance.hpp"

extern "C" {
#include "access/tableam.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "utils/memutils.h"
}

#include "pg/type/vector_datum.hpp"

namespace nearest::pg {

void HeapDistance::begin(IndexScanDesc scan, MemoryContext context) {
  const MemoryContext before = MemoryContextSwitchTo(context);
  scan_ = scan;
  info_ = BuildIndexInfo(scan->indexRelation);
  if (info_->ii_Expressions != NIL) executor_ = CreateExecutorState();
  row_context_ = AllocSetContextCreate(context, "heap distance", ALLOCSET_DEFAULT_SIZES);
  slot_ = table_slot_create(scan->heapRelation, nullptr);
  fetch_ = table_index_fetch_begin(scan->heapRelation);
  if (executor_ != nullptr) GetPerTupleExprContext(executor_)->ecxt_scantuple = slot_;
  MemoryContextSwitchTo(before);
}

void HeapDistance::end() {
  if (fetch_ != nullptr) table_index_fetch_end(fetch_);
  if (slot_ != nullptr) ExecDropSingleTupleTableSlot(slot_);
  if (executor_ != nullptr) FreeExecutorState(executor_);
  *this = {};
}

bool HeapDistance::find(core::Metric metric, core::VectorView<float> q, ItemPointerData tid,
                        double* distance) {
  bool is_again = false, is_all_dead = false;
  if (!table_index_fetch_tuple(fetch_, &tid, scan_->xs_snapshot, slot_, &is_again, &is_all_dead)) {
    return false;
  }
  const MemoryContext before = MemoryContextSwitchTo(row_context_);
  Datum values[INDEX_MAX_KEYS];
  bool nulls[INDEX_MAX_KEYS];
  FormIndexDatum(info_, slot_, executor_, values, nulls);
  bool is_found = false;
  if (!nulls[0]) {
    const core::VectorView<float> x = get_vector<float>(values[0])->view();
    is_found = x.size() == q.size();
    if (is_found) *distance = operator_distance(metric, q, x);
  }
  if (executor_ != nullptr) ResetPerTupleExprContext(executor_);
  MemoryContextSwitchTo(before);
  MemoryContextReset(row_context_);
  return is_found;
}

void HeapDistance::release_pages() {
  if (fetch_ == nullptr) return;
  ExecClearTuple(slot_);
  table_index_fetch_reset(fetch_);
}

}  // namespace nearest::pg
