#include "pg/am/inverted/pending.hpp"

#include <limits>

// Weak: the real ones take their places as they come.
#define NEAREST_PENDING __attribute__((weak))

namespace nearest::pg::inverted {
namespace {
[[noreturn]] void report_pending() {
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("not supported yet")));
  pg_unreachable();
}
}  // namespace

NEAREST_PENDING IndexBulkDeleteResult* bulk_delete(IndexVacuumInfo*, IndexBulkDeleteResult*,
                                                   IndexBulkDeleteCallback, void*) {
  report_pending();
}
NEAREST_PENDING IndexBulkDeleteResult* vacuum_cleanup(IndexVacuumInfo*,
                                                      IndexBulkDeleteResult* stats) {
  return stats;
}
NEAREST_PENDING void estimate_cost(PlannerInfo*, IndexPath*, double, Cost* startup_cost,
                                   Cost* total_cost, Selectivity* selectivity, double* correlation,
                                   double* pages) {
  *startup_cost = *total_cost = std::numeric_limits<double>::infinity();
  *selectivity = *correlation = *pages = 0;
}
NEAREST_PENDING IndexScanDesc begin_scan(Relation, int, int) { report_pending(); }
NEAREST_PENDING void rescan(IndexScanDesc, ScanKey, int, ScanKey, int) { report_pending(); }
NEAREST_PENDING bool next_row(IndexScanDesc, ScanDirection) { report_pending(); }
NEAREST_PENDING void end_scan(IndexScanDesc) {}

}  // namespace nearest::pg::inverted
