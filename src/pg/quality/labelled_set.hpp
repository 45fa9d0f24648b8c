/// Queries whose right answers somebody has written down.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/array.h"
#include "utils/typcache.h"
}

#include "pg/quality/index_search.hpp"

namespace nearest::pg::quality {

/// The key of the table's rows, by which answers are known.
struct LabelKey {
  KeyColumn column;
  Oid type, collation;
  char alignment;
  TypeCacheEntry* equality;
};

/// column: its name, or null for the primary key. Raises if there is none that identifies rows.
LabelKey find_key(Relation heap, const char* column);

struct LabelledQuery {
  Query query;
  Datum* expected;  ///< different keys, none NULL
  std::size_t n_expected;
};

struct LabelledSet {
  core::ArenaArray<LabelledQuery> queries;
};

/// Reads a table of queries with the keys that are expected for each, as the current user may.
/// query_column: null for the only one of type vector. Raises if there are none, or one has no
/// vector or nothing that is expected: whoever asks for a verdict wants all of them asked.
/// Memory of the current context.
LabelledSet read_labelled(Oid relation, const char* query_column, const char* expected_column,
                          const IndexedRows& rows, const LabelKey& key);

/// The share of what is expected that is among these keys, of as much as k rows can have.
double share_found(const LabelKey& key, const LabelledQuery& query, const FoundRow* found,
                   std::size_t n_found, std::size_t k);

}  // namespace nearest::pg::quality
