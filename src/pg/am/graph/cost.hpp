/// What the planner is told of scans of graph indexes.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/amapi.h"
#include "nodes/pathnodes.h"
}

namespace nearest::pg::graph {

void estimate_cost(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup_cost,
                   Cost* total_cost, Selectivity* selectivity, double* correlation, double* pages);

}  // namespace nearest::pg::graph
