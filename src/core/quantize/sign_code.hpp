/// Codes of residuals of one bit per dimension, and what more bits add to them (RaBitQ, Gao and
/// Long 2024; Gao et al. 2025).
///
/// With n bits, dimension i is an odd level z_i = 2·w_i + 1, w_i in [-2^(n-1), 2^(n-1)); r̂ = z.
/// The first bit is the sign, four of which are one symbol of code_block.hpp; the other n - 1 bits
/// are kept apart, for those codes that the first bit leaves in question.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

#include "core/quantize/code_block.hpp"
#include "core/quantize/estimator.hpp"
#include "core/quantize/scalar_code.hpp"

namespace nearest::core {

constexpr std::size_t sign_segments(std::size_t dim) { return (dim + 3) / 4; }

/// The bits of a byte, apart so that eight signs are handled without branches or shifts, which
/// would depend on data that nobody can guess.
inline constexpr std::uint32_t kByteBits[8] = {1, 2, 4, 8, 16, 32, 64, 128};

/// row: (code_row_bytes(sign_segments(dim))); bits behind the last dimension are zero.
inline void encode_sign_row(std::span<const float> r, std::uint8_t* row) {
  const auto byte_of = [](const float* from, std::size_t n) {
    std::uint32_t byte = 0;
#pragma omp simd reduction(| : byte)
    for (std::size_t i = 0; i < n; ++i) byte |= from[i] < 0 ? 0U : kByteBits[i];
    return static_cast<std::uint8_t>(byte);
  };
  const std::size_t whole = r.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) row[i / 8] = byte_of(r.data() + i, 8);
  if (whole < r.size()) row[whole / 8] = byte_of(r.data() + whole, r.size() - whole);
}

/// What the signs of n dimensions stand for: 1 and -1. decoded: (n)
inline void decode_sign_row(const std::uint8_t* row, std::size_t n, float* decoded) {
  const auto decode_byte = [](std::uint32_t byte, std::size_t n_signs, float* to) {
#pragma omp simd
    for (std::size_t i = 0; i < n_signs; ++i) to[i] = (byte & kByteBits[i]) != 0 ? 1.0F : -1.0F;
  };
  const std::size_t whole = n / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) decode_byte(row[i / 8], 8, decoded + i);
  if (whole < n) decode_byte(row[whole / 8], n - whole, decoded + whole);
}

/// The factors of a code of one bit.
inline CodeFactors sign_factors(EstimateOf what, std::span<const float> r, const float* c) {
  double rr = 0, kr = 0, kc = 0, rc = 0;
  const std::size_t dim = r.size();
  const float* const residual = r.data();
#pragma omp simd reduction(+ : rr, kr, kc, rc)
  for (std::size_t i = 0; i < dim; ++i) {
    const double ri = residual[i], ci = c[i];
    const double sign = residual[i] < 0 ? -1.0 : 1.0;
    rr += ri * ri;
    kr += sign * ri;
    kc += sign * ci;
    rc += ri * ci;
  }
  return make_factors(what, {rr, static_cast<double>(dim), kr, kc, rc}, dim);
}

/// Levels for n >= 2 bits; w: (dim). The grid's width is the one of a few that keeps the direction
/// best. Returns the scale of z = 2·w + 1 that makes |r - scale·z| least.
inline float encode_levels(std::span<const float> r, unsigned bits, std::int8_t* w) {
  constexpr float kSteps[] = {
      0,       1.596F,  0.9957F, 0.5860F, 0.3352F,
      0.1881F, 0.1041F, 0.0569F, 0.0308F};  // of a Gaussian's least error (Max 1960)
  constexpr float kWidths[] = {0.85F, 0.92F, 1.0F, 1.08F, 1.17F, 1.27F, 1.4F};
  const std::size_t dim = r.size();
  double squared = 0;
  for (const float x : r) squared += static_cast<double>(x) * x;
  const auto deviation = static_cast<float>(std::sqrt(squared / static_cast<double>(dim)));
  const auto half = static_cast<float>(1U << (bits - 1));
  const float lowest = bits == 8 ? -127 : -half;  // kernels of 8-bit codes know no -128
  if (!(deviation >= std::numeric_limits<float>::min())) {
    std::memset(w, 0, dim);
    return 0;
  }
  // Of x in steps: half a level down and rounded is the floor.
  const auto level = [half, lowest](float steps) {
    const float down = round_small(steps - 0.5F);
    const float most = half - 1;
    return std::max(std::min(down, most), lowest);
  };
  const float* const residual = r.data();
  float best_inverse = 0;
  double best = -1, scale = 0;
  for (const float width : kWidths) {
    const float inverse = 1 / (width * kSteps[bits] * deviation);
    // In steps no sum is too large for a float, and only their ratio is of interest.
    float zr = 0, zz = 0;
#pragma omp simd reduction(+ : zr, zz)
    for (std::size_t i = 0; i < dim; ++i) {
      const float steps = residual[i] * inverse;
      const float z = 2 * level(steps) + 1;
      zr += z * steps;
      zz += z * z;
    }
    const double product = static_cast<double>(zr) / inverse, square = zz;
    if (product * product / square > best) {
      best = product * product / square;
      best_inverse = inverse;
      scale = product / square;
    }
  }
#pragma omp simd
  for (std::size_t i = 0; i < dim; ++i) {
    w[i] = static_cast<std::int8_t>(static_cast<int>(level(residual[i] * best_inverse)));
  }
  return static_cast<float>(scale);
}

/// Bytes of the bits beside the sign.
constexpr std::size_t extra_bits_bytes(std::size_t dim, unsigned bits) {
  return (dim + 7) / 8 * (bits - 1);
}

/// Splits levels in signs, as in encode_sign_row, and the rest: eight dimensions in bits - 1 bytes,
/// the first lowest. extra: (extra_bits_bytes(dim, bits)).
inline void pack_levels(const std::int8_t* w, std::size_t dim, unsigned bits, std::uint8_t* row,
                        std::uint8_t* extra) {
  const unsigned rest = bits - 1, mask = (1U << rest) - 1U;
  std::memset(row, 0, code_row_bytes(sign_segments(dim)));
  for (std::size_t begin = 0; begin < dim; begin += 8, extra += rest) {
    std::uint64_t eight = 0;
    for (std::size_t i = begin; i < dim && i < begin + 8; ++i) {
      const unsigned bit = w[i] < 0 ? 0 : 1;
      row[i / 8] = static_cast<std::uint8_t>(row[i / 8] | bit << (i % 8));
      eight |= std::uint64_t{static_cast<unsigned>(w[i]) & mask} << (rest * (i - begin));
    }
    for (unsigned byte = 0; byte < rest; ++byte) {
      extra[byte] = static_cast<std::uint8_t>(eight >> (8 * byte));
    }
  }
}

/// Eight fields of `width` < 8 bits, one after another, become eight bytes, by halves.
constexpr std::uint64_t spread_fields(std::uint64_t x, unsigned width) {
  const std::uint64_t one = (std::uint64_t{1} << width) - 1U;
  const std::uint64_t two = (std::uint64_t{1} << (2 * width)) - 1U;
  const std::uint64_t four = (std::uint64_t{1} << (4 * width)) - 1U;
  x = (x & four) | (x >> (4 * width) & four) << 32;
  x = (x & two * 0x0000'0001'0000'0001U) | (x >> (2 * width) & two * 0x0000'0001'0000'0001U) << 16;
  return (x & one * 0x0001'0001'0001'0001U) | (x >> width & one * 0x0001'0001'0001'0001U) << 8;
}

/// A byte of 1 for each bit of a byte that is clear.
constexpr std::uint64_t bytes_of_clear_bits(std::uint8_t bits) {
  const std::uint64_t all =
      std::uint64_t{static_cast<std::uint8_t>(~bits)} * 0x0101'0101'0101'0101U;
  return ((all & 0x8040'2010'0804'0201U) + 0x7F7F'7F7F'7F7F'7F7FU) >> 7 & 0x0101'0101'0101'0101U;
}

/// unpack_levels for kRest bits beside the sign, so that shifts are constants.
template <unsigned kRest>
void unpack_levels_of(const std::uint8_t* row, const std::uint8_t* extra, std::size_t dim,
                      std::int8_t* w) {
  constexpr std::uint64_t kNegative = 0xFFU << kRest & 0xFFU;  // two's complement has it in front
  const auto group = [&](std::size_t g) {
    std::uint64_t eight = 0;
    const std::uint8_t* const bytes = extra + g * kRest;
#pragma GCC unroll 8
    for (unsigned i = 0; i < kRest; ++i) eight |= std::uint64_t{bytes[i]} << (8 * i);
    return spread_fields(eight, kRest) | kNegative * bytes_of_clear_bits(row[g]);
  };
  const std::size_t whole = dim / 8;
  for (std::size_t g = 0; g < whole; ++g) {
    const std::uint64_t eight = group(g);
#pragma GCC unroll 8
    for (unsigned i = 0; i < 8; ++i) {
      w[8 * g + i] = static_cast<std::int8_t>(static_cast<std::uint8_t>(eight >> (8 * i)));
    }
  }
  if (dim % 8 == 0) return;
  const std::uint64_t last = group(whole);
  for (std::size_t i = 0; i < dim % 8; ++i) {
    w[8 * whole + i] = static_cast<std::int8_t>(static_cast<std::uint8_t>(last >> (8 * i)));
  }
}

/// Puts together what pack_levels split; w: (dim).
inline void unpack_levels(const std::uint8_t* row, const std::uint8_t* extra, std::size_t dim,
                          unsigned bits, std::int8_t* w) {
  switch (bits) {
    case 2:
      return unpack_levels_of<1>(row, extra, dim, w);
    case 3:
      return unpack_levels_of<2>(row, extra, dim, w);
    case 4:
      return unpack_levels_of<3>(row, extra, dim, w);
    case 5:
      return unpack_levels_of<4>(row, extra, dim, w);
    case 6:
      return unpack_levels_of<5>(row, extra, dim, w);
    case 7:
      return unpack_levels_of<6>(row, extra, dim, w);
    default:
      return unpack_levels_of<7>(row, extra, dim, w);
  }
}

}  // namespace nearest::core
