/// Inserting rows into inverted files.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
#include "nodes/execnodes.h"
}

namespace nearest::pg::inverted {

/// The access method's callback.
bool insert(Relation index, Datum* values, bool* is_null, ItemPointer heap_tid, Relation heap,
            IndexUniqueCheck check_unique, bool index_unchanged, IndexInfo* info);

}  // namespace nearest::pg::inverted
