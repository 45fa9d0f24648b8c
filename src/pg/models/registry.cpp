#include "pg/models/registry.hpp"

extern "C" {
#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
}

namespace nearest::pg::models {
namespace {

constexpr const char* kName = "nearest_model_registry";

/// A table of that name may be anybody's if the extension's script is older than this library.
bool is_as_expected(Relation table) {
  constexpr Oid kTypes[kFields] = {InvalidOid, INT8OID, BOOLOID, BOOLOID, TIMESTAMPTZOID,
                                   NAMEOID,    TEXTOID, TEXTOID, JSONBOID};
  const TupleDesc descriptor = RelationGetDescr(table);
  if (table->rd_rel->relkind != RELKIND_RELATION || descriptor->natts != kFields) return false;
  for (int i = 0; i < kFields; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
    const bool is_of_type =
        i == 0 ? attribute->attlen == sizeof(std::int64_t) : attribute->atttypid == kTypes[i];
    const bool must_be_there = i + 1 < kVersionField;
    if (!is_of_type || (must_be_there && !attribute->attnotnull)) return false;
  }
  return true;
}

Datum read(Relation registry, HeapTuple row, Field field, bool* is_null) {
  return heap_getattr(row, field, RelationGetDescr(registry), is_null);
}

}  // namespace

Relation open_registry(Oid schema, LOCKMODE lock) {
  const Oid oid = get_relname_relid(kName, schema);
  if (!OidIsValid(oid)) return nullptr;
  Relation registry = try_relation_open(oid, lock);
  if (registry != nullptr && !is_as_expected(registry)) {
    relation_close(registry, lock);
    return nullptr;
  }
  return registry;
}

Declaration read_declaration(Relation registry, HeapTuple row) {
  bool is_null = false;
  const auto field = [&](Field which) { return read(registry, row, which, &is_null); };
  return {to_column(DatumGetInt64(field(kColumnField))),
          static_cast<std::uint64_t>(DatumGetInt64(field(kStampField))),
          DatumGetBool(field(kIsCurrentField)), DatumGetBool(field(kIsFirstField)),
          DatumGetTimestampTz(field(kDeclaredAtField))};
}

const char* read_text(Relation registry, HeapTuple row, Field field) {
  bool is_null = false;
  const Datum value = read(registry, row, field, &is_null);
  return is_null ? nullptr : TextDatumGetCString(value);
}

}  // namespace nearest::pg::models
