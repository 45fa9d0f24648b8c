/// nearest_tune(index, recall): the cheapest setting whose searches find enough.
#include "pg/postgres.hpp"

extern "C" {
#include "commands/dbcommands.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"
}

#include <algorithm>

#include "core/graph/params.hpp"
#include "core/ladder.hpp"
#include "pg/am/index_kind.hpp"
#include "pg/am/inverted/state.hpp"
#include "pg/quality/session.hpp"

namespace nearest::pg::quality {
namespace {

struct Rung {
  std::int64_t value;
  Measurement measured;
};

/// Searches under another value of the setting, for the time of the call.
Measurement measure_under(const char* setting, std::int64_t value, Session* session,
                          std::size_t k) {
  const int level = NewGUCNestLevel();
  set_config_option(setting, psprintf("%lld", static_cast<long long>(value)), PGC_USERSET,
                    PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  const Measurement measured = measure_index(&session->rows, session->queries, session->truth, k);
  AtEOXact_GUC(false, level);
  return measured;
}

/// The values that make sense: a search for k rows should keep k candidates, and there are no more
/// lists than there are.
core::Ladder ladder_of(Relation index, std::size_t k) {
  if (is_graph(index)) {
    const std::int64_t least =
        std::min<std::int64_t>(static_cast<std::int64_t>(k), core::kMaxEfSearch);
    return {least, core::kMaxEfSearch};
  }
  return {1, inverted::read_meta(index).lists};
}

enum Column {
  kSetting,
  kValue,
  kReached,
  kWorst,
  kLatencies,
  kChosen = kLatencies + 3,
  kForSession,
  kForDatabase,
  kColumns
};

ResultRow<kColumns> row_of(const Rung& rung, const char* setting, bool is_chosen) {
  ResultRow<kColumns> row;
  row.set_text(kSetting, setting);
  row.set(kValue, Int32GetDatum(static_cast<int32>(rung.value)));
  row.set_number(kReached, rung.measured.recall.recall());
  row.set_number(kWorst, rung.measured.recall.worst());
  set_latencies(&row, kLatencies, rung.measured.latencies);
  row.set(kChosen, BoolGetDatum(is_chosen));
  if (is_chosen) {
    const auto value = static_cast<long long>(rung.value);
    row.set_text(kForSession, psprintf("SET %s = %lld", setting, value));
    row.set_text(kForDatabase,
                 psprintf("ALTER DATABASE %s SET %s = %lld",
                          quote_identifier(get_database_name(MyDatabaseId)), setting, value));
  }
  return row;
}

}  // namespace
}  // namespace nearest::pg::quality

/// nearest_tune(index, recall, k, sample, seed, queries, query_column) -> a row for each value that
/// was tried, by value.
NEAREST_FUNCTION(nearest_tune) {
  using namespace nearest::pg;
  using namespace nearest::pg::quality;
  const double wanted = share_argument(fcinfo, 1, "recall");
  const SampleArguments arguments = sample_arguments(fcinfo, 2);
  InitMaterializedSRF(fcinfo, 0);
  auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);

  Session session{};
  open_session(fcinfo, &session);
  answer_exactly(arguments, &session);
  const char* const setting = main_setting(session.own.index);
  nearest::core::Ladder ladder = ladder_of(session.own.index, arguments.k);
  constexpr std::size_t kMostRungs = 64;  // twice as many as it takes
  auto* const rungs = allocate_in<Rung>(CurrentMemoryContext, kMostRungs);
  std::size_t n = 0;
  while (session.queries.size() > 0 && ladder.goes_on() && n < kMostRungs) {
    const Rung rung{ladder.value(), measure_under(setting, ladder.value(), &session, arguments.k)};
    // No query with an answer: nothing to tune.
    if (rung.measured.recall.queries() == 0) break;
    rungs[n++] = rung;
    ladder.tell(rung.measured.recall.recall() >= wanted);
  }
  if (n == 0) {
    ereport(NOTICE, (errmsg("there is nothing to search for in index \"%s\"",
                            RelationGetRelationName(session.own.index))));
  } else if (ladder.found() == 0) {
    ereport(NOTICE,
            (errmsg("no value of %s reaches a recall of %g", setting, wanted),
             is_graph(session.own.index)
                 ? errhint("Build the index anew with a larger ef_construction, or m.")
                 : errhint("Build the index anew with codes of more bits, or with refine.")));
  }
  std::sort(rungs, rungs + n, [](const Rung& a, const Rung& b) { return a.value < b.value; });
  for (std::size_t i = 0; i < n; ++i) {
    ResultRow<kColumns> row = row_of(rungs[i], setting, rungs[i].value == ladder.found());
    tuplestore_putvalues(result->setResult, result->setDesc, row.values, row.nulls);
  }
  close_session(&session);
  return Datum{0};
}
