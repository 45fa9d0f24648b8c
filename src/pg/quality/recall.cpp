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
  ResultRow row;
  row.add_count(measured.recall.queries());
  row.add_number(measured.recall.recall());
  row.add_number(measured.recall.worst());
  row.add_number(measured.recall.distance_ratio());
  row.add(measured.latencies);
  row.add(exact);
  row.add(Int64GetDatum(session.truth.rows));
  row.add_text(settings_text(session.own.index));
  close_session(&session);
  PG_RETURN_DATUM(result_of(fcinfo, row));
}
