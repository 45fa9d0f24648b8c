#include "pg/quality/query_set.hpp"

extern "C" {
#include "access/relation.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
}

#include <cstring>

#include "pg/quality/statement.hpp"

namespace nearest::pg::quality {

void check_queries_fit(std::size_t n, std::size_t bytes) {
  if (bytes <= static_cast<std::size_t>(maintenance_work_mem) * 1024) return;
  ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                  errmsg("%zu queries do not fit into maintenance_work_mem", n),
                  errhint("Take fewer queries, or raise maintenance_work_mem.")));
}

void QuerySet::begin(const IndexedRows* rows, std::size_t most, std::int64_t seed,
                     std::size_t bytes_each, MemoryContext context) {
  rows_ = rows;
  arena_ = {context};
  queries_ = {};
  random_ = core::Random(static_cast<std::uint64_t>(seed));
  most_ = most;
  seen_ = 0;
  bytes_each_ = bytes_each + sizeof(Query) + Value<float>::bytes(rows->dim());
}

void QuerySet::offer(Datum value, const ItemPointerData* own_row) {
  const std::size_t n = queries_.size();
  const std::size_t place = n < most_ ? n : random_.below(++seen_);
  if (place >= most_) return;
  const Value<float>* const vector = get_vector<float>(value);
  if (!rows_->is_query(vector->view())) return;
  const std::size_t bytes = Value<float>::bytes(vector->dim);
  if (place == n) {
    seen_ = n + 1;
    check_queries_fit(n + 1, mul_size(n + 1, bytes_each_));
    queries_.push_back(arena_, {static_cast<Value<float>*>(arena_.allocate(bytes)), {}});
  }
  Query* const query = &queries_[place];
  std::memcpy(const_cast<Value<float>*>(query->vector), vector, bytes);
  if (own_row != nullptr) {
    query->own_row = *own_row;
  } else {
    ItemPointerSetInvalid(&query->own_row);
  }
}

void draw_rows(IndexedRows* rows, QuerySet* queries) {
  rows->each([queries](Datum value, const ItemPointerData& tid) { queries->offer(value, &tid); });
}

AttrNumber find_query_column(Relation relation, const char* column, Oid vector_type) {
  const TupleDesc columns = RelationGetDescr(relation);
  const char* const name = RelationGetRelationName(relation);
  AttrNumber found = InvalidAttrNumber;
  for (int i = 0; i < columns->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(columns, i);
    if (attribute->attisdropped) continue;
    if (column == nullptr) {
      if (attribute->atttypid != vector_type) continue;
      if (found != InvalidAttrNumber) {
        ereport(ERROR,
                (errcode(ERRCODE_AMBIGUOUS_COLUMN),
                 errmsg("\"%s\" has several columns of type %s", name, format_type_be(vector_type)),
                 errhint("Name the one of the queries as query_column.")));
      }
      found = attribute->attnum;
    } else if (std::strcmp(NameStr(attribute->attname), column) == 0) {
      if (attribute->atttypid != vector_type) {
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("column \"%s\" of \"%s\" is of type %s, not %s", column, name,
                               format_type_be(attribute->atttypid), format_type_be(vector_type))));
      }
      return attribute->attnum;
    }
  }
  if (found == InvalidAttrNumber) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                    column != nullptr ? errmsg("\"%s\" has no column \"%s\"", name, column)
                                      : errmsg("\"%s\" has no column of type %s", name,
                                               format_type_be(vector_type))));
  }
  return found;
}

Oid vector_type_of(Relation index) { return index->rd_opcintype[0]; }

char* quoted_name(Oid relation) {
  return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
                                    get_rel_name(relation));
}

void draw_queries(Oid oid, const char* column, const IndexedRows& rows, QuerySet* queries) {
  const Relation relation = relation_open(oid, AccessShareLock);
  const AttrNumber number = find_query_column(relation, column, vector_type_of(rows.own().index));
  const char* const statement = psprintf(
      "SELECT %s FROM %s",
      quote_identifier(NameStr(TupleDescAttr(RelationGetDescr(relation), number - 1)->attname)),
      quoted_name(oid));
  relation_close(relation, NoLock);
  each_row_of(statement, [queries](HeapTuple tuple, TupleDesc columns) {
    bool is_null = false;
    const Datum value = SPI_getbinval(tuple, columns, 1, &is_null);
    if (!is_null) queries->offer(value, nullptr);
  });
}

}  // namespace nearest::pg::quality
