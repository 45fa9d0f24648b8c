/// Whether a query relies on the order of an index scan's rows.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace nearest::pg::graph {

/// Whether a plan of the query, or of one around it, may take the order of the path's rows for
/// more than an ORDER BY [LIMIT]: for groups, DISTINCT, windows, a merge join, a set operation, the
/// least or greatest value. A row that comes late is then not only in the wrong place, but makes
/// the answer wrong.
bool relies_on_order(PlannerInfo* root, const IndexPath* path);

}  // namespace nearest::pg::graph
