/// The access method hnsw: what the server calls, by name.
#include "pg/postgres.hpp"

extern "C" {
#include "commands/vacuum.h"
}

#include "pg/am/common/order_handler.hpp"
#include "pg/am/graph/build.hpp"
#include "pg/am/graph/cost.hpp"
#include "pg/am/graph/insert.hpp"
#include "pg/am/graph/options.hpp"
#include "pg/am/graph/scan.hpp"
#include "pg/am/graph/vacuum.hpp"

namespace {

char* build_phase_name(int64 phase) {
  return const_cast<char*>(nearest::pg::graph::build_phase_name(phase));
}

}  // namespace

NEAREST_FUNCTION(nearest_hnsw_handler) {
  namespace graph = nearest::pg::graph;
  IndexAmRoutine* const am = nearest::pg::make_order_handler();
  am->amsupport = 3;
  am->amusemaintenanceworkmem = true;  // a bit for each node that leaves
  am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL | VACUUM_OPTION_PARALLEL_CLEANUP;

  am->ambuild = graph::build;
  am->ambuildempty = graph::build_empty;
  am->aminsert = graph::insert;
  am->ambulkdelete = graph::bulk_delete;
  am->amvacuumcleanup = graph::vacuum_cleanup;
  am->amcostestimate = graph::estimate_cost;
  am->amoptions = graph::parse_options;
  am->ambuildphasename = build_phase_name;
  am->ambeginscan = graph::begin_scan;
  am->amrescan = graph::rescan;
  am->amgettuple = graph::next_row;
  am->amendscan = graph::end_scan;
  PG_RETURN_POINTER(am);
}
