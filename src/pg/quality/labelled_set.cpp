#include "pg/quality/labelled_set.hpp"

extern "C" {
#include "access/relation.h"
#include "catalog/pg_constraint.h"
#include "nodes/bitmapset.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
}

#include <algorithm>
#include <cstring>

#include "pg/quality/statement.hpp"

namespace nearest::pg::quality {
namespace {

AttrNumber primary_key(Relation heap) {
  Oid constraint = InvalidOid;
  const Bitmapset* const columns =
      get_primary_key_attnos(RelationGetRelid(heap), false, &constraint);
  int member = 0;
  if (!bms_get_singleton_member(columns, &member)) {
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_COLUMN),
             errmsg("table \"%s\" has no primary key of one column", RelationGetRelationName(heap)),
             errhint("Name the column that identifies its rows as key_column.")));
  }
  return static_cast<AttrNumber>(member + FirstLowInvalidHeapAttributeNumber);
}

bool are_equal(const LabelKey& key, Datum a, Datum b) {
  return DatumGetBool(FunctionCall2Coll(&key.equality->eq_opr_finfo, key.collation, a, b));
}

/// Takes the keys of an array, each once, copied into the current context.
void take_expected(const LabelKey& key, Datum array, MemoryContext context, LabelledQuery* query) {
  Datum* elements = nullptr;
  bool* nulls = nullptr;
  int n = 0;
  deconstruct_array(DatumGetArrayTypeP(array), key.type, key.column.length, key.column.is_by_value,
                    key.alignment, &elements, &nulls, &n);
  const MemoryContext before = MemoryContextSwitchTo(context);
  query->expected = allocate_in<Datum>(context, static_cast<std::size_t>(std::max(n, 1)));
  for (int i = 0; i < n; ++i) {
    if (nulls[i]) continue;
    const bool is_known =
        std::any_of(query->expected, query->expected + query->n_expected,
                    [&](Datum other) { return are_equal(key, elements[i], other); });
    if (is_known) continue;
    query->expected[query->n_expected++] =
        datumCopy(elements[i], key.column.is_by_value, key.column.length);
  }
  MemoryContextSwitchTo(before);
}

}  // namespace

LabelKey find_key(Relation heap, const char* column) {
  const AttrNumber number =
      column != nullptr ? get_attnum(RelationGetRelid(heap), column) : primary_key(heap);
  if (number <= 0) {
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_COLUMN),
             errmsg("table \"%s\" has no column \"%s\"", RelationGetRelationName(heap), column)));
  }
  const Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(heap), number - 1);
  LabelKey key{};
  key.column = {number, attribute->attbyval, attribute->attlen};
  key.type = attribute->atttypid;
  key.collation = attribute->attcollation;
  key.alignment = attribute->attalign;
  key.equality = lookup_type_cache(key.type, TYPECACHE_EQ_OPR_FINFO);
  if (!OidIsValid(key.equality->eq_opr_finfo.fn_oid) || !OidIsValid(get_array_type(key.type))) {
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("column \"%s\" of type %s cannot identify rows",
                           NameStr(attribute->attname), format_type_be(key.type))));
  }
  return key;
}

LabelledSet read_labelled(Oid oid, const char* query_column, const char* expected_column,
                          const IndexedRows& rows, const LabelKey& key) {
  const Relation relation = relation_open(oid, AccessShareLock);
  const AttrNumber number =
      find_query_column(relation, query_column, vector_type_of(rows.own().index));
  if (get_attnum(oid, expected_column) <= 0) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                    errmsg("\"%s\" has no column \"%s\"", RelationGetRelationName(relation),
                           expected_column),
                    errhint("It has the keys that a query should find, as an array.")));
  }
  const char* const name = pstrdup(RelationGetRelationName(relation));
  const char* const statement = psprintf(
      "SELECT %s, %s::%s FROM %s",
      quote_identifier(NameStr(TupleDescAttr(RelationGetDescr(relation), number - 1)->attname)),
      quote_identifier(expected_column), format_type_be_qualified(get_array_type(key.type)),
      quoted_name(oid));
  relation_close(relation, NoLock);

  LabelledSet set{};
  const ContextArena arena{CurrentMemoryContext};
  each_row_of(statement, [&](HeapTuple tuple, TupleDesc columns) {
    bool is_null = false, has_no_labels = false;
    const Datum value = SPI_getbinval(tuple, columns, 1, &is_null);
    const Datum array = SPI_getbinval(tuple, columns, 2, &has_no_labels);
    const Value<float>* const vector = is_null ? nullptr : get_vector<float>(value);
    if (vector == nullptr || !rows.is_query(vector->view())) {
      ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                      errmsg("a query of \"%s\" has no vector to search for", name),
                      errdetail("It is NULL, or of length 0 under cosine distance.")));
    }
    LabelledQuery labelled{};
    if (!has_no_labels) take_expected(key, array, arena.context, &labelled);
    if (labelled.n_expected == 0) {
      ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                      errmsg("nothing is expected for a query of \"%s\"", name),
                      errdetail("Its \"%s\" is NULL or has no elements.", expected_column)));
    }
    const std::size_t bytes = Value<float>::bytes(vector->dim);
    check_queries_fit(set.queries.size() + 1, MemoryContextMemAllocated(arena.context, true));
    auto* const copy = static_cast<Value<float>*>(arena.allocate(bytes));
    std::memcpy(copy, vector, bytes);
    labelled.query.vector = copy;
    ItemPointerSetInvalid(&labelled.query.own_row);
    set.queries.push_back(arena, labelled);
  });
  if (set.queries.empty()) {
    ereport(ERROR,
            (errcode(ERRCODE_NO_DATA_FOUND), errmsg("there are no queries in \"%s\"", name)));
  }
  return set;
}

double share_found(const LabelKey& key, const LabelledQuery& query, const FoundRow* found,
                   std::size_t n_found, std::size_t k) {
  const auto is_found = [&](Datum expected) {
    return std::any_of(found, found + n_found, [&](const FoundRow& row) {
      return !row.key_is_null && are_equal(key, row.key, expected);
    });
  };
  const auto hits = static_cast<std::size_t>(
      std::count_if(query.expected, query.expected + query.n_expected, is_found));
  return static_cast<double>(hits) / static_cast<double>(std::min(query.n_expected, k));
}

}  // namespace nearest::pg::quality
