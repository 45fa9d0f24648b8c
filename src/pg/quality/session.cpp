#include "pg/quality/session.hpp"

extern "C" {
#include "access/htup_details.h"
#include "commands/defrem.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
}

#include "pg/am/index_kind.hpp"

namespace nearest::pg::quality {

Datum required_argument(FunctionCallInfo fcinfo, int n, const char* name) {
  if (PG_ARGISNULL(n)) {
    ereport(ERROR,
            (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("\"%s\" must not be null", name)));
  }
  return PG_GETARG_DATUM(n);
}

std::int64_t count_argument(FunctionCallInfo fcinfo, int n, const char* name, std::int64_t most) {
  const int32 value = DatumGetInt32(required_argument(fcinfo, n, name));
  if (value < 1 || value > most) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("\"%s\" must be between 1 and %d, not %d", name, static_cast<int>(most),
                           value)));
  }
  return value;
}

double share_argument(FunctionCallInfo fcinfo, int n, const char* name) {
  const double value = DatumGetFloat8(required_argument(fcinfo, n, name));
  if (!(value >= 0 && value <= 1)) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("\"%s\" must be between 0 and 1, not %g", name, value)));
  }
  return value;
}

const char* name_argument(FunctionCallInfo fcinfo, int n) {
  return PG_ARGISNULL(n) ? nullptr : NameStr(*PG_GETARG_NAME(n));
}

SampleArguments sample_arguments(FunctionCallInfo fcinfo, int first) {
  SampleArguments arguments{};
  arguments.k = static_cast<std::size_t>(count_argument(fcinfo, first, "k", kMostNeighbors));
  arguments.sample =
      static_cast<std::size_t>(count_argument(fcinfo, first + 1, "sample", kMostQueries));
  arguments.seed = DatumGetInt32(required_argument(fcinfo, first + 2, "seed"));
  arguments.queries = PG_ARGISNULL(first + 3) ? InvalidOid : PG_GETARG_OID(first + 3);
  arguments.query_column = name_argument(fcinfo, first + 4);
  if (arguments.query_column != nullptr && !OidIsValid(arguments.queries)) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("\"query_column\" needs \"queries\", the table that has it")));
  }
  return arguments;
}

void open_session(FunctionCallInfo fcinfo, Session* session) {
  session->own = open_own_index(DatumGetObjectId(required_argument(fcinfo, 0, "index")), "measure");
  check_may_read(session->own.heap);
  session->rows.begin(session->own, GetActiveSnapshot());
}

void begin_searches(Session* session) {
  session->caller = become_owner(session->own.heap);
  session->rows.prepare();
}

void answer_exactly(const SampleArguments& arguments, Session* session) {
  QuerySet* const queries = &session->queries;
  queries->begin(&session->rows, arguments.sample, arguments.seed, arguments.k * sizeof(double),
                 CurrentMemoryContext);
  if (OidIsValid(arguments.queries)) {
    draw_queries(arguments.queries, arguments.query_column, session->rows, queries);
  }
  begin_searches(session);
  if (!OidIsValid(arguments.queries)) draw_rows(&session->rows, queries);
  session->truth = find_truth(&session->rows, *queries, arguments.k);
}

void close_session(Session* session) {
  session->rows.end();
  become_caller(session->caller);
  close_own_index(session->own);
}

char* settings_text(Relation index) {
  static constexpr const char* kOfGraphs[] = {"ef_search", "iterative_scan", "max_scan_tuples",
                                              "scan_mem_multiplier"};
  static constexpr const char* kOfLists[] = {"probes", "iterative_scan", "max_probes"};
  const std::span<const char* const> names =
      is_graph(index) ? std::span<const char* const>(kOfGraphs) : kOfLists;
  StringInfoData text;
  initStringInfo(&text);
  for (const char* name : names) {
    const char* const setting = psprintf("%s.%s", get_am_name(index->rd_rel->relam), name);
    appendStringInfo(&text, "%s%s = %s", text.len > 0 ? ", " : "", setting,
                     GetConfigOption(setting, false, false));
  }
  return text.data;
}

const char* main_setting(Relation index) {
  return psprintf("%s.%s", get_am_name(index->rd_rel->relam),
                  is_graph(index) ? "ef_search" : "probes");
}

}  // namespace nearest::pg::quality
