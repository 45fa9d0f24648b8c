/// Products of rows with panels of columns, written once over a register type (register_loops.hpp).
///
/// A panel has its vectors in columns, so that one register holds one coordinate of several
/// vectors: a coordinate of a row is broadcast to all of them, no sum goes across lanes, and short
/// vectors fill registers as well as long ones. R::kPanelRows times R::kPanelRegisters accumulators
/// leave room for the inputs of a step.
#pragma once

#include <cstddef>

namespace nearest::core {

template <class R, std::size_t kRows, std::size_t kRegisters>
void panel_tile(const float* a, std::size_t dim, const float* panel, std::size_t width,
                float* out) {
  R sums[kRows][kRegisters];
  for (auto& row : sums) {
    for (R& one : row) one = R::zero();
  }
  for (std::size_t i = 0; i < dim; ++i) {
    R columns[kRegisters];
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kRegisters; ++j) {
      columns[j] = R::load(panel + i * width + j * R::kLanes);
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      const R element = R::broadcast(a[r * dim + i]);
#pragma GCC unroll 8
      for (std::size_t j = 0; j < kRegisters; ++j) {
        sums[r][j] = multiply_add(element, columns[j], sums[r][j]);
      }
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t j = 0; j < kRegisters; ++j) sums[r][j].store(out + r * width + j * R::kLanes);
  }
}

/// All rows, for the columns of so many registers.
template <class R, std::size_t kRegisters>
void panel_strip(const float* a, std::size_t n, std::size_t dim, const float* panel,
                 std::size_t width, float* out) {
  std::size_t r = 0;
  for (; r + R::kPanelRows <= n; r += R::kPanelRows) {
    panel_tile<R, R::kPanelRows, kRegisters>(a + r * dim, dim, panel, width, out + r * width);
  }
  for (; r < n; ++r) {
    panel_tile<R, 1, kRegisters>(a + r * dim, dim, panel, width, out + r * width);
  }
}

/// KernelTable::panel_products_f32.
template <class R>
void panel_products(const float* a, std::size_t n, std::size_t dim, const float* panel,
                    std::size_t width, float* out) {
  constexpr std::size_t kStrip = R::kPanelRegisters * R::kLanes;
  std::size_t begin = 0;
  for (; begin + kStrip <= width; begin += kStrip) {
    panel_strip<R, R::kPanelRegisters>(a, n, dim, panel + begin, width, out + begin);
  }
  for (; begin < width; begin += R::kLanes) {
    panel_strip<R, 1>(a, n, dim, panel + begin, width, out + begin);
  }
}

}  // namespace nearest::core
