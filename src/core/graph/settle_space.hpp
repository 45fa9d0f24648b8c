/// Center and sizes of a space: what a build takes from its first rows, or an index that was empty
/// when it was built from its first row.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "core/arena.hpp"
#include "core/graph/space.hpp"

namespace nearest::core {

/// How much longer than the longest row of the sample a vector may be before inner product treats
/// it as that long. The coordinate that inner product adds grows with it and hides the others:
/// fashion784 finds 0.94 of the true ten at ef_search 100 with 1.05, 0.91 with 1.5.
inline constexpr double kLongestRoom = 1.05;

/// As in GraphSpace.
struct SpaceSizes {
  double center_norm, unit, longest, query_norm;
};

/// rows: (n, dim) row-major; center: (dim), receives the mean of f(x). Rows that have no code, and
/// zero vectors under cosine, do not count; without any that does, the center is the origin and all
/// sizes are such that a space can be made. The arena lends work space, which is given back.
template <Arena A>
SpaceSizes settle_space(Metric metric, std::span<const float> rows, std::size_t dim, A arena,
                        float* center) {
  const bool is_cosine = metric == Metric::kCosine;
  const std::size_t n = rows.size() / dim;
  const auto row = [&](std::size_t i) { return rows.subspan(i * dim, dim); };
  auto* const factors = static_cast<double*>(arena.allocate(n * sizeof(double) + 1));
  auto* const sums = static_cast<double*>(arena.allocate(dim * sizeof(double)));
  std::fill(sums, sums + dim, 0.0);

  double longest = 0, norms = 0, used = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double norm = norm_of(row(i));
    const bool counts = is_cosine ? norm > 0 : norm <= kLongestCoded;
    factors[i] = !counts ? 0 : is_cosine ? 1 / norm : 1;
    if (!counts) continue;
    longest = std::max(longest, norm);
    norms += norm;
    used += 1;
    for (std::size_t j = 0; j < dim; ++j) sums[j] += row(i)[j] * factors[i];
  }
  double center_square = 0, center_sum = 0, squares = 0;
  for (std::size_t j = 0; j < dim; ++j) {
    center[j] = used > 0 ? static_cast<float>(sums[j] / used) : 0;
    center_square += static_cast<double>(center[j]) * center[j];
    center_sum += std::fabs(static_cast<double>(center[j]));
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (factors[i] == 0) continue;
    double square = 0;
    for (std::size_t j = 0; j < dim; ++j) {
      const double difference = row(i)[j] * factors[i] - center[j];
      square += difference * difference;
    }
    squares += square / used;
  }
  arena.release(sums);
  arena.release(factors);

  // Points are as long as rows are far from the center. Rows that are all but equal would make a
  // unit that no other row fits.
  const double spread = std::sqrt(squares);
  const double center_norm = metric == Metric::kL1 ? center_sum : std::sqrt(center_square);
  return {center_norm, unit_near(spread > 1e-6 * center_norm ? spread : center_norm),
          kLongestRoom * longest, norms > 0 ? norms / used : 1};
}

// Without a sample ------------------------------------------------------------------------------

/// M at most, in units: vectors beyond count as this long.
inline constexpr double kMostUnits = 0x1p28;

/// The sizes of a space by one row of this length, around the origin.
inline SpaceSizes sizes_by_row(Metric metric, double norm) {
  // The first row may be one of a kind, as zero is: vectors of ordinary lengths must have a place.
  constexpr double kLeast = 0x1p-16, kMost = 0x1p16;
  const double unit =
      metric == Metric::kCosine || norm == 0 ? 1 : unit_near(std::clamp(norm, kLeast, kMost));
  const double length = norm <= kMostUnits * unit ? norm : 0;
  return {0, unit, kLongestRoom * length, length > 0 ? length : unit};
}

/// Whether a row is so much longer that the sizes are to follow it.
inline bool outgrows(double norm, double longest, double unit) {
  return norm > longest && norm <= kMostUnits * unit;
}

}  // namespace nearest::core
