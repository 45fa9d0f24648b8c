/// Eigenvectors of a symmetric matrix, in steps that a caller can interrupt.
///
/// Householder reduction to a tridiagonal matrix and QL iterations with implicit shifts (Golub and
/// Van Loan, 8.3; the procedures tred2 and tql2 of Wilkinson and Reinsch 1971). A library would do
/// the same in one call that cannot be left, in memory of its own, and here neither may be.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "core/arena.hpp"

namespace nearest::core {

/// a: (n, n) row-major, symmetric; receives the eigenvectors as rows. values: (n), not sorted.
/// `checkpoint` is called between steps of O(n²). About 9·n³ operations. False if an eigenvalue
/// does not settle, as with elements that are not finite.
template <Arena A, class Checkpoint>
bool find_eigenvectors(A arena, double* a, std::size_t n, double* values, Checkpoint&& checkpoint) {
  if (n == 0) return true;
  const auto allocate = [&](std::size_t size) {
    return static_cast<double*>(arena.allocate(size * sizeof(double)));
  };
  double* const off = allocate(n);      // beside the diagonal: off[i] between i and i + 1
  double* const factors = allocate(n);  // of the reflections
  double* const p = allocate(n);
  double* const q = allocate(n * n);  // rows become eigenvectors

  // Reflection k zeroes row k right of its neighbor of the diagonal; its vector stays in that row.
  for (std::size_t k = 0; k + 1 < n; ++k) {
    double* const v = a + k * n;
    double squared = 0;
    for (std::size_t j = k + 1; j < n; ++j) squared += v[j] * v[j];
    values[k] = v[k];
    const double length = std::sqrt(squared);
    const double rest = squared - v[k + 1] * v[k + 1];
    if (!(rest > 0)) {
      off[k] = v[k + 1];
      factors[k] = 0;
      continue;
    }
    off[k] = v[k + 1] > 0 ? -length : length;
    v[k + 1] -= off[k];
    factors[k] = 2 / (rest + v[k + 1] * v[k + 1]);
    // p = factor·A·v over the rest, by rows of the symmetric rest; then A -= v·w' + w·v'.
    double with_v = 0;
    for (std::size_t i = k + 1; i < n; ++i) {
      const double* const row = a + i * n;
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::size_t j = k + 1; j < n; ++j) sum += row[j] * v[j];
      p[i] = factors[k] * sum;
      with_v += p[i] * v[i];
    }
    const double half = 0.5 * factors[k] * with_v;
    for (std::size_t i = k + 1; i < n; ++i) p[i] -= half * v[i];
    for (std::size_t i = k + 1; i < n; ++i) {
      double* const row = a + i * n;
      const double vi = v[i], pi = p[i];
#pragma omp simd
      for (std::size_t j = k + 1; j < n; ++j) row[j] -= vi * p[j] + pi * v[j];
    }
    checkpoint();
  }
  values[n - 1] = a[n * n - 1];
  off[n - 1] = 0;

  // The product of the reflections, from the last one, so that its columns to the left stay units.
  // q is kept transposed, so that what QL turns are rows.
  for (std::size_t i = 0; i < n * n; ++i) q[i] = i % (n + 1) == 0 ? 1 : 0;
  for (std::size_t k = n - 1; k-- > 0;) {
    if (factors[k] == 0) continue;
    const double* const v = a + k * n;
    for (std::size_t i = k + 1; i < n; ++i) {
      double* const row = q + i * n;
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::size_t j = k + 1; j < n; ++j) sum += row[j] * v[j];
      sum *= factors[k];
#pragma omp simd
      for (std::size_t j = k + 1; j < n; ++j) row[j] -= sum * v[j];
    }
    checkpoint();
  }

  constexpr int kMostSteps = 60;
  double size = 0;
  for (std::size_t l = 0; l < n; ++l) size += std::fabs(values[l]) + std::fabs(off[l]);
  bool has_settled = size < std::numeric_limits<double>::infinity();  // nor NaN
  const double least = std::numeric_limits<double>::epsilon() * size / static_cast<double>(n);
  for (std::size_t l = 0; l < n && has_settled; ++l) {
    for (int step = 0;; ++step) {
      std::size_t m = l;
      while (m + 1 < n && std::fabs(off[m]) > least) ++m;
      if (m == l) break;
      if (step == kMostSteps) {
        has_settled = false;
        break;
      }
      double g = (values[l + 1] - values[l]) / (2 * off[l]);
      double r = std::hypot(g, 1.0);
      g = values[m] - values[l] + off[l] / (g + std::copysign(r, g));
      double sine = 1, cosine = 1, shift = 0;
      bool is_split = false;
      for (std::size_t i = m; i-- > l;) {
        const double f = sine * off[i], b = cosine * off[i];
        r = std::hypot(f, g);
        off[i + 1] = r;
        if (r == 0) {
          values[i + 1] -= shift;
          off[m] = 0;
          is_split = true;
          break;
        }
        sine = f / r;
        cosine = g / r;
        g = values[i + 1] - shift;
        r = (values[i] - g) * sine + 2 * cosine * b;
        shift = sine * r;
        values[i + 1] = g + shift;
        g = cosine * r - b;
        double* const low = q + i * n;
        double* const high = low + n;
#pragma omp simd
        for (std::size_t j = 0; j < n; ++j) {
          const double x = low[j], y = high[j];
          high[j] = sine * x + cosine * y;
          low[j] = cosine * x - sine * y;
        }
      }
      checkpoint();
      if (is_split) continue;
      values[l] -= shift;
      off[l] = g;
      off[m] = 0;
    }
  }
  std::copy_n(q, n * n, a);
  arena.release(q);
  arena.release(p);
  arena.release(factors);
  arena.release(off);
  return has_settled;
}

}  // namespace nearest::core
