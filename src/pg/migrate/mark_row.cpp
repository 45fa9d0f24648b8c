/// nearest_mark_for_embedding(): the trigger that marks changed rows of a table in transition.
#include "pg/postgres.hpp"

extern "C" {
#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/datum.h"
#include "utils/rel.h"
}

namespace nearest::pg {
namespace {

/// The number of the column that an argument of the trigger names.
int find_column(const TriggerData& data, int argument) {
  const char* const name = data.tg_trigger->tgargs[argument];
  const int number = SPI_fnumber(data.tg_relation->rd_att, name);
  if (number <= 0) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                    errmsg("column \"%s\" of table \"%s\" does not exist", name,
                           RelationGetRelationName(data.tg_relation)),
                    errdetail("Trigger \"%s\" names it.", data.tg_trigger->tgname),
                    errhint("Give the column its name back, or drop the trigger.")));
  }
  return number;
}

/// A column before and after.
struct Change {
  bool was_null, is_null, is_same;
};

Change change_of(const TriggerData& data, int column) {
  const TupleDesc descriptor = data.tg_relation->rd_att;
  const Form_pg_attribute attribute = TupleDescAttr(descriptor, column - 1);
  Change change{};
  const Datum was = heap_getattr(data.tg_trigtuple, column, descriptor, &change.was_null);
  const Datum is = heap_getattr(data.tg_newtuple, column, descriptor, &change.is_null);
  if (change.was_null || change.is_null) {
    change.is_same = change.was_null && change.is_null;
  } else {
    // First as it is stored: what is out of line and did not change need not be fetched.
    change.is_same = datumIsEqual(was, is, attribute->attbyval, attribute->attlen) ||
                     datum_image_eq(was, is, attribute->attbyval, attribute->attlen);
  }
  return change;
}

/// Whether what the target was made from has changed.
bool is_source_changed(const TriggerData& data) {
  // The other vector: one that comes late is no change.
  const Change other = change_of(data, find_column(data, 1));
  if (!other.is_same && !other.was_null) return true;
  for (int i = 2; i < data.tg_trigger->tgnargs; ++i) {
    if (!change_of(data, find_column(data, i)).is_same) return true;
  }
  return false;
}

}  // namespace
}  // namespace nearest::pg

/// A trigger before updates of rows. Arguments: the vector to set to NULL, the other vector, and
/// columns that both are made from. A statement that gives the first a new value itself is right.
NEAREST_FUNCTION(nearest_mark_for_embedding) {
  using namespace nearest::pg;
  if (!CALLED_AS_TRIGGER(fcinfo)) {
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("nearest_mark_for_embedding is a trigger function")));
  }
  const auto& data = *reinterpret_cast<TriggerData*>(fcinfo->context);
  if (!TRIGGER_FIRED_BEFORE(data.tg_event) || !TRIGGER_FIRED_BY_UPDATE(data.tg_event) ||
      !TRIGGER_FIRED_FOR_ROW(data.tg_event) || data.tg_trigger->tgnargs < 2) {
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("nearest_mark_for_embedding needs BEFORE UPDATE, FOR EACH ROW and the "
                           "names of two columns")));
  }
  int target = find_column(data, 0);
  if (!change_of(data, target).is_same || !is_source_changed(data)) {
    return PointerGetDatum(data.tg_newtuple);
  }
  Datum value = 0;
  bool is_null = true;
  return PointerGetDatum(heap_modify_tuple_by_cols(data.tg_newtuple, data.tg_relation->rd_att, 1,
                                                   &target, &value, &is_null));
}
