/// nearest_evaluate(index, queries, threshold): searches for labelled queries, a verdict, and a
/// record of it.
#include "pg/postgres.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
}

#include <algorithm>

#include "pg/quality/labelled_set.hpp"
#include "pg/quality/session.hpp"

namespace nearest::pg::quality {
namespace {

/// Searches for every query, once. What is timed is what measure_index times.
Measurement measure_labelled(IndexedRows* rows, const LabelledSet& set, const LabelKey& key,
                             std::size_t k) {
  Measurement measurement{};
  IndexSearch search;
  search.begin(rows, key.column);
  Stopwatch stopwatch(set.queries.size());
  auto* const found = allocate_in<FoundRow>(CurrentMemoryContext, k);
  for (const LabelledQuery& query : set.queries) {
    std::size_t n = 0;
    stopwatch.start();
    search.start(query.query);
    while (n < k && search.next(&found[n])) ++n;
    stopwatch.stop();
    measurement.recall.add_share(share_found(key, query, found, n, k));
    search.stop();
  }
  search.end();
  measurement.latencies = stopwatch.latencies();
  return measurement;
}

struct Verdict {
  Measurement measured;
  const char *settings, *index, *table, *queries;
  std::size_t k;
  double threshold;
  bool has_passed;
};

/// Writes a row of nearest_evaluations, which no user but its owner may: as the owner.
void store(const Verdict& verdict, Oid schema) {
  constexpr const char* kTable = "nearest_evaluations";
  const Oid table = get_relname_relid(kTable, schema);
  if (!OidIsValid(table)) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                    errmsg("table \"%s\" of the extension is not there", kTable),
                    errhint("Call nearest_evaluate with store => false.")));
  }
  const Relation relation = table_open(table, RowExclusiveLock);
  Oid user = InvalidOid;
  int security = 0;
  GetUserIdAndSecContext(&user, &security);
  const char* const user_name = GetUserNameFromId(user, false);
  constexpr int kColumns = 14;
  Oid types[kColumns] = {NAMEOID,   TEXTOID,   TEXTOID,   TEXTOID,   TEXTOID,   INT4OID,   INT4OID,
                         FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, BOOLOID};
  const core::RecallTally& recall = verdict.measured.recall;
  const Latencies& latencies = verdict.measured.latencies;
  Datum values[kColumns] = {
      DirectFunctionCall1(namein, CStringGetDatum(user_name)),
      CStringGetTextDatum(verdict.index),
      CStringGetTextDatum(verdict.table),
      CStringGetTextDatum(verdict.queries),
      CStringGetTextDatum(verdict.settings),
      Int32GetDatum(static_cast<int32>(verdict.k)),
      Int32GetDatum(static_cast<int32>(recall.queries())),
      Float8GetDatum(recall.recall()),
      Float8GetDatum(recall.worst()),
      Float8GetDatum(latencies.p50),
      Float8GetDatum(latencies.p95),
      Float8GetDatum(latencies.p99),
      Float8GetDatum(verdict.threshold),
      BoolGetDatum(verdict.has_passed),
  };
  const char* const statement = psprintf(
      "INSERT INTO %s (evaluated_at, evaluated_by, index_name, table_name, queries_name, settings,"
      " k, queries, recall, worst_recall, p50_ms, p95_ms, p99_ms, threshold, passed)"
      " VALUES (pg_catalog.clock_timestamp(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
      " $13, $14)",
      quoted_name(table));
  SetUserIdAndSecContext(relation->rd_rel->relowner, security | SECURITY_LOCAL_USERID_CHANGE);
  SPI_connect();
  if (SPI_execute_with_args(statement, kColumns, types, values, nullptr, false, 0) !=
      SPI_OK_INSERT) {
    elog(ERROR, "could not write to %s", kTable);
  }
  SPI_finish();
  table_close(relation, NoLock);
  SetUserIdAndSecContext(user, security);
}

}  // namespace
}  // namespace nearest::pg::quality

/// nearest_evaluate(index, queries, threshold, k, query_column, expected_column, key_column, store)
/// -> one row.
NEAREST_FUNCTION(nearest_evaluate) {
  using namespace nearest::pg;
  using namespace nearest::pg::quality;
  const Oid queries = DatumGetObjectId(required_argument(fcinfo, 1, "queries"));
  Verdict verdict{};
  verdict.threshold = share_argument(fcinfo, 2, "threshold");
  verdict.k = static_cast<std::size_t>(count_argument(fcinfo, 3, "k", kMostNeighbors));
  const char* const expected_column =
      NameStr(*DatumGetName(required_argument(fcinfo, 5, "expected_column")));
  const bool is_stored = DatumGetBool(required_argument(fcinfo, 7, "store"));
  if (is_stored) PreventCommandIfReadOnly("nearest_evaluate() with store => true");

  Session session{};
  open_session(fcinfo, &session);
  const LabelKey key = find_key(session.own.heap, name_argument(fcinfo, 6));
  const LabelledSet set =
      read_labelled(queries, name_argument(fcinfo, 4), expected_column, session.rows, key);
  verdict.index = quoted_name(RelationGetRelid(session.own.index));
  verdict.table = quoted_name(RelationGetRelid(session.own.heap));
  verdict.queries = quoted_name(queries);
  verdict.settings = settings_text(session.own.index);
  begin_searches(&session);
  verdict.measured = measure_labelled(&session.rows, set, key, verdict.k);
  close_session(&session);
  verdict.has_passed = verdict.measured.recall.recall() >= verdict.threshold;
  if (is_stored) store(verdict, get_func_namespace(fcinfo->flinfo->fn_oid));

  enum {
    kQueries,
    kRecall,
    kWorst,
    kLatencies,
    kNeeded = kLatencies + 3,
    kPassed,
    kSettings,
    kColumns
  };
  nearest::pg::ResultRow<kColumns> row;
  const nearest::core::RecallTally& recall = verdict.measured.recall;
  row.set(kQueries, Int32GetDatum(static_cast<int32>(recall.queries())));
  row.set_number(kRecall, recall.recall());
  row.set_number(kWorst, recall.worst());
  set_latencies(&row, kLatencies, verdict.measured.latencies);
  row.set(kNeeded, Float8GetDatum(verdict.threshold));
  row.set(kPassed, BoolGetDatum(verdict.has_passed));
  row.set_text(kSettings, verdict.settings);
  return row.finish(fcinfo);
}
