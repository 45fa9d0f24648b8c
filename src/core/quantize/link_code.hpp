/// Codes of a node's neighbors, as seen from the node: 1 to 8 bits per rotated dimension.
///
/// A link from node v to neighbor u codes r = u - v by odd levels s_i (1 bit: its signs). With
/// B = 2|r|² / Σ s_i r_i and A = |r|² + B·Σ s_i v_i,
///
///     |q - u|² = |q - v|² + |r|² - 2<r, q - v>  ~  |q - v|² + A - B·Σ s_i q_i,
///
/// because s·|r|²/<s, r> stands for r without bias after a random rotation (RaBitQ, Gao and Long
/// 2024, with the node as the center, as in SymphonyQG, Gou et al. 2025). Only Σ s_i q_i depends on
/// the query, and it needs no v: one prepared query serves all nodes. Only the first coordinates
/// may be coded; |r|² is then still over all.
///
/// The query's coordinates are rounded to signed 4-bit digits, stored by bit planes, so that the
/// sum is a matter of AND and popcount (kernel masked_sums_x8).
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

#include "core/kernels/table.hpp"
#include "core/quantize/scalar_code.hpp"

namespace nearest::core {

inline constexpr std::size_t kLinkGroup = 8;       ///< links that are stored and scored together
inline constexpr std::size_t kMaxCodeBits = 8;     ///< bits per dimension
inline constexpr std::size_t kPlanesPerDigit = 4;  ///< bit planes of a 4-bit digit of the query

/// How links are coded.
struct LinkCodeShape {
  std::uint32_t dim;    ///< of the vectors
  std::uint32_t words;  ///< of 64 bits per plane of a code
  std::uint32_t bits;   ///< planes: bits per coded dimension

  constexpr std::size_t coded_dims() const { return words * 64 < dim ? words * 64 : dim; }
  constexpr std::size_t code_words() const { return std::size_t{words} * bits; }
  /// Two digits of the query where codes of one bit are not the larger error anyway.
  constexpr std::size_t query_digits() const { return bits > 1 ? 2 : 1; }
};

/// Factors are cut to this: points that are so far apart have squares beyond float32, and cut
/// factors only steer worse.
inline constexpr double kLargestFactor = 1e30;

/// The factors of one link.
struct LinkFactors {
  float a;
  float b;
};

/// The step between levels, in standard deviations of a Gaussian, that loses least (Max 1960).
constexpr double level_step(std::uint32_t bits) {
  constexpr double kSteps[] = {0, 1.596, 0.9957, 0.5860, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308};
  return kSteps[bits];
}

/// Bit `bit` of each of 64 bytes, the first byte's lowest.
inline std::uint64_t gather_bits(const std::uint8_t* bytes, int bit) {
  std::uint64_t gathered = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    std::uint64_t eight = 0;
    if constexpr (std::endian::native == std::endian::little) {
      std::memcpy(&eight, bytes + 8 * i, sizeof eight);
    } else {
      for (std::size_t j = 0; j < 8; ++j) eight |= std::uint64_t{bytes[8 * i + j]} << (8 * j);
    }
    // One bit a byte; the product moves bit 8j to bit 56 + j.
    eight = (eight >> bit & 0x0101'0101'0101'0101U) * 0x0102'0408'1020'4080U;
    gathered |= (eight >> 56) << (8 * i);
  }
  return gathered;
}

/// encode_link for codes of one bit: the signs.
inline LinkFactors encode_signs(const LinkCodeShape& shape, std::span<const float> r,
                                std::span<const float> v, std::uint64_t* code) {
  const std::size_t coded = shape.coded_dims(), dim = r.size();
  float squared = 0, with_r = 0, with_v = 0;
#pragma omp simd reduction(+ : squared)
  for (std::size_t i = 0; i < dim; ++i) squared += r[i] * r[i];
  for (std::size_t begin = 0; begin < coded; begin += 64) {
    const std::size_t n = coded - begin < 64 ? coded - begin : 64;
    std::uint8_t is_positive[64] = {};
#pragma omp simd reduction(+ : with_r, with_v)
    for (std::size_t i = 0; i < n; ++i) {
      const float sign = r[begin + i] < 0 ? -1.0F : 1.0F;
      with_r += sign * r[begin + i];
      with_v += sign * v[begin + i];
    }
    for (std::size_t i = 0; i < n; ++i) is_positive[i] = r[begin + i] < 0 ? 0 : 1;
    code[begin / 64 * kLinkGroup] = gather_bits(is_positive, 0);
  }
  const double b = with_r > 0 ? 2.0 * squared / with_r : 0;
  return {static_cast<float>(squared + b * with_v), static_cast<float>(b)};
}

/// Whether factors are what a page may hold.
inline bool are_storable(const LinkFactors& factors) {
  return std::fabs(factors.a) <= static_cast<float>(kLargestFactor) &&
         factors.b <= static_cast<float>(kLargestFactor);
}

/// Codes one link. r, v: (dim), rotated; code: word w of plane p at code[(p·words + w)·kLinkGroup],
/// that is one column of a group.
inline LinkFactors encode_link(const LinkCodeShape& shape, std::span<const float> r,
                               std::span<const float> v, std::uint64_t* code) {
  if (shape.bits == 1) {
    const LinkFactors factors = encode_signs(shape, r, v, code);
    if (are_storable(factors)) return factors;  // else in double, and cut
  }
  const std::size_t coded = shape.coded_dims();
  double squared = 0, coded_squared = 0;
  for (std::size_t i = 0; i < r.size(); ++i) {
    if (i == coded) coded_squared = squared;
    squared += static_cast<double>(r[i]) * r[i];
  }
  if (coded == r.size()) coded_squared = squared;
  for (std::size_t w = 0; w < shape.code_words(); ++w) code[w * kLinkGroup] = 0;

  const double deviation = std::sqrt(coded_squared / static_cast<double>(coded));
  const double step = level_step(shape.bits) * deviation;
  const int half = 1 << (shape.bits - 1);
  const double inverse = step > 0 ? 1 / step : 0;
  double with_r = 0, with_v = 0;
  for (std::size_t i = 0; i < coded; ++i) {
    const double place = std::floor(r[i] * inverse);
    const int level = (place > half - 1 ? half - 1
                       : place > -half  ? static_cast<int>(place)
                                        : -half) +  // NaN too
                      half;
    const int odd = 2 * level - (2 * half - 1);
    with_r += odd * static_cast<double>(r[i]);
    with_v += odd * static_cast<double>(v[i]);
    for (std::uint32_t p = 0; p < shape.bits; ++p) {
      const auto bit = static_cast<std::uint64_t>(level >> p & 1);
      code[(std::size_t{p} * shape.words + i / 64) * kLinkGroup] |= bit << (i % 64);
    }
  }
  const double b = with_r > 0 ? std::fmin(2 * squared / with_r, kLargestFactor) : 0;
  const double a = std::fmax(std::fmin(squared + b * with_v, kLargestFactor), -kLargestFactor);
  return {static_cast<float>(a), static_cast<float>(b)};
}

/// |r|² as the factors remember it: after a rotation Σ s_i r_i is nearly a constant times |r|, so
/// B alone says how long the link is (within a few percent at hundreds of coded dimensions).
inline double link_length_squared(const LinkCodeShape& shape, double b) {
  // s_i·step/2 stands for r_i with the least mean square error D, so their mean product is 1 - D.
  constexpr double kErrors[] = {0, 0.3634, 0.1188, 0.03744, 0.01154, 0.00349, 0.00104, 3e-4, 1e-4};
  const double dim = shape.dim, coded = static_cast<double>(shape.coded_dims());
  const double sum_per_length =
      2 * coded * (1 - kErrors[shape.bits]) / (level_step(shape.bits) * std::sqrt(dim));
  const double length = b * sum_per_length / 2;
  return length * length;
}

/// A query as link codes are scored against it.
struct LinkQuery {
  const std::uint64_t* planes;  ///< (digits, words, kPlanesPerDigit), high digit first
  double unit;                  ///< Σ s_i q_i = unit·(2·Σ level_i p_i - odd_offset)
  double odd_offset;            ///< (2^bits - 1)·Σ p_i
};

constexpr std::size_t link_query_words(const LinkCodeShape& shape) {
  return shape.query_digits() * shape.words * kPlanesPerDigit;
}

/// Prepares a query; planes: link_query_words(shape), owned by the caller.
inline LinkQuery encode_link_query(const LinkCodeShape& shape, std::span<const float> q,
                                   std::uint64_t* planes) {
  const std::size_t coded = shape.coded_dims();
  float largest = 0;
  for (std::size_t i = 0; i < coded; ++i)
    largest = std::fabs(q[i]) > largest ? std::fabs(q[i]) : largest;
  const bool two_digits = shape.query_digits() == 2;
  const int limit = two_digits ? 16 * 7 + 7 : 7;
  // Too small for a unit of full precision, whose inverse would be infinite: a query of zeros.
  const float exact_unit = largest / static_cast<float>(limit);
  const bool has_unit = exact_unit >= std::numeric_limits<float>::min();
  const float unit = has_unit ? exact_unit : 1.0F;
  const float inverse = has_unit ? 1.0F / unit : 0.0F;
  const std::size_t digit_words = std::size_t{shape.words} * kPlanesPerDigit;
  for (std::size_t w = 0; w < link_query_words(shape); ++w) planes[w] = 0;
  std::int64_t sum = 0;
  for (std::size_t begin = 0; begin < coded; begin += 64) {
    // Whole numbers first, a vector loop; then their bits, eight numbers at a time.
    const std::size_t n = coded - begin < 64 ? coded - begin : 64;
    std::int16_t whole[64] = {};
    std::int32_t part = 0;
#pragma omp simd reduction(+ : part)
    for (std::size_t i = 0; i < n; ++i) {
      const auto rounded = static_cast<std::int32_t>(round_small(q[begin + i] * inverse));
      whole[i] = static_cast<std::int16_t>(rounded);
      part += rounded;
    }
    sum += part;
    std::uint8_t high[64], low[64];
    if (two_digits) {
#pragma omp simd
      for (std::size_t i = 0; i < 64; ++i) {
        // The low digit in [-8, 8), the high one what is left.
        const int rest = ((whole[i] + 8) & 15) - 8;
        low[i] = static_cast<std::uint8_t>(rest);
        high[i] = static_cast<std::uint8_t>((whole[i] - rest) / 16);
      }
    } else {
#pragma omp simd
      for (std::size_t i = 0; i < 64; ++i) high[i] = static_cast<std::uint8_t>(whole[i]);
    }
    for (std::size_t p = 0; p < kPlanesPerDigit; ++p) {
      planes[begin / 64 * kPlanesPerDigit + p] = gather_bits(high, static_cast<int>(p));
      if (two_digits) {
        planes[digit_words + begin / 64 * kPlanesPerDigit + p] =
            gather_bits(low, static_cast<int>(p));
      }
    }
  }
  const double odd = (1 << shape.bits) - 1;
  return {planes, unit, odd * static_cast<double>(sum)};
}

/// Σ s_i q_i of the eight links of a group; codes: (code_words, kLinkGroup).
inline void score_link_group(const LinkCodeShape& shape, const LinkQuery& query,
                             const std::uint64_t* codes, float* sums) {
  std::int32_t total[kLinkGroup];
  const KernelTable& table = kernels();
  const std::size_t plane_stride = std::size_t{shape.words} * kLinkGroup;
  if (shape.bits == 1) {
    table.masked_sums_x8(codes, shape.words, query.planes, total);
  } else {
    for (std::int32_t& one : total) one = 0;
    const std::uint64_t* const low = query.planes + std::size_t{shape.words} * kPlanesPerDigit;
    for (std::uint32_t p = 0; p < shape.bits; ++p) {
      std::int32_t high_sums[kLinkGroup], low_sums[kLinkGroup];
      table.masked_sums_x8(codes + p * plane_stride, shape.words, query.planes, high_sums);
      table.masked_sums_x8(codes + p * plane_stride, shape.words, low, low_sums);
      for (std::size_t j = 0; j < kLinkGroup; ++j) {
        total[j] += (16 * high_sums[j] + low_sums[j]) * (1 << p);
      }
    }
  }
  const auto unit = static_cast<float>(query.unit);
  const auto offset = static_cast<float>(query.odd_offset);
  for (std::size_t j = 0; j < kLinkGroup; ++j) {
    sums[j] = unit * (2.0F * static_cast<float>(total[j]) - offset);
  }
}

}  // namespace nearest::core
