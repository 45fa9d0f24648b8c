/// Indexes of ours, as SQL functions are given them.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

namespace nearest::pg {

/// An index and its table, open and locked as for a SELECT.
struct OwnIndex {
  Relation heap, index;
};

/// Raises unless it is a valid index of hnsw, ivfflat or ivfpq that this session can read;
/// what: "check", say, for the message.
OwnIndex open_own_index(Oid oid, const char* what);
void close_own_index(const OwnIndex& own);

bool is_graph(Relation index);
bool is_inverted(Relation index);

}  // namespace nearest::pg
