/// Whether rows that the executor puts in order still know where they are.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace nearest::pg {

/// Whether the query needs the place (ctid) of this relation's rows, as FOR UPDATE does, and this
/// server loses it: minor versions of 15 up to 15.18 at least do not keep the ctid of a row that
/// waited in the queue of an index scan with recheck.
bool needs_lost_ctid(const RelOptInfo* rel);

}  // namespace nearest::pg
