#include "pg/am/common/row_identity.hpp"

extern "C" {
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "nodes/bitmapset.h"
}

#include <cstdint>

namespace nearest::pg {
namespace {

/// Does what the executor does with such a row, and looks.
bool keeps_ctid() {
  TupleDesc description = CreateTemplateTupleDesc(1);
  TupleDescInitEntry(description, 1, "a", INT4OID, -1, 0);
  TupleTableSlot* const slot = MakeSingleTupleTableSlot(description, &TTSOpsBufferHeapTuple);
  Datum value = Int32GetDatum(1);
  bool is_null = false;
  HeapTuple row = heap_form_tuple(description, &value, &is_null);
  ItemPointerSet(&row->t_self, 1, 1);
  ExecForceStoreHeapTuple(row, slot, false);
  const bool is_kept = ItemPointerIsValid(&slot->tts_tid);
  ExecDropSingleTupleTableSlot(slot);
  heap_freetuple(row);
  return is_kept;
}

}  // namespace

bool needs_lost_ctid(const RelOptInfo* rel) {
  const bool needs_ctid =
      rel->min_attr <= SelfItemPointerAttributeNumber &&
      !bms_is_empty(rel->attr_needed[SelfItemPointerAttributeNumber - rel->min_attr]);
  if (!needs_ctid) return false;
  enum class Answer : std::uint8_t { kUnknown, kKept, kLost };
  static Answer answer = Answer::kUnknown;
  if (answer == Answer::kUnknown) answer = keeps_ctid() ? Answer::kKept : Answer::kLost;
  return answer == Answer::kLost;
}

}  // namespace nearest::pg
