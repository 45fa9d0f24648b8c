/// The loops of all floating-point kernels, written once over a register type.
///
/// Each instruction set's file supplies a type R and instantiates these templates with it. R lives
/// in that file's own namespace, so no instance can be merged by the linker with one that was
/// compiled for another instruction set. For the same reason nothing of the standard library is
/// called here.
///
/// R holds R::kLanes floats (and copies like a number) and offers
///   zero()                    all lanes 0
///   load(p)                   kLanes floats from any address
///   load_first(p, n)          the n < kLanes floats at p, other lanes 0; reads nothing behind them
///   a - b, a + b, abs(a)
///   load_codes(p), load_first_codes(p, n)   the same from 8-bit integers, converted
///   broadcast(x)              all lanes x
///   multiply_add(a, b, sum)   sum + a·b (fused where the CPU can)
///   sum(a)                    of all lanes
///   store_sums(a, p)          the sums of the four registers at a to four floats at p
/// and R::kTileRows, R::kTileColumns: a register tile of accumulators that leaves room for its
/// inputs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kernels/code_loops.hpp"
#include "core/kernels/digit_loop.hpp"
#include "core/kernels/fastscan_loops.hpp"
#include "core/kernels/panel_loops.hpp"
#include "core/kernels/rotation_loops.hpp"
#include "core/kernels/table.hpp"

namespace nearest::core {

template <class R>
struct L2SquaredStep {
  static R add(R a, R b, R sum) {
    const R difference = a - b;
    return multiply_add(difference, difference, sum);
  }
};

template <class R>
struct InnerProductStep {
  static R add(R a, R b, R sum) { return multiply_add(a, b, sum); }
};

template <class R>
struct L1Step {
  static R add(R a, R b, R sum) { return sum + abs(a - b); }
};

/// Where a loop finds its operands, a register at a time: floats in memory ...
template <class R>
struct Floats {
  const float* elements;

  R at(std::size_t i) const { return R::load(elements + i); }
  R first_at(std::size_t i, std::size_t n) const { return R::load_first(elements + i, n); }
};

/// ... or 8-bit codes and what one step of them means.
template <class R>
struct ScaledCodes {
  const std::int8_t* codes;
  R scale;

  R at(std::size_t i) const { return scaled(R::load_codes(codes + i)); }
  R first_at(std::size_t i, std::size_t n) const {
    return scaled(R::load_first_codes(codes + i, n));
  }
  /// As a sum with zero, because compilers may fuse a bare product with the subtraction that
  /// follows: then it would not be rounded, and equal codes would differ by the rounding of others.
  R scaled(R code) const { return multiply_add(code, scale, R::zero()); }
};

/// Folds both vectors with Step. Four accumulators hide the latency of the additions: one step
/// needs two loads, so the load ports are the limit.
template <class R, class Step, class A, class B>
float fold_operands(A a, B b, std::size_t dim) {
  R sum0 = R::zero(), sum1 = R::zero(), sum2 = R::zero(), sum3 = R::zero();
  std::size_t i = 0;
  for (; i + 4 * R::kLanes <= dim; i += 4 * R::kLanes) {
    sum0 = Step::add(a.at(i), b.at(i), sum0);
    sum1 = Step::add(a.at(i + R::kLanes), b.at(i + R::kLanes), sum1);
    sum2 = Step::add(a.at(i + 2 * R::kLanes), b.at(i + 2 * R::kLanes), sum2);
    sum3 = Step::add(a.at(i + 3 * R::kLanes), b.at(i + 3 * R::kLanes), sum3);
  }
  for (; i + R::kLanes <= dim; i += R::kLanes) sum0 = Step::add(a.at(i), b.at(i), sum0);
  if (i < dim) sum1 = Step::add(a.first_at(i, dim - i), b.first_at(i, dim - i), sum1);
  return sum((sum0 + sum1) + (sum2 + sum3));
}

template <class R, class Step>
float fold(const float* a, const float* b, std::size_t dim) {
  return fold_operands<R, Step>(Floats<R>{a}, Floats<R>{b}, dim);
}

template <class R>
float fold_l1_f32_i8(const float* a, const std::int8_t* b, float scale, std::size_t dim) {
  return fold_operands<R, L1Step<R>>(Floats<R>{a}, ScaledCodes<R>{b, R::broadcast(scale)}, dim);
}

template <class R>
float fold_l1_i8(const std::int8_t* a, float a_scale, const std::int8_t* b, float b_scale,
                 std::size_t dim) {
  return fold_operands<R, L1Step<R>>(ScaledCodes<R>{a, R::broadcast(a_scale)},
                                     ScaledCodes<R>{b, R::broadcast(b_scale)}, dim);
}

template <class R>
struct CosineAccumulator {
  R product = R::zero(), a_squared = R::zero(), b_squared = R::zero();

  void add(R a, R b) {
    product = multiply_add(a, b, product);
    a_squared = multiply_add(a, a, a_squared);
    b_squared = multiply_add(b, b, b_squared);
  }
};

/// Three sums at once, so two sets of accumulators are enough to keep the units busy.
template <class R>
CosineSums fold_cosine(const float* a, const float* b, std::size_t dim) {
  CosineAccumulator<R> even, odd;
  std::size_t i = 0;
  for (; i + 2 * R::kLanes <= dim; i += 2 * R::kLanes) {
    even.add(R::load(a + i), R::load(b + i));
    odd.add(R::load(a + i + R::kLanes), R::load(b + i + R::kLanes));
  }
  for (; i + R::kLanes <= dim; i += R::kLanes) even.add(R::load(a + i), R::load(b + i));
  if (i < dim) odd.add(R::load_first(a + i, dim - i), R::load_first(b + i, dim - i));
  return {sum(even.product + odd.product), sum(even.a_squared + odd.a_squared),
          sum(even.b_squared + odd.b_squared)};
}

/// One tile of kRows x kColumns results: every register loaded is used kRows or kColumns times.
template <class R, class Step, std::size_t kRows, std::size_t kColumns>
void fold_tile(const float* a, const float* b, std::size_t dim, float* out,
               std::size_t out_stride) {
  R sums[kRows][kColumns];
  for (auto& row : sums) {
    for (R& one : row) one = R::zero();
  }
  const auto step = [&](auto load) {
    R from_b[kColumns];
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kColumns; ++j) from_b[j] = load(b + j * dim);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      const R from_a = load(a + r * dim);
#pragma GCC unroll 8
      for (std::size_t j = 0; j < kColumns; ++j) {
        sums[r][j] = Step::add(from_a, from_b[j], sums[r][j]);
      }
    }
  };
  std::size_t i = 0;
  for (; i + R::kLanes <= dim; i += R::kLanes) {
    step([i](const float* row) { return R::load(row + i); });
  }
  if (i < dim) {
    step([i, dim](const float* row) { return R::load_first(row + i, dim - i); });
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    if constexpr (kColumns == 4) {
      store_sums(sums[r], out + r * out_stride);
    } else {
      for (std::size_t j = 0; j < kColumns; ++j) out[r * out_stride + j] = sum(sums[r][j]);
    }
  }
}

/// Rows of b are taken in panels that stay in a first-level cache while all rows of a pass over
/// them.
template <class R, class Step>
void fold_block(const float* a, std::size_t n_a, const float* b, std::size_t n_b, std::size_t dim,
                float* out) {
  constexpr std::size_t kPanelFloats = 6144;  // 24 kB, of the 32 kB that every CPU has at least
  std::size_t panel = dim == 0 ? n_b : kPanelFloats / dim / R::kTileColumns * R::kTileColumns;
  if (panel < R::kTileColumns) panel = R::kTileColumns;

  for (std::size_t begin = 0; begin < n_b; begin += panel) {
    const std::size_t end = begin + panel < n_b ? begin + panel : n_b;
    std::size_t r = 0;
    for (; r + R::kTileRows <= n_a; r += R::kTileRows) {
      std::size_t j = begin;
      for (; j + R::kTileColumns <= end; j += R::kTileColumns) {
        fold_tile<R, Step, R::kTileRows, R::kTileColumns>(a + r * dim, b + j * dim, dim,
                                                          out + r * n_b + j, n_b);
      }
      for (; j < end; ++j) {
        fold_tile<R, Step, R::kTileRows, 1>(a + r * dim, b + j * dim, dim, out + r * n_b + j, n_b);
      }
    }
    for (; r < n_a; ++r) {
      std::size_t j = begin;
      for (; j + R::kTileColumns <= end; j += R::kTileColumns) {
        fold_tile<R, Step, 1, R::kTileColumns>(a + r * dim, b + j * dim, dim, out + r * n_b + j,
                                               n_b);
      }
      for (; j < end; ++j) out[r * n_b + j] = fold<R, Step>(a + r * dim, b + j * dim, dim);
    }
  }
}

/// The kernels that have registers of their own (code_loops.hpp).
struct CodeKernels {
  decltype(KernelTable::inner_product_i8) inner_product_i8;
  decltype(KernelTable::inner_product_i8_i16) inner_product_i8_i16;
  decltype(KernelTable::masked_sums_x8) masked_sums_x8;
  decltype(KernelTable::table_sums_x32) table_sums_x32;
};

/// The table of one instruction set.
template <class R>
constexpr KernelTable make_table(std::string_view name, const CodeKernels& codes) {
  return {
      .name = name,
      .l2_squared_f32 = fold<R, L2SquaredStep<R>>,
      .inner_product_f32 = fold<R, InnerProductStep<R>>,
      .cosine_sums_f32 = fold_cosine<R>,
      .l1_f32 = fold<R, L1Step<R>>,
      .l2_squared_block_f32 = fold_block<R, L2SquaredStep<R>>,
      .inner_product_block_f32 = fold_block<R, InnerProductStep<R>>,
      .l1_f32_i8 = fold_l1_f32_i8<R>,
      .l1_i8 = fold_l1_i8<R>,
      .inner_product_i8 = codes.inner_product_i8,
      .inner_product_i8_i16 = codes.inner_product_i8_i16,
      .masked_sums_x8 = codes.masked_sums_x8,
      .panel_products_f32 = panel_products<R>,
      .table_sums_x32 = codes.table_sums_x32,
      .estimate_x32 = estimate_block<R>,
      .rotate_f32 = rotate_loop<R>,
      .shortest_digits_f32 = find_shortest_digits<R>,
  };
}

}  // namespace nearest::core
