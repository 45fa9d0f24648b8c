/// nearest_compact(index): compaction (am/inverted/compact.hpp) as an SQL function.
#include "pg/postgres.hpp"

extern "C" {
#include "catalog/objectaddress.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
}

#include "pg/am/index_kind.hpp"
#include "pg/am/inverted/compact.hpp"
#include "pg/compat.hpp"
#include "pg/inspect/own_index.hpp"
#include "pg/quality/caller.hpp"
#include "pg/result_row.hpp"

namespace nearest::pg {
namespace {

/// Raises unless the user owns an index. Before it is locked, so that nobody locks what is others'.
void check_owner(Oid oid) {
  if (get_rel_relkind(oid) != RELKIND_INDEX) return;  // which opening it tells
  if (is_owner(oid, GetUserId())) return;
  aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, get_rel_name(oid));
}

/// As multiples of the mean: what a split makes must not be too large or too small again.
void check_limits(const inverted::ListLimits& limits) {
  if (!(limits.split_above > 1)) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("split_above must be above 1"),
                    errhint("With Infinity no list is split.")));
  }
  if (!(limits.merge_below >= 0 && limits.merge_below < 1)) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("merge_below must be at least 0 and below 1"),
                    errhint("With 0 no lists are merged.")));
  }
}

}  // namespace
}  // namespace nearest::pg

/// nearest_compact(index regclass, split_above, merge_below double precision) -> what was done, as
/// one row.
NEAREST_FUNCTION(nearest_compact) {
  using namespace nearest::pg;
  PreventCommandDuringRecovery("nearest_compact()");
  const inverted::ListLimits limits = {PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2)};
  check_limits(limits);
  const Oid oid = PG_GETARG_OID(0);
  check_owner(oid);
  const OwnIndex opened = open_own_index(oid, "compact", ShareUpdateExclusiveLock);
  check_owner(oid);  // it may have changed meanwhile
  if (!is_inverted(opened.index)) {
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                    errmsg("\"%s\" is not an index of ivfflat or ivfpq",
                           RelationGetRelationName(opened.index)),
                    errhint("Name an index that was created with USING ivfflat or ivfpq.")));
  }
  // Without codes that refine rows, vectors are those of the table's rows: of the index's
  // expression.
  const quality::Caller caller = quality::become_owner(opened.heap);
  const inverted::Compacted done = inverted::compact(opened.heap, opened.index, limits);
  quality::become_caller(caller);
  const Datum values[] = {Int64GetDatum(done.lists),          Int64GetDatum(done.written_blocks),
                          Int64GetDatum(done.retired_blocks), Int64GetDatum(done.free_blocks),
                          Int64GetDatum(done.split),          Int64GetDatum(done.merged)};
  const bool nulls[lengthof(values)] = {};
  // The table's lock stays until the transaction ends, as VACUUM's would.
  close_own_index({opened.heap, opened.index, NoLock, NoLock});
  return row_result(fcinfo, values, nulls, lengthof(values));
}
