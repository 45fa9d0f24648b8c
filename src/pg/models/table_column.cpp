#include "pg/models/table_column.hpp"

extern "C" {
#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

#include <cstring>

#include "pg/compat.hpp"

namespace nearest::pg::models {
namespace {

constexpr const char* kNone = "-";

/// What a name stands for; of no table if there is none.
TableColumn find_column(const char* text) {
  List* const names = split_qualified_name(text);
  if (list_length(names) < 2) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                    errmsg("invalid input syntax for type %s: \"%s\"", "nearest_column", text),
                    errdetail("It is the name of a table, a period, and the name of a column.")));
  }
  const char* const name = strVal(llast(names));
  List* const table_names = list_truncate(names, list_length(names) - 1);
  const Oid table = RangeVarGetRelid(makeRangeVarFromNameList(table_names), NoLock, true);
  if (!OidIsValid(table)) return {InvalidOid, InvalidAttrNumber};
  const AttrNumber number = get_attnum(table, name);
  if (number <= InvalidAttrNumber) return {InvalidOid, InvalidAttrNumber};
  return {table, number};
}

}  // namespace

const char* name_of(const TableColumn& column) {
  // Unlike get_attname, which knows the names of dropped columns too.
  const HeapTuple attribute = SearchSysCacheAttNum(column.table, column.number);
  if (!HeapTupleIsValid(attribute)) return nullptr;
  const char* const name =
      pstrdup(NameStr(reinterpret_cast<Form_pg_attribute>(GETSTRUCT(attribute))->attname));
  ReleaseSysCache(attribute);
  return name;
}

}  // namespace nearest::pg::models

/// nearest_column_in(cstring) -> nearest_column. What is not there is a warning, not an error: a
/// dump may leave out tables, and is to restore the declarations about the others.
NEAREST_FUNCTION(nearest_column_in) {
  using namespace nearest::pg::models;
  const char* const name = PG_GETARG_CSTRING(0);
  if (std::strcmp(name, kNone) == 0) PG_RETURN_INT64(0);
  const TableColumn column = find_column(name);
  if (!OidIsValid(column.table)) {
    ereport(WARNING, (errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("column %s does not exist", name)));
  }
  PG_RETURN_INT64(to_number(column));
}

/// nearest_column_out(nearest_column) -> cstring: with the table's schema unless it is found
/// without.
NEAREST_FUNCTION(nearest_column_out) {
  using namespace nearest::pg::models;
  const TableColumn column = to_column(PG_GETARG_INT64(0));
  const char* const name = name_of(column);
  const char* const table = name == nullptr ? nullptr : get_rel_name(column.table);
  if (table == nullptr) PG_RETURN_CSTRING(pstrdup(kNone));
  const char* const schema = RelationIsVisible(column.table)
                                 ? nullptr
                                 : get_namespace_name(get_rel_namespace(column.table));
  PG_RETURN_CSTRING(
      psprintf("%s.%s", quote_qualified_identifier(schema, table), quote_identifier(name)));
}
