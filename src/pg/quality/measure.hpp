/// Recall and latency of searches through an index against exact ones.
#pragma once

#include "pg/postgres.hpp"

#include <span>

#include "core/recall.hpp"
#include "pg/quality/index_search.hpp"
#include "pg/quality/query_set.hpp"

namespace nearest::pg::quality {

/// In milliseconds; of nothing: NaN.
struct Latencies {
  double p50, p95, p99;
};

struct Truth {
  std::span<const double>* of_query;  ///< the distances of the k nearest, in order
  std::int64_t rows;                  ///< that have a vector
  double milliseconds;                ///< that it took
};

/// The true nearest of every query, by one pass over the table. What it returns is of the current
/// context.
Truth find_truth(IndexedRows* rows, const QuerySet& queries, std::size_t k);
/// Times exact searches, a pass over the table each: of the first few queries, and of only the
/// first if the table is so large that it takes as long as finding the truth.
Latencies time_exact(IndexedRows* rows, const QuerySet& queries, std::size_t k,
                     double milliseconds);

struct Measurement {
  core::RecallTally recall;
  Latencies latencies;
};

/// Asks the index for the k nearest of every query, once. What is timed is a scan from its
/// beginning to its end with the exact distances of its rows, as in time_exact: no parsing, no
/// planning.
Measurement measure_index(IndexedRows* rows, const QuerySet& queries, const Truth& truth,
                          std::size_t k);

/// What takes times in milliseconds and tells their percentiles.
class Stopwatch {
 public:
  /// Memory of the current context, for n times.
  explicit Stopwatch(std::size_t n);
  void start();
  void stop();
  double sum() const { return sum_; }
  Latencies latencies();

 private:
  double* times_;
  double sum_ = 0;
  std::size_t n_ = 0;
  std::uint64_t begun_ = 0;  ///< in microseconds
};

}  // namespace nearest::pg::quality
