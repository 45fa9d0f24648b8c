/// The access methods ivfflat and ivfpq: what the server calls, by name. They differ in options.
#include "pg/postgres.hpp"

extern "C" {
#include "commands/vacuum.h"
}

#include "pg/am/common/order_handler.hpp"
#include "pg/am/inverted/build.hpp"
#include "pg/am/inverted/cost.hpp"
#include "pg/am/inverted/insert.hpp"
#include "pg/am/inverted/options.hpp"
#include "pg/am/inverted/scan.hpp"
#include "pg/am/inverted/vacuum.hpp"

namespace {

namespace inverted = nearest::pg::inverted;

char* build_phase_name(int64 phase) { return const_cast<char*>(inverted::build_phase_name(phase)); }

IndexAmRoutine* make_handler(amoptions_function parse_options) {
  IndexAmRoutine* const am = nearest::pg::make_order_handler();
  am->amsupport = 5;
  am->amusemaintenanceworkmem = false;  // vacuum keeps nothing
  am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL;

  am->ambuild = inverted::build;
  am->ambuildempty = inverted::build_empty;
  am->aminsert = inverted::insert;
  am->ambulkdelete = inverted::bulk_delete;
  am->amvacuumcleanup = inverted::vacuum_cleanup;
  am->amcostestimate = inverted::estimate_cost;
  am->amoptions = parse_options;
  am->ambuildphasename = build_phase_name;
  am->ambeginscan = inverted::begin_scan;
  am->amrescan = inverted::rescan;
  am->amgettuple = inverted::next_row;
  am->amendscan = inverted::end_scan;
  return am;
}

}  // namespace

NEAREST_FUNCTION(nearest_ivfflat_handler) {
  PG_RETURN_POINTER(make_handler(inverted::parse_flat_options));
}
NEAREST_FUNCTION(nearest_ivfpq_handler) {
  PG_RETURN_POINTER(make_handler(inverted::parse_coded_options));
}
