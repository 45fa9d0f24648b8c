/// One call of a function that measures an index: what it opens, and what it tells of it.
#pragma once

#include "pg/postgres.hpp"

#include "pg/quality/caller.hpp"
#include "pg/quality/measure.hpp"
#include "pg/result_row.hpp"

namespace nearest::pg::quality {

/// Arguments that nearest_recall and nearest_tune have in common.
struct SampleArguments {
  std::size_t k, sample;
  std::int64_t seed;
  Oid queries;               ///< invalid: rows of the table itself
  const char* query_column;  ///< null: the only one of type vector
};

/// An argument that may not be NULL; raises if it is.
Datum required_argument(FunctionCallInfo fcinfo, int n, const char* name);
/// The same, a number in a range.
std::int64_t count_argument(FunctionCallInfo fcinfo, int n, const char* name, std::int64_t most);
/// The same, in [0, 1].
double share_argument(FunctionCallInfo fcinfo, int n, const char* name);
/// A name, or null.
const char* name_argument(FunctionCallInfo fcinfo, int n);
/// k, sample, seed, queries and query_column, from argument `first` on.
SampleArguments sample_arguments(FunctionCallInfo fcinfo, int first);

/// The most that k may be.
inline constexpr std::int64_t kMostNeighbors = 10000;
inline constexpr std::int64_t kMostQueries = 100000;

/// An index, open for searches, and the exact answers to queries.
struct Session {
  OwnIndex own;
  IndexedRows rows;
  QuerySet queries;
  Truth truth;
  Caller caller;
};

/// Opens the index that the first argument of a function names, as the caller may.
void open_session(FunctionCallInfo fcinfo, Session* session);
/// From here on, code of the index's owner runs.
void begin_searches(Session* session);
/// Draws queries and finds their answers; begins searches.
void answer_exactly(const SampleArguments& arguments, Session* session);
void close_session(Session* session);

/// The access method's settings as they are now: "hnsw.ef_search = 40, ...".
char* settings_text(Relation index);
/// The setting that recall depends on: hnsw.ef_search, ivfflat.probes or ivfpq.probes.
const char* main_setting(Relation index);

/// Into three columns.
template <int kColumns>
void set_latencies(ResultRow<kColumns>* row, int first, const Latencies& latencies) {
  row->set_number(first, latencies.p50);
  row->set_number(first + 1, latencies.p95);
  row->set_number(first + 2, latencies.p99);
}

}  // namespace nearest::pg::quality
