/// The access method hnsw: what the server calls, by name.
#include "pg/postgres.hpp"

extern "C" {
#include "access/amapi.h"
#include "commands/vacuum.h"
}

#include "pg/am/graph/build.hpp"
#include "pg/am/graph/cost.hpp"
#include "pg/am/graph/insert.hpp"
#include "pg/am/graph/options.hpp"
#include "pg/am/graph/scan.hpp"
#include "pg/am/graph/vacuum.hpp"

namespace {

/// Operator classes of this access method come with the extension; what they must be is checked
/// where they are used (metric_of).
bool validate(Oid /*opclass*/) { return true; }

char* build_phase_name(int64 phase) {
  return const_cast<char*>(nearest::pg::graph::build_phase_name(phase));
}

}  // namespace

NEAREST_FUNCTION(nearest_hnsw_handler) {
  namespace graph = nearest::pg::graph;
  IndexAmRoutine* const am = makeNode(IndexAmRoutine);
  am->amstrategies = 0;
  am->amsupport = 3;
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
  am->amusemaintenanceworkmem = true;  // a bit for each node that leaves
  am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL | VACUUM_OPTION_PARALLEL_CLEANUP;
  am->amkeytype = InvalidOid;

  am->ambuild = graph::build;
  am->ambuildempty = graph::build_empty;
  am->aminsert = graph::insert;
  am->ambulkdelete = graph::bulk_delete;
  am->amvacuumcleanup = graph::vacuum_cleanup;
  am->amcanreturn = nullptr;
  am->amcostestimate = graph::estimate_cost;
  am->amoptions = graph::parse_options;
  am->amproperty = nullptr;
  am->ambuildphasename = build_phase_name;
  am->amvalidate = validate;
  am->amadjustmembers = nullptr;
  am->ambeginscan = graph::begin_scan;
  am->amrescan = graph::rescan;
  am->amgettuple = graph::next_row;
  am->amgetbitmap = nullptr;
  am->amendscan = graph::end_scan;
  am->ammarkpos = nullptr;
  am->amrestrpos = nullptr;
  am->amestimateparallelscan = nullptr;
  am->aminitparallelscan = nullptr;
  am->amparallelrescan = nullptr;
  PG_RETURN_POINTER(am);
}
