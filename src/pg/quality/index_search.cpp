#include "pg/quality/index_search.hpp"

extern "C" {
#include "access/tableam.h"
#include "utils/datum.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
}

#include <algorithm>

#include "pg/am/common/heap_distance.hpp"
#include "pg/compat.hpp"

namespace nearest::pg::quality {
namespace {

/// NaN is behind all numbers, NULL behind NaN.
bool is_before(const FoundRow& a, const FoundRow& b) {
  if (a.is_null || b.is_null) return !a.is_null && b.is_null;
  return float8_lt(a.distance, b.distance);
}

/// For a heap whose first is the nearest.
bool is_behind(const FoundRow& a, const FoundRow& b) { return is_before(b, a); }

}  // namespace

void IndexSearch::begin(IndexedRows* rows, const KeyColumn& key) {
  rows_ = rows;
  key_ = key;
  const Relation index = rows->own().index;
  const Oid type = index->rd_opcintype[0];
  constexpr StrategyNumber kStrategy = 1;  // of the one operator that our classes have
  const Oid op = get_opfamily_member(index->rd_opfamily[0], type, type, kStrategy);
  if (!OidIsValid(op)) {
    elog(ERROR, "index \"%s\" has no operator to order by", RelationGetRelationName(index));
  }
  constexpr AttrNumber kColumn = 1;
  ScanKeyEntryInitialize(&order_by_, SK_ORDER_BY, kColumn, kStrategy, type, InvalidOid,
                         get_opcode(op), Datum{0});
  slot_ = table_slot_create(rows->own().heap, nullptr);
  context_ = AllocSetContextCreate(CurrentMemoryContext, "index search", ALLOCSET_DEFAULT_SIZES);
}

void IndexSearch::end() {
  ExecDropSingleTupleTableSlot(slot_);
  MemoryContextDelete(context_);
}

void IndexSearch::start(const Query& query) {
  const MemoryContext before = MemoryContextSwitchTo(context_);
  query_ = query.vector->view();
  order_by_.sk_argument = PointerGetDatum(query.vector);
  scan_ = begin_index_scan(rows_->own().heap, rows_->own().index, rows_->snapshot(), 1);
  index_rescan(scan_, nullptr, 0, &order_by_, 1);
  queue_ = {};
  has_ended_ = false;
  MemoryContextSwitchTo(before);
}

void IndexSearch::stop() {
  ExecClearTuple(slot_);
  index_endscan(scan_);
  MemoryContextReset(context_);
}

bool IndexSearch::fetch(FoundRow* row, bool* is_in_place) {
  CHECK_FOR_INTERRUPTS();
  if (!index_getnext_slot(scan_, ForwardScanDirection, slot_)) return false;
  Datum value = 0;
  row->tid = slot_->tts_tid;
  row->is_null = !rows_->value_of(slot_, &value);
  row->distance = 0;
  if (!row->is_null) {
    row->distance = operator_distance(rows_->metric(), rows_->vector_of(value), query_);
  }
  bound_.is_null = scan_->xs_orderbynulls[0];
  bound_.distance = bound_.is_null ? 0 : DatumGetFloat8(scan_->xs_orderbyvals[0]);
  *is_in_place = !scan_->xs_recheckorderby || !is_before(bound_, *row);
  if (scan_->xs_recheckorderby && is_before(*row, bound_)) {
    // As a query: the executor refuses rows that are nearer than the index said.
    ereport(ERROR,
            (errcode(ERRCODE_INDEX_CORRUPTED),
             errmsg("index \"%s\" is damaged", RelationGetRelationName(scan_->indexRelation)),
             errdetail("A row is nearer to a query than the index says."),
             errhint("REINDEX builds the index anew.")));
  }
  if (key_.number != InvalidAttrNumber) {
    const Datum key = slot_getattr(slot_, key_.number, &row->key_is_null);
    row->key = row->key_is_null ? 0 : datumCopy(key, key_.is_by_value, key_.length);
  }
  return true;
}

bool IndexSearch::next(FoundRow* row) {
  const MemoryContext before = MemoryContextSwitchTo(context_);
  bool is_found = false;
  while (!is_found) {
    if (!queue_.empty() && (has_ended_ || !is_before(bound_, queue_[0]))) {
      std::pop_heap(queue_.begin(), queue_.end(), is_behind);
      *row = queue_[queue_.size() - 1];
      queue_.set_size(queue_.size() - 1);
      is_found = true;
    } else if (has_ended_) {
      break;
    } else {
      bool is_in_place = false;
      has_ended_ = !fetch(row, &is_in_place);
      rows_->forget();
      if (has_ended_) continue;
      if (is_in_place && (queue_.empty() || !is_before(queue_[0], *row))) {
        is_found = true;
      } else {
        queue_.push_back(ContextArena{context_}, *row);
        std::push_heap(queue_.begin(), queue_.end(), is_behind);
      }
    }
  }
  MemoryContextSwitchTo(before);
  return is_found;
}

}  // namespace nearest::pg::quality
