/// What the access methods of all our indexes tell the server alike.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/amapi.h"
}

namespace nearest::pg {

/// A routine of an access method that scans in the order of a distance and can nothing else, where
/// callbacks are missing. What is not set here is zero.
inline IndexAmRoutine* make_order_handler() {
  IndexAmRoutine* const am = makeNode(IndexAmRoutine);
  am->amcanorderbyop = true;
  am->amoptionalkey = true;
  am->amkeytype = InvalidOid;
  // Operator classes come with the extension; what they must be is checked where they are used
  // (metric_of).
  am->amvalidate = [](Oid /*opclass*/) { return true; };
  return am;
}

}  // namespace nearest::pg
