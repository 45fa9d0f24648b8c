/// nearest_last_scan(): what the last index scan of this session did.
#include "pg/postgres.hpp"

#include "pg/am/common/last_scan.hpp"
#include "pg/result_row.hpp"

/// nearest_last_scan() -> one row, or NULL before the first scan.
NEAREST_FUNCTION(nearest_last_scan) {
  const nearest::pg::LastScan& scan = nearest::pg::last_scan;
  if (!OidIsValid(scan.index)) PG_RETURN_NULL();
  const Datum values[] = {
      ObjectIdGetDatum(scan.index),     Int64GetDatum(scan.rounds),     Int64GetDatum(scan.pages),
      Int64GetDatum(scan.nodes),        Int64GetDatum(scan.link_codes), Int64GetDatum(scan.rows),
      BoolGetDatum(scan.read_the_rest),
  };
  const bool nulls[lengthof(values)] = {};
  return nearest::pg::row_result(fcinfo, values, nulls, lengthof(values));
}
