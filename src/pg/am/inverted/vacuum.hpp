/// VACUUM of inverted files: the access method's callbacks.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
}

namespace nearest::pg::inverted {

IndexBulkDeleteResult* bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                   IndexBulkDeleteCallback is_dead, void* callback_state);
IndexBulkDeleteResult* vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats);

}  // namespace nearest::pg::inverted
