/// A trained rotation for product quantization: parametric OPQ (Ge et al. 2013, section 3.2).
///
/// Principal directions of the residuals are dealt out to the segments such that the product of
/// variances is about the same in each, which is what Gaussian data lose least with. One pass over
/// a sample and one eigenvalue problem, 9·dim³ operations: bounded, where alternating codebooks and
/// rotations takes as long as one lets it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/arena.hpp"
#include "core/cluster/nearest_centroid.hpp"
#include "core/quantize/product_code.hpp"
#include "core/rotate/symmetric_eigen.hpp"
#include "core/runner.hpp"

namespace nearest::core {

/// Beyond this, two matrices of doubles and the time are more than the gain is worth.
inline constexpr std::size_t kMaxOpqDim = 2048;

/// Adds columns [begin, begin + 64) of Σ x·x' over all rows to moments: (dim, dim).
inline void add_moments(const Rows& rows, std::size_t begin, double* moments) {
  constexpr std::size_t kWidth = 64, kRowsAtOnce = 128, kDimsAtOnce = 24;
  const std::size_t dim = rows.dim, width = std::min(kWidth, dim - begin);
  float panel[kRowsAtOnce * kWidth], turned[kDimsAtOnce * kRowsAtOnce];
  float products[kDimsAtOnce * kWidth];
  for (std::size_t first = 0; first < rows.n; first += kRowsAtOnce) {
    const std::size_t n = std::min(kRowsAtOnce, rows.n - first);
    std::fill_n(panel, n * kWidth, 0.0F);
    for (std::size_t i = 0; i < n; ++i) {
      std::copy_n(rows.row(first + i) + begin, width, panel + i * kWidth);
    }
    for (std::size_t d = 0; d < dim; d += kDimsAtOnce) {
      const std::size_t dims = std::min(kDimsAtOnce, dim - d);
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < dims; ++j) turned[j * n + i] = rows.row(first + i)[d + j];
      }
      kernels().panel_products_f32(turned, dims, n, panel, kWidth, products);
      for (std::size_t j = 0; j < dims; ++j) {
        double* const out = moments + (d + j) * dim + begin;
        for (std::size_t k = 0; k < width; ++k) {
          out[k] += static_cast<double>(products[j * kWidth + k]);
        }
      }
    }
  }
}

/// Which principal direction becomes which dimension. values: (dim) variances; order: (dim) the
/// numbers of `values`, in the order of dimensions. segment_logs, taken: (segments) work space.
inline void deal_out(const ProductShape& shape, const double* values, std::uint32_t* sorted,
                     double* segment_logs, std::uint32_t* taken, std::uint32_t* order) {
  const std::size_t dim = shape.dim;
  for (std::size_t i = 0; i < dim; ++i) sorted[i] = static_cast<std::uint32_t>(i);
  std::sort(sorted, sorted + dim, [values](std::uint32_t a, std::uint32_t b) {
    return values[a] != values[b] ? values[a] > values[b] : a < b;
  });
  // Logarithms from the least variance that counts, so that none is negative.
  const double floor = 1e-6 * values[sorted[0]];
  std::fill_n(segment_logs, shape.segments, 0.0);
  std::fill_n(taken, shape.segments, 0U);
  for (std::size_t i = 0; i < dim; ++i) {
    std::size_t best = shape.segments;
    for (std::size_t s = 0; s < shape.segments; ++s) {
      if (taken[s] == shape.size(s)) continue;
      if (best == shape.segments || segment_logs[s] < segment_logs[best]) best = s;
    }
    order[shape.begin(best) + taken[best]++] = sorted[i];
    if (floor > 0) segment_logs[best] += std::log(std::max(values[sorted[i]], floor) / floor);
  }
}

/// Trains a rotation on residuals. matrix: (dim, dim), orthogonal: y = matrix · x. False, and the
/// unit matrix, if the residuals have no eigenvectors (not finite).
template <Arena A, Runner R>
bool train_opq(A arena, R& runner, const ProductShape& shape, const Rows& residuals,
               float* matrix) {
  const std::size_t dim = shape.dim;
  auto* const moments = static_cast<double*>(arena.allocate(dim * dim * sizeof(double)));
  auto* const values = static_cast<double*>(arena.allocate(dim * sizeof(double)));
  std::fill_n(moments, dim * dim, 0.0);
  runner.run(chunk_count(dim, 64),
             [&](std::size_t chunk) { add_moments(residuals, 64 * chunk, moments); });
  std::size_t steps = 0;
  const bool is_solved = find_eigenvectors(arena, moments, dim, values, [&] {
    ++steps;
    runner.round(std::min(steps, 4 * dim), 4 * dim);
  });
  if (is_solved) {
    auto* const work = static_cast<std::uint32_t*>(
        arena.allocate((2 * dim + shape.segments) * sizeof(std::uint32_t)));
    auto* const logs = static_cast<double*>(arena.allocate(shape.segments * sizeof(double)));
    std::uint32_t* const order = work + dim;
    deal_out(shape, values, work, logs, work + 2 * dim, order);
    for (std::size_t i = 0; i < dim; ++i) {
      const double* const vector = moments + order[i] * dim;
      for (std::size_t d = 0; d < dim; ++d) matrix[i * dim + d] = static_cast<float>(vector[d]);
    }
    arena.release(logs);
    arena.release(work);
  } else {
    for (std::size_t i = 0; i < dim * dim; ++i) matrix[i] = i % (dim + 1) == 0 ? 1 : 0;
  }
  arena.release(values);
  arena.release(moments);
  return is_solved;
}

/// y = matrix · x for n rows; y: (n, dim).
inline void apply_matrix(const float* matrix, const Rows& rows, float* y) {
  kernels().inner_product_block_f32(rows.values, rows.n, matrix, rows.dim, rows.dim, y);
}

}  // namespace nearest::core
