/// What the costs of all our index paths have in common.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace nearest::pg {

/// More than enable_seqscan = off adds to a plan, and less than would overflow in a join of many
/// rows. Not infinity, whose differences are no numbers.
inline constexpr Cost kCostedOut = 1e30;

/// The part of the table's rows that the index has.
double selectivity_of_predicate(PlannerInfo* root, const IndexOptInfo* index);

/// Rows that the index has to return before the query has enough, or a negative number if that is
/// not known. rows: that it has; usual: to suppose for LIMIT $1. part: of the scan's rows that the
/// planner will suppose.
double wanted_rows(const PlannerInfo* root, const RelOptInfo* rel, double rows, double usual,
                   double* part);

}  // namespace nearest::pg
