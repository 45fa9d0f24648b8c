/// The access methods ivfflat and ivfpq: what the server calls, by name. They differ in options.
#include "pg/postgres.hpp"

extern "C" {
#include "access/amapi.h"
#include "commands/vacuum.h"
}

#include "pg/am/inverted/build.hpp"
#include "pg/am/inverted/cost.hpp"
#include "pg/am/inverted/insert.hpp"
#include "pg/am/inverted/options.hpp"
#include "pg/am/inverted/scan.hpp"
#include "pg/am/inverted/vacuum.hpp"

namespace {

namespace inverted = nearest::pg::inverted;

/// Operator classes of these access methods come with the extension; what they must be is checked
/// where they are used (metric_of).
bool validate(Oid /*opclass*/) { return true; }

char* build_phase_name(int64 phase) { return const_cast<char*>(inverted::build_phase_name(phase)); }

IndexAmRoutine* make_handler(amoptions_function parse_options) {
  IndexAmRoutine* const am = makeNode(IndexAmRoutine);
  am->amstrategies = 0;
  am->amsupport = 5;
  am->amoptsprocnum = 0;
  am->amcanorder = false;
  am->amcanorderbyop = true;
  am->amcanbackward = false;
  am->amcanunique = false;
  am->amcanmulticol = false;
  am->amoptionalkey = true;
  am->amsearcharray = false;
  am->amsearchnulls = false;
  am->amstorage = false;
  am->amclusterable = false;
  am->ampredlocks = false;
  am->amcanparallel = false;
  am->amcaninclude = false;
  am->amusemaintenanceworkmem = false;  // vacuum keeps nothing
  am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL;
  am->amkeytype = InvalidOid;

  am->ambuild = inverted::build;
  am->ambuildempty = inverted::build_empty;
  am->aminsert = inverted::insert;
  am->ambulkdelete = inverted::bulk_delete;
  am->amvacuumcleanup = inverted::vacuum_cleanup;
  am->amcanreturn = nullptr;
  am->amcostestimate = inverted::estimate_cost;
  am->amoptions = parse_options;
  am->amproperty = nullptr;
  am->ambuildphasename = build_phase_name;
  am->amvalidate = validate;
  am->amadjustmembers = nullptr;
  am->ambeginscan = inverted::begin_scan;
  am->amrescan = inverted::rescan;
  am->amgettuple = inverted::next_row;
  am->amgetbitmap = nullptr;
  am->amendscan = inverted::end_scan;
  am->ammarkpos = nullptr;
  am->amrestrpos = nullptr;
  am->amestimateparallelscan = nullptr;
  am->aminitparallelscan = nullptr;
  am->amparallelrescan = nullptr;
  return am;
}

}  // namespace

NEAREST_FUNCTION(nearest_ivfflat_handler) {
  PG_RETURN_POINTER(make_handler(inverted::parse_flat_options));
}
NEAREST_FUNCTION(nearest_ivfpq_handler) {
  PG_RETURN_POINTER(make_handler(inverted::parse_coded_options));
}
