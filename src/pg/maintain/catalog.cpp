#include "pg/maintain/catalog.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
}

namespace nearest::pg::maintain {

namespace {

constexpr char kNull = 'n', kNotNull = ' ';

const char* text_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDone:
      return "done";
    case Outcome::kCanceled:
      return "canceled";
    case Outcome::kSkipped:
      return "skipped";
    case Outcome::kNone:
    case Outcome::kFailed:
      break;
  }
  return "failed";
}

char nullable(bool is_null) { return is_null ? kNull : kNotNull; }

/// Runs a query of one row at most; false if there is none.
bool run(const char* query, int n, Oid* types, Datum* values, const char* nulls) {
  const int status = SPI_execute_with_args(query, n, types, values, nulls, false, 1);
  if (status != SPI_OK_SELECT) elog(ERROR, "SPI returned %s", SPI_result_code_string(status));
  return SPI_processed > 0;
}

Datum column(int number, bool* is_null) {
  return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, is_null);
}

Oid oid_column(int number) {
  bool is_null = false;
  const Datum value = column(number, &is_null);
  return is_null ? InvalidOid : DatumGetObjectId(value);
}

char* text_column(int number, MemoryContext context) {
  const char* const text = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number);
  return text != nullptr ? MemoryContextStrdup(context, text) : nullptr;
}

/// index, table, index_name, action, reason, rows. False if there is no index.
bool read_step(MemoryContext context, Step* step) {
  bool is_null = false;
  step->index = oid_column(1);
  if (!OidIsValid(step->index)) return false;
  step->table = oid_column(2);
  step->index_name = text_column(3, context);
  step->action = text_column(4, context);
  step->reason = text_column(5, context);
  const Datum rows = column(6, &is_null);
  step->rows = is_null ? -1 : DatumGetFloat8(rows);
  return true;
}

}  // namespace

Catalog::Catalog(Oid schema) {
  const char* const name = get_namespace_name(schema);
  if (name == nullptr) elog(ERROR, "the extension's schema is gone");
  schema_ = quote_identifier(name);
}

void Catalog::mark_interrupted() const {
  run(psprintf("SELECT %s.nearest_maintenance_mark_interrupted()", schema_), 0, nullptr, nullptr,
      nullptr);
}

bool Catalog::find_next(const Limits& limits, MemoryContext context, Step* step) const {
  Interval left{};
  if (limits.has_max_duration) {
    const Datum passed =
        DirectFunctionCall2(timestamp_mi, TimestampTzGetDatum(GetCurrentTimestamp()),
                            TimestampTzGetDatum(limits.began));
    left = *DatumGetIntervalP(
        DirectFunctionCall2(interval_mi, IntervalPGetDatum(&limits.max_duration), passed));
  }
  Oid types[] = {REGCLASSOID, INT8OID, INTERVALOID, INTERVALOID, TIMESTAMPTZOID};
  Datum values[] = {ObjectIdGetDatum(limits.relation), Int64GetDatum(limits.max_index_size),
                    IntervalPGetDatum(&left), IntervalPGetDatum(&limits.retry_after),
                    TimestampTzGetDatum(limits.began)};
  const char nulls[] = {nullable(!OidIsValid(limits.relation)), nullable(limits.max_index_size < 0),
                        nullable(!limits.has_max_duration), kNotNull, kNotNull};
  const char* const query =
      psprintf("SELECT (n).* FROM %s.nearest_maintenance_next($1, $2, $3, $4, $5) AS n", schema_);
  return run(query, lengthof(values), types, values, nulls) && read_step(context, step);
}

bool Catalog::find_leftover(Oid table, Oid index, MemoryContext context, Step* step) const {
  Oid types[] = {REGCLASSOID, REGCLASSOID};
  Datum values[] = {ObjectIdGetDatum(table), ObjectIdGetDatum(index)};
  const char nulls[] = {kNotNull, nullable(!OidIsValid(index))};
  const char* const query =
      psprintf("SELECT (n).* FROM %s.nearest_maintenance_leftover($1, $2) AS n", schema_);
  return run(query, lengthof(values), types, values, nulls) && read_step(context, step);
}

int64 Catalog::begin(const Step& step, const char* action) const {
  Oid types[] = {REGCLASSOID, TEXTOID, TEXTOID, TEXTOID, FLOAT8OID};
  Datum values[] = {ObjectIdGetDatum(step.table), CStringGetTextDatum(step.index_name),
                    CStringGetTextDatum(action), CStringGetTextDatum(step.reason),
                    Float8GetDatum(step.rows)};
  const char nulls[] = {kNotNull, kNotNull, kNotNull, kNotNull, nullable(step.rows < 0)};
  const char* const query =
      psprintf("SELECT %s.nearest_maintenance_begin($1, $2, $3, $4, $5)", schema_);
  bool is_null = false;
  run(query, lengthof(values), types, values, nulls);
  return DatumGetInt64(column(1, &is_null));
}

void Catalog::end(int64 entry, Outcome outcome, const char* error) const {
  Oid types[] = {INT8OID, TEXTOID, TEXTOID};
  Datum values[] = {Int64GetDatum(entry), CStringGetTextDatum(text_of(outcome)),
                    error != nullptr ? CStringGetTextDatum(error) : Datum{0}};
  const char nulls[] = {kNotNull, kNotNull, nullable(error == nullptr)};
  run(psprintf("SELECT %s.nearest_maintenance_end($1, $2, $3)", schema_), lengthof(values), types,
      values, nulls);
}

}  // namespace nearest::pg::maintain
