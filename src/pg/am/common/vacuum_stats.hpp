/// What VACUUM is told of an index.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
}

namespace nearest::pg {

/// Where nothing was deleted: what the heap says will do.
inline IndexBulkDeleteResult* stats_without_deletes(const IndexVacuumInfo* info) {
  auto* const stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
  stats->num_index_tuples = info->num_heap_tuples;
  stats->estimated_count = true;
  return stats;
}

}  // namespace nearest::pg
