/// The queries of a measurement: drawn from the rows of the index itself, or from a table of
/// queries.
#pragma once

#include "pg/postgres.hpp"

#include "core/arena.hpp"
#include "core/random.hpp"
#include "pg/memory.hpp"
#include "pg/quality/indexed_rows.hpp"

namespace nearest::pg::quality {

/// Raises if so many queries, of so many bytes in all, are more than maintenance_work_mem.
void check_queries_fit(std::size_t n, std::size_t bytes);

struct Query {
  const Value<float>* vector;
  ItemPointerData own_row;  ///< which is no answer; invalid if the query is no row
};

/// Keeps each of the vectors that come with the same probability (algorithm R, Vitter 1985): the
/// same ones for the same seed, if they come in the same order.
class QuerySet {
 public:
  /// most: how many are kept. Memory of the context; raises if with `bytes_each` of the caller's it
  /// is more than maintenance_work_mem.
  void begin(const IndexedRows* rows, std::size_t most, std::int64_t seed, std::size_t bytes_each,
             MemoryContext context);

  /// own_row: null for a query that is no row. What cannot be a query is passed over.
  void offer(Datum value, const ItemPointerData* own_row);

  std::size_t size() const { return queries_.size(); }
  const Query& operator[](std::size_t i) const { return queries_[i]; }

 private:
  const IndexedRows* rows_;
  ContextArena arena_;
  core::ArenaArray<Query> queries_;
  core::Random random_{0};
  std::size_t most_, seen_, bytes_each_;
};

/// Draws rows of the index's table.
void draw_rows(IndexedRows* rows, QuerySet* queries);

/// Draws queries from a column of a table or view, as the current user may read it. column: null
/// for the only one of type vector.
void draw_queries(Oid relation, const char* column, const IndexedRows& rows, QuerySet* queries);

/// The column of queries; column: its name, or null for the only one of type vector. Raises if
/// there is none.
AttrNumber find_query_column(Relation relation, const char* column, Oid vector_type);
/// The type of vectors that an index is over.
Oid vector_type_of(Relation index);
/// A relation's name, quoted and with its schema.
char* quoted_name(Oid relation);

}  // namespace nearest::pg::quality
