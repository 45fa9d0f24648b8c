/// What is told of each row, to see whether rows that come are like those that an index was built
/// on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/drift/moments.hpp"

namespace nearest::core {

/// Lengths are in units of the table's vectors; cosine's, which have length 1 in an index, in
/// those. Stored: never renumber.
enum class Figure : std::uint8_t {
  kNorm = 0,              ///< of the vector, as it is in the table
  kCentroidDistance = 1,  ///< to the centroid of its list; in a graph, to the center
  kNeighborDistance = 2,  ///< graphs only: to the nearest node that its search found
  kCodeError = 3,         ///< what its code loses, as a part of what is coded
};
inline constexpr std::size_t kFigures = 4;

/// In place of a figure that a row or an index does not have.
inline constexpr float kNoFigure = -1;

/// The figures of one row.
struct RowFigures {
  float values[kFigures] = {kNoFigure, kNoFigure, kNoFigure, kNoFigure};

  /// A value that is no number, or none that can be added up, is none.
  void set(Figure figure, double value) {
    constexpr double kMost = 1e37;
    values[static_cast<std::size_t>(figure)] =
        value >= 0 && value < kMost ? static_cast<float>(value) : kNoFigure;
  }
};

/// The moments of the figures of many rows.
struct FigureMoments {
  Moments of[kFigures] = {};

  void add(const RowFigures& row) {
    for (std::size_t i = 0; i < kFigures; ++i) {
      if (row.values[i] >= 0) of[i].add(static_cast<double>(row.values[i]));
    }
  }
  void merge(const FigureMoments& other) {
    for (std::size_t i = 0; i < kFigures; ++i) of[i].merge(other.of[i]);
  }
  const Moments& operator[](Figure figure) const { return of[static_cast<std::size_t>(figure)]; }
};

/// Rows per bucket of lists. With at most so many lists each has a bucket of its own; of more,
/// neighboring lists share one.
inline constexpr std::size_t kListBuckets = 128;

constexpr std::uint32_t buckets_of(std::uint32_t lists) {
  return std::min<std::uint32_t>(lists, kListBuckets);
}
constexpr std::size_t bucket_of(std::uint32_t list, std::uint32_t lists) {
  return static_cast<std::size_t>(std::uint64_t{list} * buckets_of(lists) / lists);
}

/// How unevenly rows lie in lists: the mean length of a row's own list, as a multiple of the mean
/// length of lists. 1: all are alike. built, sampled: (n) rows of each bucket, either may be null;
/// a sampled row stands for `scale` of which it was drawn, and what the draw adds to the squares is
/// taken off them. NaN without rows.
inline double imbalance(const std::uint32_t* built, const std::uint32_t* sampled, std::size_t n,
                        double scale) {
  double rows = 0, squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double drawn = sampled == nullptr ? 0 : sampled[i];
    const double count = (built == nullptr ? 0 : built[i]) + scale * drawn;
    rows += count;
    squares += count * count - scale * (scale - 1) * drawn;
  }
  return rows > 0 ? static_cast<double>(n) * squares / (rows * rows)
                  : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace nearest::core
