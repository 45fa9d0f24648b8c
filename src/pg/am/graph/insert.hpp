/// Inserting rows into graph indexes.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
#include "nodes/execnodes.h"
}

#include "core/drift/figures.hpp"
#include "pg/am/graph/row_vector.hpp"
#include "pg/am/graph/state.hpp"

namespace nearest::pg::graph {

/// The access method's callback.
bool insert(Relation index, Datum* values, bool* is_null, ItemPointer heap_tid, Relation heap,
            IndexUniqueCheck check_unique, bool index_unchanged, IndexInfo* info);

/// Inserts one row. Memory comes from the current context, which the caller resets. `state` is
/// loaded anew if the index had no sizes yet. Returns whether the row has figures, which are told
/// if asked.
bool insert_row(Relation index, GraphState** state, const RowVector& row, ItemPointer heap_tid,
                core::RowFigures* figures);

}  // namespace nearest::pg::graph
