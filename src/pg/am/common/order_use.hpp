/// Whether a query relies on the order of an index scan's rows.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/skey.h"
#include "nodes/pathnodes.h"
}

namespace nearest::pg {

/// Whether a plan of the query, or of one around it, may take the order of the path's rows for
/// more than an ORDER BY [LIMIT]: for groups, DISTINCT, windows, a merge join, a set operation, the
/// least or greatest value. A row that comes late is then not only in the wrong place, but makes
/// the answer wrong.
bool relies_on_order(PlannerInfo* root, const IndexPath* path);

/// Notes in a path that its plan may rely on the order, for the scan to see: the settings may have
/// changed between the two, as under a cursor that was declared before.
void mark_relied_on(IndexPath* path);

/// Whether the plan of a scan with this ORDER BY was marked.
bool is_relied_on(const ScanKeyData& order_by);

}  // namespace nearest::pg
