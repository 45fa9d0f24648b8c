/// Which of our access methods an index is of, and whether it is of all rows.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/amapi.h"
#include "access/htup_details.h"
#include "catalog/pg_index.h"
#include "utils/rel.h"
}

#include "pg/am/graph/scan.hpp"
#include "pg/am/inverted/scan.hpp"

namespace nearest::pg {

inline bool is_graph(Relation index) { return index->rd_indam->amgettuple == graph::next_row; }
inline bool is_inverted(Relation index) {
  return index->rd_indam->amgettuple == inverted::next_row;
}

/// Whether it has a predicate. Does not read it: that would evaluate what is constant of it, which
/// is code of the table's owner.
inline bool is_partial(Relation index) {
  return !heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, nullptr);
}

}  // namespace nearest::pg
