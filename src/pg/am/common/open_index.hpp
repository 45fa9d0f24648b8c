/// Indexes that SQL functions are given by their OID.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "storage/lockdefs.h"
#include "utils/rel.h"
}

namespace nearest::pg {

bool is_graph(Relation index);
bool is_inverted(Relation index);

/// What an index is opened for.
struct IndexUse {
  LOCKMODE lock;  ///< of the table: AccessShareLock to read, ShareUpdateExclusiveLock to maintain
  const char* verb;  ///< of "cannot ... index"

  LOCKMODE index_lock() const { return lock == AccessShareLock ? lock : RowExclusiveLock; }
};

struct OpenIndex {
  Relation heap, index;
  LOCKMODE heap_lock, index_lock;
};

/// Opens an index of ours and its table. Raises for all others, and for those that are not valid.
OpenIndex open_index(Oid oid, const IndexUse& use);
void close_index(const OpenIndex& opened);

}  // namespace nearest::pg
