/// Costs of inverted file scans: the access method's callback.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace nearest::pg::inverted {

/// Never raises because of what the index holds: one that cannot be scanned costs too much.
void estimate_cost(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup_cost,
                   Cost* total_cost, Selectivity* selectivity, double* correlation, double* pages);

}  // namespace nearest::pg::inverted
