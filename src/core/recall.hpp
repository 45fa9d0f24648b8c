/// How good an approximate search is beside an exact one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace nearest::core {

/// The k least of the distances that come, in memory that the caller lends.
class LeastDistances {
 public:
  LeastDistances() = default;
  /// room: (k), k > 0; lent as long as this lives.
  explicit LeastDistances(std::span<double> room) : room_(room) {}

  /// Distances that are not among the least so far are passed over; so is NaN, which is no
  /// distance.
  void add(double distance) {
    if (std::isnan(distance)) return;
    if (n_ < room_.size()) {
      room_[n_++] = distance;
      std::push_heap(room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(n_));
    } else if (distance < room_.front()) {
      std::pop_heap(room_.begin(), room_.end());
      room_.back() = distance;
      std::push_heap(room_.begin(), room_.end());
    }
  }
  /// Puts them in order, nearest first; nothing is added afterwards.
  std::span<const double> sorted() {
    std::sort_heap(room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(n_));
    return room_.first(n_);
  }

 private:
  std::span<double> room_;
  std::size_t n_ = 0;
};

/// Recall and distances over many queries.
class RecallTally {
 public:
  /// truth: the true nearest distances, in order; found: those of the rows that were found, in the
  /// order they came in, not more. What is as near as the last of the truth counts as found, so
  /// that equal distances may change places. A query without truth counts nothing.
  void add(std::span<const double> truth, std::span<const double> found) {
    if (truth.empty()) return;
    const double farthest = truth.back();
    const auto hits = static_cast<std::size_t>(
        std::count_if(found.begin(), found.end(), [=](double d) { return d <= farthest; }));
    add_share(static_cast<double>(std::min(hits, truth.size())) /
              static_cast<double>(truth.size()));
    const std::size_t n = std::min(truth.size(), found.size());
    for (std::size_t rank = 0; rank < n; ++rank) {
      if (!std::isfinite(truth[rank]) || !std::isfinite(found[rank])) continue;
      excess_ += found[rank] - truth[rank];
      true_sum_ += std::abs(truth[rank]);
    }
  }
  /// A query of which this share was found.
  void add_share(double share) {
    ++queries_;
    // Compensated (Neumaier 1974): thresholds are met where the figures say so.
    const double sum = shares_ + share;
    lost_ += std::abs(shares_) >= share ? (shares_ - sum) + share : (share - sum) + shares_;
    shares_ = sum;
    worst_ = std::min(worst_, share);
  }

  std::size_t queries() const { return queries_; }
  /// Of no query: NaN.
  double recall() const {
    return queries_ > 0 ? (shares_ + lost_) / static_cast<double>(queries_) : kNaN;
  }
  /// The least recall of a query.
  double worst() const { return queries_ > 0 ? worst_ : kNaN; }
  /// 1 and how much farther what was found is than the truth, as a part of its size: of the sums
  /// over all ranks and queries, so that single distances of 0 do no harm. Also of negative ones:
  /// never below 1. NaN if it has no meaning.
  double distance_ratio() const {
    if (queries_ == 0) return kNaN;
    if (true_sum_ > 0) return 1 + excess_ / true_sum_;
    return excess_ > 0 ? kNaN : 1;
  }

 private:
  static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

  std::size_t queries_ = 0;
  double shares_ = 0, lost_ = 0;  ///< their sum, and what rounding took from it
  double worst_ = 1, excess_ = 0, true_sum_ = 0;
};

/// The value below or at which `share` of the values are, by nearest rank; sorted: not empty.
inline double percentile(std::span<const double> sorted, double share) {
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

}  // namespace nearest::core
