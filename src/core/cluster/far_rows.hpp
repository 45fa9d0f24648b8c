/// Rows that training had better not see: a few of them would be clusters by themselves.
#pragma once

#include <algorithm>
#include <cstddef>

namespace nearest::core {

/// Moves rows that are many times farther out than nearly all others behind the rest, and returns
/// how many are left: all if nearly all are nowhere out. rows: (n, dim); distances: (n) how far out
/// each is, in the order of the rows as they come; work: (n).
inline std::size_t drop_far_rows(float* rows, std::size_t n, std::size_t dim,
                                 const double* distances, double* work) {
  constexpr double kShare = 0.95, kTimes = 32;
  if (n == 0) return 0;
  std::copy_n(distances, n, work);
  double* const nearly_last = work + static_cast<std::size_t>(kShare * static_cast<double>(n - 1));
  std::nth_element(work, nearly_last, work + n);
  const double most = kTimes * *nearly_last;
  if (!(most > 0)) return n;
  std::size_t left = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!(distances[i] <= most)) continue;
    if (left != i) std::swap_ranges(rows + left * dim, rows + (left + 1) * dim, rows + i * dim);
    ++left;
  }
  return left;
}

}  // namespace nearest::core
