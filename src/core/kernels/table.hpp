/// The hot loops, as one pointer per operation and element type.
///
/// Every pointer of every table follows the contract stated here, whatever the instruction set:
/// any dimension from 0 up, any alignment, no allocation, no failure, no state.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "core/decimal/shortest_digits.hpp"

namespace nearest::core {

/// The three sums that a cosine is made of, from one pass over both vectors.
struct CosineSums {
  float product;    ///< Σ a_i·b_i
  float a_squared;  ///< Σ a_i²
  float b_squared;  ///< Σ b_i²
};

/// Pairwise kernels take two vectors of `dim` elements. They sum in float32, in several partial
/// sums, so the relative error of a sum of non-negative terms stays below (dim / 16 + 8) · 2^-24;
/// the order of the additions, and so the last bits, differ between instruction sets.
/// Sums that leave the range of float32 become infinite; cosine sums may then give NaN later.
///
/// Block kernels score every row of a against every row of b:
/// a: (n_a, dim) row-major; b: (n_b, dim) row-major; out: (n_a, n_b) row-major.
struct KernelTable {
  std::string_view name;  ///< of the instruction set: "baseline", "avx2", "avx512", "neon"

  float (*l2_squared_f32)(const float* a, const float* b, std::size_t dim);  ///< Σ (a_i - b_i)²
  float (*inner_product_f32)(const float* a, const float* b, std::size_t dim);  ///< Σ a_i·b_i
  CosineSums (*cosine_sums_f32)(const float* a, const float* b, std::size_t dim);
  float (*l1_f32)(const float* a, const float* b, std::size_t dim);  ///< Σ |a_i - b_i|

  void (*l2_squared_block_f32)(const float* a, std::size_t n_a, const float* b, std::size_t n_b,
                               std::size_t dim, float* out);
  void (*inner_product_block_f32)(const float* a, std::size_t n_a, const float* b, std::size_t n_b,
                                  std::size_t dim, float* out);

  /// The decimal digits of n <= DigitsBlock::kSize finite numbers; signs are left to the caller.
  void (*shortest_digits_f32)(const float* values, std::size_t n, DigitsBlock& out);
};

/// The table in use: the best one for this CPU unless another was chosen. Never null.
/// Choosing is not synchronized: it belongs to start-up, tests and benchmarks.
const KernelTable& kernels() noexcept;

/// The tables that this CPU can run, slowest first; the first is always "baseline".
std::span<const KernelTable* const> available_kernels() noexcept;

/// Makes the named table the one in use; "auto" means the best. False if this CPU has none so
/// named.
bool choose_kernels(std::string_view name) noexcept;

}  // namespace nearest::core
