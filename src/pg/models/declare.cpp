/// nearest_set_model() and nearest_unset_model(): writing the register of models, in the name of a
/// table's owner.
#include "pg/postgres.hpp"

extern "C" {
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
}

#include <algorithm>

#include "pg/am/index_kind.hpp"
#include "pg/compat.hpp"
#include "pg/models/built_index.hpp"
#include "pg/models/index_model.hpp"
#include "pg/models/registry.hpp"

namespace nearest::pg::models {
namespace {

constexpr std::size_t kMostNameBytes = 255;

// The table and its indexes -----------------------------------------------------------------------

/// Raises unless the caller may speak for the table.
void check_owner(Oid table) {
  const char* const name = get_rel_name(table);
  if (name == nullptr) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                    errmsg("relation with OID %u does not exist", table)));
  }
  const char kind = get_rel_relkind(table);
  if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_MATVIEW) {
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                    errmsg("\"%s\" is not a table or materialized view", name)));
  }
  if (!is_owner(table, GetUserId())) {
    aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(kind), name);
  }
}

/// The table, and the parts of a partitioned one, which a declaration holds for too.
List* tables_of(Oid table) {
  return get_rel_relkind(table) == RELKIND_PARTITIONED_TABLE
             ? find_all_inheritors(table, AccessShareLock, nullptr)
             : list_make1_oid(table);
}

/// The column that a declaration is about. Its table, with its parts, stays locked, against changes
/// of its columns, until the transaction ends.
TableColumn take_column(Oid table, const char* name) {
  check_owner(table);
  LockRelationOid(table, AccessShareLock);
  check_owner(table);           // nobody else's by now
  list_free(tables_of(table));  // tables are locked before the register
  const AttrNumber number = get_attnum(table, name);
  if (number <= 0) {
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_COLUMN),
             errmsg("column \"%s\" of relation \"%s\" does not exist", name, get_rel_name(table))));
  }
  return {table, number};
}

/// Makes all sessions plan anew, and look again at what is declared.
void announce(Oid table) {
  ListCell* cell;
  foreach (cell, tables_of(table)) CacheInvalidateRelcacheByRelid(lfirst_oid(cell));
}

/// Indexes that are stale by what is declared of a column.
struct StaleCount {
  TableColumn column;
  int n;
  const char* one;  ///< the name of one of them
};

/// Adds the indexes of a table, if they can be looked at.
void count_stale(Oid table, StaleCount* count) {
  Relation heap = relation_open(table, AccessShareLock);
  ListCell* cell;
  foreach (cell, RelationGetIndexList(heap)) {
    Relation index = open_at_once(lfirst_oid(cell));
    if (index == nullptr) continue;
    const bool is_ours =
        index->rd_rel->relkind == RELKIND_INDEX && (is_graph(index) || is_inverted(index));
    if (is_ours) {
      const BuiltIndex built = read_built_index(index);
      const IndexModel model = find_index_model(index);
      if (built.is_readable && model.column == count->column &&
          model.makes_stale(built.model_stamp)) {
        ++count->n;
        const char* const schema = RelationIsVisible(RelationGetRelid(index))
                                       ? nullptr
                                       : get_namespace_name(RelationGetNamespace(index));
        count->one = quote_qualified_identifier(schema, RelationGetRelationName(index));
      }
    }
    relation_close(index, AccessShareLock);
  }
  relation_close(heap, AccessShareLock);
}

/// How many indexes are stale, and a notice that says so.
int report_stale(const TableColumn& column) {
  StaleCount count{column, 0, nullptr};
  ListCell* cell;
  foreach (cell, tables_of(column.table)) count_stale(lfirst_oid(cell), &count);
  if (count.n > 0) {
    ereport(NOTICE,
            (errmsg_plural("%d index is stale", "%d indexes are stale", count.n, count.n),
             errdetail_plural("It was built for another model than the declared one.",
                              "They were built for another model than the declared one.", count.n),
             errhint("When the column has vectors of the model, build anew, as by REINDEX INDEX "
                     "CONCURRENTLY %s. nearest_stale_indexes lists what is stale.",
                     count.one)));
  }
  return count.n;
}

// The register ------------------------------------------------------------------------------------

/// Locks out other declarations until the transaction ends, so that what is read here is the last.
Relation open_for_change(FunctionCallInfo call) {
  const char* const command = psprintf("%s()", get_func_name(call->flinfo->fn_oid));
  PreventCommandIfReadOnly(command);
  PreventCommandDuringRecovery(command);
  Relation registry =
      open_registry(get_func_namespace(call->flinfo->fn_oid), ShareRowExclusiveLock);
  if (registry == nullptr) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                    errmsg("there is no table nearest_model_registry in the extension's schema"),
                    errhint("ALTER EXTENSION UPDATE brings the extension's objects up to date.")));
  }
  return registry;
}

/// Removes the rows of a column, or of all columns that are gone if null. Returns whether there
/// were any.
bool remove_rows(Relation registry, const TableColumn* column) {
  bool any = false;
  for_each_declaration(registry, column, [&](HeapTuple row, const Declaration& one) {
    if (column == nullptr && is_there(one.column)) return;
    CatalogTupleDelete(registry, &row->t_self);
    any = true;
  });
  return any;
}

/// Fields of a row that is written: all, or those that are set.
struct RowChange {
  Datum values[kFields] = {};
  bool nulls[kFields] = {};
  bool is_set[kFields] = {};

  void set(Field field, Datum value, bool is_null = false) {
    values[field - 1] = value;
    nulls[field - 1] = is_null;
    is_set[field - 1] = true;
  }
  void update(Relation registry, HeapTuple row) {
    HeapTuple changed = heap_modify_tuple(row, RelationGetDescr(registry), values, nulls, is_set);
    CatalogTupleUpdate(registry, &row->t_self, changed);
    heap_freetuple(changed);
  }
  void insert(Relation registry) {
    HeapTuple row = heap_form_tuple(RelationGetDescr(registry), values, nulls);
    CatalogTupleInsert(registry, row);
    heap_freetuple(row);
  }
};

struct Text {
  bool is_null;
  Datum datum;
  std::string_view view;
};

/// An argument that names something.
Text name_argument(FunctionCallInfo call, int number, const char* what) {
  if (call->args[number].isnull) return {true, 0, {}};
  text* const value = DatumGetTextPP(call->args[number].value);
  const Text name{false, PointerGetDatum(value), {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)}};
  if (name.view.empty() || name.view.size() > kMostNameBytes) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("%s must have 1 to %zu bytes, not %zu", what, kMostNameBytes,
                           name.view.size())));
  }
  return name;
}

/// Makes a model the current one of a column.
void write_model(Relation registry, const TableColumn& column, const Text& model,
                 const Text& version, const NullableDatum& options) {
  const std::uint64_t stamp =
      format::model_stamp(model.view, version.is_null ? nullptr : &version.view);
  const Datum role =
      DirectFunctionCall1(namein, CStringGetDatum(GetUserNameFromId(GetUserId(), false)));
  RowChange now;
  now.set(kIsCurrentField, BoolGetDatum(true));
  now.set(kDeclaredAtField, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
  now.set(kDeclaredByField, role);
  now.set(kOptionsField, options.value, options.isnull);
  RowChange past, other_options;
  past.set(kIsCurrentField, BoolGetDatum(false));
  other_options.set(kOptionsField, options.value, options.isnull);
  bool is_first = true, is_known = false;
  for_each_declaration(registry, &column, [&](HeapTuple row, const Declaration& one) {
    is_first = false;
    if (one.stamp == stamp) {
      is_known = true;
      // The same once more: since when it holds does not change.
      (one.is_current ? other_options : now).update(registry, row);
    } else if (one.is_current) {
      past.update(registry, row);
    }
  });
  if (is_known) return;
  now.set(kColumnField, Int64GetDatum(to_number(column)));
  now.set(kStampField, Int64GetDatum(static_cast<std::int64_t>(stamp)));
  now.set(kIsFirstField, BoolGetDatum(is_first));
  now.set(kModelField, model.datum);
  now.set(kVersionField, version.datum, version.is_null);
  now.insert(registry);
}

/// A row that a dump brings, as it is to be stored. What was built before it came, as parallel
/// restores do, is of the rows of the same dump: it counts as built for the current model, which
/// becomes the first. A subscriber's indexes are its own, and count as its publisher's.
HeapTuple restored(Relation registry, const TableColumn& column, HeapTuple row) {
  if (IsLogicalWorker()) return row;
  bool is_null = false;
  bool is_first =
      DatumGetBool(heap_getattr(row, kIsCurrentField, RelationGetDescr(registry), &is_null));
  for_each_declaration(registry, &column,
                       [&](HeapTuple, const Declaration& one) { is_first &= !one.is_first; });
  Datum value = BoolGetDatum(is_first);
  int field = kIsFirstField;
  is_null = false;
  return heap_modify_tuple_by_cols(row, RelationGetDescr(registry), 1, &field, &value, &is_null);
}

void require(FunctionCallInfo call, int number, const char* what) {
  if (!call->args[number].isnull) return;
  ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", what)));
}

}  // namespace
}  // namespace nearest::pg::models

/// nearest_set_model(relation regclass, column_name name, model text, version text, options jsonb)
/// -> integer: how many indexes are stale now.
NEAREST_FUNCTION(nearest_set_model) {
  using namespace nearest::pg::models;
  require(fcinfo, 0, "table");
  require(fcinfo, 1, "column");
  require(fcinfo, 2, "model");
  const TableColumn column = take_column(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)));
  const Text model = name_argument(fcinfo, 2, "model"),
             version = name_argument(fcinfo, 3, "version");
  if (!PG_ARGISNULL(4) && !JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(4))) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("options must be a JSON object")));
  }
  Relation registry = open_for_change(fcinfo);
  remove_rows(registry, nullptr);
  write_model(registry, column, model, version, fcinfo->args[4]);
  relation_close(registry, NoLock);
  announce(column.table);
  CommandCounterIncrement();
  PG_RETURN_INT32(report_stale(column));
}

/// nearest_unset_model(relation regclass, column_name name) -> whether there was a declaration.
NEAREST_FUNCTION(nearest_unset_model) {
  using namespace nearest::pg::models;
  const TableColumn column = take_column(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)));
  Relation registry = open_for_change(fcinfo);
  const bool was_there = remove_rows(registry, &column);
  relation_close(registry, NoLock);
  announce(column.table);
  CommandCounterIncrement();
  PG_RETURN_BOOL(was_there);
}

/// Trigger before changes of the register that come by SQL: a restored dump, replication, a
/// superuser. Leaves out rows of columns that are not there, and announces the others.
NEAREST_FUNCTION(nearest_registry_change) {
  using namespace nearest::pg::models;
  if (!CALLED_AS_TRIGGER(fcinfo)) {
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("function \"%s\" was not called by trigger manager",
                           "nearest_registry_change")));
  }
  const auto* const data = reinterpret_cast<const TriggerData*>(fcinfo->context);
  const bool is_update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
  HeapTuple const result = is_update ? data->tg_newtuple : data->tg_trigtuple;
  TableColumn column{};
  for (HeapTuple row : {data->tg_trigtuple, result}) {
    bool is_null = false;
    const Datum value =
        heap_getattr(row, kColumnField, RelationGetDescr(data->tg_relation), &is_null);
    column = is_null ? TableColumn{} : to_column(DatumGetInt64(value));
    if (is_there(column)) {
      announce(column.table);
    } else if (!TRIGGER_FIRED_BY_DELETE(data->tg_event) && row == result && !is_null) {
      return PointerGetDatum(nullptr);
    }
  }
  return PointerGetDatum(TRIGGER_FIRED_BY_INSERT(data->tg_event)
                             ? restored(data->tg_relation, column, result)
                             : result);
}
