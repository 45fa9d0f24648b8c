/// What a query prepares once for all codes of all lists: products with what each symbol stands
/// for.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/kernels/table.hpp"
#include "core/quantize/code_block.hpp"

namespace nearest::core {

/// A table of 4-bit symbols in 8 bits: <r̂, q> ~ offset + step·(sum of entries). Each entry is off
/// by step/2 at most, so the sum has a standard deviation of step·sqrt(segments/12). After a random
/// rotation that is some percent of what the code itself is off by; where few segments hold most of
/// the variance, as after OPQ, it can be more.
struct ByteTable {
  std::uint8_t* entries;  ///< (segments, 16)
  float offset, step;
  float deviation;  ///< of offset + step·sum
};

inline constexpr std::size_t kTableSymbols = 16;

/// The least and the largest of the sixteen products of a segment.
struct ProductRange {
  float least, most;

  static ProductRange of(const float* products) {
    float least = products[0], most = products[0];
#pragma omp simd reduction(min : least) reduction(max : most)
    for (std::size_t k = 0; k < kTableSymbols; ++k) {
      least = products[k] < least ? products[k] : least;
      most = products[k] > most ? products[k] : most;
    }
    return {least, most};
  }
};

/// products: (segments, 16); entries: (segments, 16), the caller's. One step for all segments, so
/// that sums are whole numbers.
inline ByteTable make_byte_table(const float* products, std::size_t segments,
                                 std::uint8_t* entries) {
  float widest = 0;
  double offset = 0;
  for (std::size_t s = 0; s < segments; ++s) {
    const ProductRange range = ProductRange::of(products + s * kTableSymbols);
    widest = std::max(widest, range.most - range.least);
    offset += static_cast<double>(range.least);
  }
  const float step = widest / 255;
  const float inverse = step > 0 ? 1 / step : 0;
  for (std::size_t s = 0; s < segments; ++s) {
    const float* const from = products + s * kTableSymbols;
    const float least = ProductRange::of(from).least;
#pragma omp simd
    for (std::size_t k = 0; k < kTableSymbols; ++k) {
      constexpr float kHalf = 0.5F;  // cut behind it, which rounds what is not negative
      const auto whole = static_cast<std::int32_t>((from[k] - least) * inverse + kHalf);
      entries[s * kTableSymbols + k] = static_cast<std::uint8_t>(whole > 255 ? 255 : whole);
    }
  }
  const auto deviation = std::sqrt(static_cast<float>(segments) / 12);
  return {entries, static_cast<float>(offset), step, step * deviation};
}

/// Products with sign codes (sign_code.hpp): q: (dim); products: (ceil(dim/4), 16).
inline void sign_products(std::span<const float> q, float* products) {
  constexpr std::size_t kDims = 4;
  for (std::size_t begin = 0; begin < q.size(); begin += kDims, products += kTableSymbols) {
    float four[kDims] = {};
    std::copy_n(q.data() + begin, std::min(kDims, q.size() - begin), four);
    products[0] = -four[0] - four[1] - four[2] - four[3];
    for (std::size_t bit = 0; bit < kDims; ++bit) {
      const std::size_t n = std::size_t{1} << bit;
      for (std::size_t k = 0; k < n; ++k) products[n + k] = products[k] + 2 * four[bit];
    }
  }
}

/// <r̂, q> of one code of 8-bit symbols. products: (segments, 256); code: (segments).
inline float product_of_bytes(const float* products, const std::uint8_t* code,
                              std::size_t segments) {
  constexpr std::size_t kSymbols = 256;
  float sums[4] = {};
  std::size_t s = 0;
  for (; s + 4 <= segments; s += 4) {
    for (std::size_t i = 0; i < 4; ++i) sums[i] += products[(s + i) * kSymbols + code[s + i]];
  }
  for (; s < segments; ++s) sums[0] += products[s * kSymbols + code[s]];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace nearest::core
