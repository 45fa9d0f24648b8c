/// A residual in 16 bits per dimension: binary16 of its elements divided by the largest, which is
/// the scale, so that whatever is in range of float32 is in range here.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace nearest::core {

/// The nearest binary16 of |x| <= 1, ties to even.
constexpr std::uint16_t to_half(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFF'FFFFU;
  constexpr std::uint32_t kLeastNormal = 0x3880'0000U;  // 2^-14
  if (magnitude < kLeastNormal) {
    // Whole multiples of 2^-24, rounded by an addition that leaves no digits below.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(sign |
                                      (std::bit_cast<std::uint32_t>(shifted) - 0x3F00'0000U));
  }
  const std::uint32_t odd = magnitude >> 13 & 1U;
  const std::uint32_t rounded = magnitude - 0x3800'0000U + 0xFFFU + odd;
  return static_cast<std::uint16_t>(sign | rounded >> 13);
}

constexpr float from_half(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16;
  const std::uint32_t magnitude = half & 0x7FFFU;
  if (magnitude < 0x0400U) {
    const float value = static_cast<float>(magnitude) * 0x1p-24F;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(value));
  }
  return std::bit_cast<float>(sign | ((magnitude << 13) + 0x3800'0000U));
}

/// z: (r.size()) with |z| <= 1; returns the scale, so that r is about scale · z. The elements must
/// be finite.
inline float encode_half(std::span<const float> r, std::uint16_t* z) {
  float scale = 0;
  for (const float x : r) scale = std::fabs(x) > scale ? std::fabs(x) : scale;
  const float divisor = scale > 0 ? scale : 1;
  for (std::size_t i = 0; i < r.size(); ++i) z[i] = to_half(r[i] / divisor);
  return scale;
}

}  // namespace nearest::core
