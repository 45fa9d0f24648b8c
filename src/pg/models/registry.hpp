/// The register of models: table nearest_model_registry, read and written without SQL, so that
/// neither a search path nor the caller's privileges matter.
///
/// A column has a row for each model that was ever declared of it: one is the current one, and one
/// was the first.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
#include "access/htup.h"
#include "access/stratnum.h"
#include "storage/lockdefs.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
}

#include "pg/models/table_column.hpp"

namespace nearest::pg::models {

/// Columns of the table, in their order (control/models.sql).
enum Field : AttrNumber {
  kColumnField = 1,
  kStampField,
  kIsCurrentField,
  kIsFirstField,
  kDeclaredAtField,
  kDeclaredByField,
  kModelField,
  kVersionField,
  kOptionsField,
  kFields = kOptionsField,
};

/// Opens the register of the extension whose objects are in this schema. Null if there is none,
/// because the extension's objects are of an older version, or not one as it should be.
Relation open_registry(Oid schema, LOCKMODE lock);

/// What is always there of a row.
struct Declaration {
  TableColumn column;
  std::uint64_t stamp;
  bool is_current;
  bool is_first;
  TimestampTz declared_at;
};
Declaration read_declaration(Relation registry, HeapTuple row);

/// A text of a row; null if it is NULL.
const char* read_text(Relation registry, HeapTuple row, Field field);

/// Calls visit(HeapTuple, Declaration) for each row, or those of one column, as they are by now:
/// not by the transaction's snapshot, as the server reads catalogs.
template <class Visit>
void for_each_declaration(Relation registry, const TableColumn* column, Visit&& visit) {
  ScanKeyData key;
  if (column != nullptr) {
    ScanKeyInit(&key, kColumnField, BTEqualStrategyNumber, F_INT8EQ,
                Int64GetDatum(to_number(*column)));
  }
  // The table has a row or two for each column with vectors: no index is needed.
  const SysScanDesc scan =
      systable_beginscan(registry, InvalidOid, false, nullptr, column != nullptr ? 1 : 0, &key);
  HeapTuple row;
  while (HeapTupleIsValid(row = systable_getnext(scan))) {
    visit(row, read_declaration(registry, row));
  }
  systable_endscan(scan);
}

}  // namespace nearest::pg::models
