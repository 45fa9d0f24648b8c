#include "pg/quality/indexed_rows.hpp"

extern "C" {
#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/index.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

#include "pg/am/common/index_facts.hpp"

namespace nearest::pg::quality {

void IndexedRows::begin(const OwnIndex& own, Snapshot snapshot) {
  // As the planner: older snapshots see rows that such an index does not have.
  if (own.index->rd_index->indcheckxmin &&
      !TransactionIdPrecedes(HeapTupleHeaderGetXmin(own.index->rd_indextuple->t_data),
                             TransactionXmin)) {
    ereport(
        ERROR,
        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
         errmsg("cannot measure index \"%s\"", RelationGetRelationName(own.index)),
         errdetail("The index was built after this transaction or an older one began, and lacks "
                   "row versions that those can see."),
         errhint("Try again in a new transaction, once older ones have ended.")));
  }
  own_ = own;
  snapshot_ = snapshot;
  metric_ = metric_of(own.index);
  dim_ = static_cast<std::uint32_t>(TupleDescAttr(RelationGetDescr(own.index), 0)->atttypmod);
}

void IndexedRows::prepare() {
  info_ = BuildIndexInfo(own_.index);
  executor_ = CreateExecutorState();
  predicate_ = ExecPrepareQual(info_->ii_Predicate, executor_);
  row_context_ = AllocSetContextCreate(CurrentMemoryContext, "indexed row", ALLOCSET_DEFAULT_SIZES);
  read_ahead_ = {};
}

void IndexedRows::end() {
  FreeExecutorState(executor_);
  MemoryContextDelete(row_context_);
}

bool IndexedRows::is_query(core::VectorView<float> x) const {
  if (x.size() != dim_) {
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                    errmsg("different %s dimensions %d and %d", SqlType<float>::kName,
                           static_cast<int>(dim_), static_cast<int>(x.size()))));
  }
  return metric_ != core::Metric::kCosine || core::norm_of(x) > 0;
}

bool IndexedRows::value_of(TupleTableSlot* slot, Datum* value) {
  const MemoryContext before = MemoryContextSwitchTo(row_context_);
  Datum values[INDEX_MAX_KEYS];
  bool nulls[INDEX_MAX_KEYS];
  GetPerTupleExprContext(executor_)->ecxt_scantuple = slot;
  FormIndexDatum(info_, slot, executor_, values, nulls);
  MemoryContextSwitchTo(before);
  *value = values[0];
  return !nulls[0];
}

void IndexedRows::forget() {
  ResetPerTupleExprContext(executor_);
  MemoryContextReset(row_context_);
}

bool IndexedRows::satisfies_predicate(TupleTableSlot* slot) {
  if (predicate_ == nullptr) return true;
  ExprContext* const context = GetPerTupleExprContext(executor_);
  context->ecxt_scantuple = slot;
  return ExecQual(predicate_, context);
}

}  // namespace nearest::pg::quality
