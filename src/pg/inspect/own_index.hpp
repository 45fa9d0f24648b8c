/// Indexes of ours, as SQL functions are given them.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "storage/lockdefs.h"
#include "utils/rel.h"
}

namespace nearest::pg {

/// An index and its table, open and locked.
struct OwnIndex {
  Relation heap, index;
  LOCKMODE heap_lock, index_lock;
};

/// Raises unless it is a valid index of hnsw, ivfflat or ivfpq that this session can read;
/// what: "check", say, for the message; lock: of the table, AccessShareLock to read,
/// ShareUpdateExclusiveLock to maintain.
OwnIndex open_own_index(Oid oid, const char* what, LOCKMODE lock = AccessShareLock);
void close_own_index(const OwnIndex& own);

/// Opens a relation unless it is gone, or another session holds it for itself, as REINDEX does:
/// lists do not wait. Null then. Close with AccessShareLock.
Relation open_at_once(Oid relation);

}  // namespace nearest::pg
