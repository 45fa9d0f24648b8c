/// Which of many centroids is nearest to each of many rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/arena.hpp"
#include "core/kernels/table.hpp"

namespace nearest::core {

/// Borrowed vectors. values: (n, dim) row-major.
struct Rows {
  const float* values;
  std::size_t n, dim;

  const float* row(std::size_t i) const { return values + i * dim; }
};

/// Vectors in panels of columns, as KernelTable::panel_products_f32 reads them: panel p holds the
/// vectors from p · width, the last one padded with zeros.
struct PanelShape {
  std::size_t n, dim;  ///< of the vectors

  constexpr std::size_t width() const { return n < 64 ? (n + 15) / 16 * 16 : 64; }
  constexpr std::size_t panels() const { return n == 0 ? 0 : (n + width() - 1) / width(); }
  constexpr std::size_t floats() const { return panels() * width() * dim; }
};

/// values: (shape.n, shape.dim) row-major; panels: (shape.floats()), or one panel of any width.
inline void fill_panels(const PanelShape& shape, const float* values, float* panels,
                        std::size_t width) {
  for (std::size_t first = 0; first < shape.n; first += width) {
    const std::size_t n = std::min(width, shape.n - first);
    float* const panel = panels + first * shape.dim;
    for (std::size_t d = 0; d < shape.dim; ++d) {
      for (std::size_t j = 0; j < n; ++j) {
        panel[d * width + j] = values[(first + j) * shape.dim + d];
      }
      for (std::size_t j = n; j < width; ++j) panel[d * width + j] = 0;
    }
  }
}

/// Centroids as they are compared with rows: |x - c|² is least where <x, c> - |c|²/2 is most, and
/// products are cheap. Rows should lie around the origin, not far away together: scores are rounded
/// by panel_error(dim)·|x||c|. Borrowed memory.
struct CentroidPanels {
  PanelShape shape;
  float* panels;        ///< (shape.floats())
  float* half_squares;  ///< (shape.n) |c|²/2

  /// centroids: (n, dim) row-major.
  void fill(const float* centroids) const {
    fill_panels(shape, centroids, panels, shape.width());
    for (std::size_t c = 0; c < shape.n; ++c) {
      const float* const centroid = centroids + c * shape.dim;
      half_squares[c] = 0.5F * kernels().inner_product_f32(centroid, centroid, shape.dim);
    }
  }
};

template <Arena A>
CentroidPanels allocate_panels(A arena, std::size_t n, std::size_t dim) {
  const PanelShape shape{n, dim};
  return {shape, static_cast<float*>(arena.allocate(shape.floats() * sizeof(float))),
          static_cast<float*>(arena.allocate(n * sizeof(float)))};
}
template <Arena A>
void release_panels(A arena, const CentroidPanels& centroids) {
  arena.release(centroids.half_squares);
  arena.release(centroids.panels);
}

/// The best centroid so far of one row.
struct BestCentroid {
  float score = -std::numeric_limits<float>::infinity();
  std::uint32_t id = 0;

  /// products: (n) with the centroids that begin with `first`. Of equals, the first one stays.
  void take(const float* products, const float* half_squares, std::size_t n, std::size_t first) {
    float most = score;
#pragma omp simd reduction(max : most)
    for (std::size_t j = 0; j < n; ++j) {
      const float one = products[j] - half_squares[j];
      most = one > most ? one : most;
    }
    if (!(most > score)) return;
    std::size_t j = 0;
    while (products[j] - half_squares[j] != most) ++j;
    score = most;
    id = static_cast<std::uint32_t>(first + j);
  }
};

/// nearest: (rows.n) the number of the nearest centroid of each row.
inline void find_nearest(const CentroidPanels& centroids, const Rows& rows,
                         std::uint32_t* nearest) {
  constexpr std::size_t kRowsAtOnce = 48, kWidth = 64;  // 12 kB of products
  float products[kRowsAtOnce * kWidth];
  const std::size_t width = centroids.shape.width(), dim = rows.dim;
  for (std::size_t begin = 0; begin < rows.n; begin += kRowsAtOnce) {
    const std::size_t n_rows = std::min(kRowsAtOnce, rows.n - begin);
    BestCentroid best[kRowsAtOnce];
    for (std::size_t first = 0; first < centroids.shape.n; first += width) {
      kernels().panel_products_f32(rows.row(begin), n_rows, dim, centroids.panels + first * dim,
                                   width, products);
      const std::size_t n = std::min(width, centroids.shape.n - first);
      for (std::size_t i = 0; i < n_rows; ++i) {
        best[i].take(products + i * width, centroids.half_squares + first, n, first);
      }
    }
    for (std::size_t i = 0; i < n_rows; ++i) nearest[begin + i] = best[i].id;
  }
}

}  // namespace nearest::core
