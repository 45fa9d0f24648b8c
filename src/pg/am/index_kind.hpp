/// Which of our access methods an index is of.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/amapi.h"
#include "utils/rel.h"
}

#include "pg/am/graph/scan.hpp"
#include "pg/am/inverted/scan.hpp"

namespace nearest::pg {

inline bool is_graph(Relation index) { return index->rd_indam->amgettuple == graph::next_row; }
inline bool is_inverted(Relation index) {
  return index->rd_indam->amgettuple == inverted::next_row;
}

}  // namespace nearest::pg
