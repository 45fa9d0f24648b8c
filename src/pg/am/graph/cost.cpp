#include "pg/am/graph/cost.hpp"

extern "C" {
#include "access/genam.h"
#include "utils/float.h"
#include "utils/selfuncs.h"
}

#include "pg/am/graph/state.hpp"
#include "pg/settings.hpp"

namespace nearest::pg::graph {

void estimate_cost(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup_cost,
                   Cost* total_cost, Selectivity* selectivity, double* correlation, double* pages) {
  if (path->indexorderbys == NIL) {
    *startup_cost = *total_cost = get_float8_infinity();
    *selectivity = 0;
    *correlation = 0;
    *pages = 0;
    return;
  }
  GenericCosts costs{};
  genericcostestimate(root, path, loop_count, &costs);
  *startup_cost = costs.indexTotalCost * 0.001;
  *total_cost = costs.indexTotalCost;
  *selectivity = costs.indexSelectivity;
  *correlation = costs.indexCorrelation;
  *pages = costs.numIndexPages;
}

}  // namespace nearest::pg::graph
