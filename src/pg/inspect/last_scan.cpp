/// nearest_last_scan(): what the last index scan of this session did.
#include "pg/postgres.hpp"

extern "C" {
#include "access/htup_details.h"
#include "funcapi.h"
}

#include "pg/am/common/last_scan.hpp"

/// nearest_last_scan() -> one row, or NULL before the first scan.
NEAREST_FUNCTION(nearest_last_scan) {
  TupleDesc descriptor;
  if (get_call_result_type(fcinfo, nullptr, &descriptor) != TYPEFUNC_COMPOSITE) {
    elog(ERROR, "return type must be a row type");
  }
  const nearest::pg::LastScan& scan = nearest::pg::last_scan;
  if (!OidIsValid(scan.index)) PG_RETURN_NULL();
  Datum values[] = {
      ObjectIdGetDatum(scan.index),     Int64GetDatum(scan.rounds),     Int64GetDatum(scan.pages),
      Int64GetDatum(scan.nodes),        Int64GetDatum(scan.link_codes), Int64GetDatum(scan.rows),
      BoolGetDatum(scan.read_the_rest),
  };
  bool nulls[lengthof(values)] = {};
  if (descriptor->natts != static_cast<int>(lengthof(values))) {
    elog(ERROR, "nearest_last_scan returns %d columns", static_cast<int>(lengthof(values)));
  }
  PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}
