/// nearest_recall(index): how much of the truth searches through an index find, and how fast.
#include "pg/quality/session.hpp"

/// nearest_recall(index, k, sample, seed, queries, query_column) -> one row.
NEAREST_FUNCTION(nearest_recall) {
  using namespace nearest::pg::quality;
  const SampleArguments arguments = sample_arguments(fcinfo, 1);
  Session session{};
  open_session(fcinfo, &session);
  answer_exactly(arguments, &session);
  const Latencies exact =
      time_exact(&session.rows, session.queries, arguments.k, session.truth.milliseconds);
  const Measurement measured =
      measure_index(&session.rows, session.queries, session.truth, arguments.k);
  enum {
    kQueries,
    kRecall,
    kWorst,
    kDistanceRatio,
    kLatencies,
    kExactLatencies = kLatencies + 3,
    kRows = kExactLatencies + 3,
    kSettings,
    kColumns
  };
  nearest::pg::ResultRow<kColumns> row;
  row.set(kQueries, Int32GetDatum(static_cast<int32>(measured.recall.queries())));
  row.set_number(kRecall, measured.recall.recall());
  row.set_number(kWorst, measured.recall.worst());
  row.set_number(kDistanceRatio, measured.recall.distance_ratio());
  set_latencies(&row, kLatencies, measured.latencies);
  set_latencies(&row, kExactLatencies, exact);
  row.set_count(kRows, session.truth.rows);
  row.set_text(kSettings, settings_text(session.own.index));
  close_session(&session);
  return row.finish(fcinfo);
}
