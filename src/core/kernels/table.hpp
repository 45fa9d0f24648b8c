/// The hot loops, as one pointer per operation and element type.
///
/// Every pointer of every table follows the contract stated here, whatever the instruction set:
/// any dimension from 0 up, any alignment, no allocation, no failure, no state.
#pragma once

#include <cstddef>
#include <cstdint>
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

inline constexpr double kUnitRoundoff = 0x1p-24;  ///< of float32

/// Bound of the relative error of a kernel's float32 sum of non-negative terms over dim elements,
/// on every instruction set: sixteen partial sums at least, what is left over at the end, their
/// sum, and the rounding of the terms themselves. Against the sum of magnitudes for terms of any
/// sign.
constexpr double kernel_error(std::size_t dim) {
  return (static_cast<double>(dim) / 16 + 10) * kUnitRoundoff;
}
/// The same of each of the cosine's sums, which have half as many partial sums.
constexpr double cosine_kernel_error(std::size_t dim) {
  return (static_cast<double>(dim) / 8 + 10) * kUnitRoundoff;
}

/// The same of the sums of panel_products_f32, which have no partial sums.
constexpr double panel_error(std::size_t dim) {
  return (static_cast<double>(dim) + 1) * kUnitRoundoff;
}

/// What belongs to the 32 codes of a block (core/quantize/estimator.hpp), each (32).
struct CodeFactors32 {
  const float *a, *b, *error;
};

/// What one query and one list make of the sums of a block.
struct EstimateTerms {
  float base;          ///< the list's part of every estimate
  float offset, step;  ///< <r̂, q> is about offset + step·sum
  float slack;         ///< what a code's error is worth in this list
  float rounding;      ///< what offset + step·sum may be off by
  float limit;         ///< codes whose bound is above it are of no interest
};

/// Pairwise kernels take two vectors of `dim` elements. They sum in float32, with errors below
/// kernel_error, resp. cosine_kernel_error; the order of the additions, and so the last bits,
/// differ between instruction sets. Sums that leave the range of float32 become infinite; cosine
/// sums may then give NaN later.
///
/// Block kernels score every row of a against every row of b. They are for
/// the training of centroids, which scores samples against all centroids at once.
/// a: (n_a, dim) row-major; b: (n_b, dim) row-major; out: (n_a, n_b) row-major.
///
/// Codes of 8 bits are in [-127, 127]: with -128, as on a damaged page, results are any number. No
/// kernel reads outside of the arrays that it is given, not even for the tail of a vector.
struct KernelTable {
  std::string_view name;  ///< "baseline", "avx2", "avx512", "avx512vnni" or "neon"

  float (*l2_squared_f32)(const float* a, const float* b, std::size_t dim);  ///< Σ (a_i - b_i)²
  float (*inner_product_f32)(const float* a, const float* b, std::size_t dim);  ///< Σ a_i·b_i
  CosineSums (*cosine_sums_f32)(const float* a, const float* b, std::size_t dim);
  float (*l1_f32)(const float* a, const float* b, std::size_t dim);  ///< Σ |a_i - b_i|

  void (*l2_squared_block_f32)(const float* a, std::size_t n_a, const float* b, std::size_t n_b,
                               std::size_t dim, float* out);
  void (*inner_product_block_f32)(const float* a, std::size_t n_a, const float* b, std::size_t n_b,
                                  std::size_t dim, float* out);

  /// Σ |a_i - scale·b_i| and Σ |a_scale·a_i - b_scale·b_i|. Each product is rounded to float32
  /// before the subtraction, so that equal codes of equal scale have distance zero; the rest is as
  /// above.
  float (*l1_f32_i8)(const float* a, const std::int8_t* b, float scale, std::size_t dim);
  float (*l1_i8)(const std::int8_t* a, float a_scale, const std::int8_t* b, float b_scale,
                 std::size_t dim);

  /// Σ a_i·b_i, exact. The first for dim <= 16,384; the second as long as 127 · Σ |b_i| < 2^31.
  std::int32_t (*inner_product_i8)(const std::int8_t* a, const std::int8_t* b, std::size_t dim);
  std::int32_t (*inner_product_i8_i16)(const std::int8_t* a, const std::int16_t* b,
                                       std::size_t dim);

  /// Eight codes of one bit per dimension against a query of four bits per dimension, exact:
  /// sums[j] = Σ over the set bits i of code j of value_i, where bit i of the query's four planes
  /// makes value_i = -8·bit3 + 4·bit2 + 2·bit1 + bit0, in [-8, 7]. words < 2^22, of 64 dimensions.
  /// codes: (words, 8), word w of code j at [w·8 + j]; planes: (words, 4); sums: (8).
  void (*masked_sums_x8)(const std::uint64_t* codes, std::size_t words, const std::uint64_t* planes,
                         std::int32_t* sums);

  /// Products of rows with a panel of vectors that is stored by columns: nearer to what the CPU can
  /// do than the block kernels, for whoever scores many rows against the same vectors.
  /// out[r·width + j] = Σ_i a[r·dim + i]·panel[i·width + j].
  /// a: (n, dim); panel: (dim, width), width a multiple of 16; out: (n, width). Each sum is taken
  /// one element after another: its error is below panel_error(dim) of the sum of magnitudes.
  void (*panel_products_f32)(const float* a, std::size_t n, std::size_t dim, const float* panel,
                             std::size_t width, float* out);

  /// 32 codes of `segments` symbols of 4 bits, whose entries of 8 bits are looked up and summed,
  /// exactly: sums[j] = Σ_s tables[16·s + symbol_s of code j]. segments < 2^16.
  /// codes: (segments, 16), byte i of row s holds the symbols of codes i (low half) and i + 16;
  /// tables: (segments, 16); sums: (32).
  void (*table_sums_x32)(const std::uint8_t* codes, const std::uint8_t* tables,
                         std::size_t segments, std::uint32_t* sums);

  /// bounds[j] = base + a_j - b_j·(offset + step·sums[j]) - (slack·error_j + rounding·b_j), sums
  /// below 2^24. Returns a mask of those <= limit. In float32, so the last bits differ between
  /// instruction sets: who compares bounds has to take these, not to compute them again.
  std::uint32_t (*estimate_x32)(const std::uint32_t* sums, const CodeFactors32& factors,
                                const EstimateTerms& terms, float* bounds);

  /// The rotation of core/rotate/hadamard.hpp, in place: the same bits on all sets.
  void (*rotate_f32)(float* x, std::size_t dim, std::uint64_t seed);

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
