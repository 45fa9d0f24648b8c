#include "pg/quality/measure.hpp"

extern "C" {
#include "portability/instr_time.h"
}

#include <algorithm>
#include <limits>

#include "pg/am/common/heap_distance.hpp"

namespace nearest::pg::quality {
namespace {

/// Exact searches that are timed: they take about the same time each, and a long one.
constexpr std::size_t kTimedExactSearches = 10;

std::uint64_t now() {
  instr_time time;
  INSTR_TIME_SET_CURRENT(time);
  return static_cast<std::uint64_t>(INSTR_TIME_GET_MICROSEC(time));
}

core::LeastDistances least_of(std::size_t k) {
  return core::LeastDistances({allocate_in<double>(CurrentMemoryContext, k), k});
}

bool is_own_row(const Query& query, ItemPointerData tid) {
  ItemPointerData own_row = query.own_row;
  return ItemPointerIsValid(&own_row) && ItemPointerEquals(&own_row, &tid);
}

}  // namespace

Truth find_truth(IndexedRows* rows, const QuerySet& queries, std::size_t k) {
  const std::size_t n = queries.size();
  auto* const least = allocate_in<core::LeastDistances>(CurrentMemoryContext, n);
  for (std::size_t i = 0; i < n; ++i) least[i] = least_of(k);
  Truth truth{allocate_in<std::span<const double>>(CurrentMemoryContext, n), 0, 0};
  const std::uint64_t begun = now();
  rows->each([&](Datum value, const ItemPointerData& tid) {
    truth.rows += 1;
    const core::VectorView<float> x = rows->vector_of(value);
    for (std::size_t i = 0; i < n; ++i) {
      if (is_own_row(queries[i], tid)) continue;
      least[i].add(operator_distance(rows->metric(), x, queries[i].vector->view()));
    }
  });
  for (std::size_t i = 0; i < n; ++i) truth.of_query[i] = least[i].sorted();
  truth.milliseconds = static_cast<double>(now() - begun) / 1e3;
  return truth;
}

Latencies time_exact(IndexedRows* rows, const QuerySet& queries, std::size_t k,
                     double milliseconds) {
  const std::size_t n = std::min(queries.size(), kTimedExactSearches);
  Stopwatch stopwatch(n);
  for (std::size_t i = 0; i < n && stopwatch.sum() <= milliseconds; ++i) {
    stopwatch.start();
    core::LeastDistances least = least_of(k);
    const core::VectorView<float> q = queries[i].vector->view();
    rows->each([&](Datum value, const ItemPointerData& /*tid*/) {
      least.add(operator_distance(rows->metric(), rows->vector_of(value), q));
    });
    least.sorted();
    stopwatch.stop();
  }
  return stopwatch.latencies();
}

Measurement measure_index(IndexedRows* rows, const QuerySet& queries, const Truth& truth,
                          std::size_t k) {
  Measurement measurement{};
  IndexSearch search;
  search.begin(rows, {});
  Stopwatch stopwatch(queries.size());
  auto* const found = allocate_in<double>(CurrentMemoryContext, k);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    std::size_t n_rows = 0, n_found = 0;
    FoundRow row{};
    stopwatch.start();
    search.start(queries[i]);
    while (n_rows < k && search.next(&row)) {
      if (is_own_row(queries[i], row.tid)) continue;
      ++n_rows;
      if (!row.is_null) found[n_found++] = row.distance;
    }
    search.stop();
    stopwatch.stop();
    measurement.recall.add(truth.of_query[i], {found, n_found});
  }
  search.end();
  pfree(found);
  measurement.latencies = stopwatch.latencies();
  return measurement;
}

Stopwatch::Stopwatch(std::size_t n) : times_(allocate_in<double>(CurrentMemoryContext, n)) {}

void Stopwatch::start() { begun_ = now(); }

void Stopwatch::stop() {
  times_[n_] = static_cast<double>(now() - begun_) / 1e3;
  sum_ += times_[n_++];
}

Latencies Stopwatch::latencies() {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  if (n_ == 0) return {kNaN, kNaN, kNaN};
  std::sort(times_, times_ + n_);
  const std::span<const double> sorted{times_, n_};
  return {core::percentile(sorted, 0.5), core::percentile(sorted, 0.95),
          core::percentile(sorted, 0.99)};
}

}  // namespace nearest::pg::quality
