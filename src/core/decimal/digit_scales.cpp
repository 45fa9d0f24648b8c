#include <array>
#include <cstddef>
#include <cstdint>

#include "core/decimal/shortest_digits.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::core::digits {
namespace {

using Wide = unsigned __int128;

/// 2^exponent / 10^k, cut off to an integer, which must be below 2^128.
constexpr Wide scaled_power(int exponent, int k) {
  // 320 bits, least significant limb first. For k > 0 the division comes last, so the factors of
  // two come first; for k < 0 the power of ten is exact and the shift comes last.
  std::array<std::uint32_t, 10> limbs{};
  const bool divide = k > 0;
  const int first_shift = divide ? exponent : 0;
  limbs[static_cast<std::size_t>(first_shift / 32)] = std::uint32_t{1} << (first_shift % 32);
  for (int i = 0; i < (divide ? k : -k); ++i) {
    std::uint64_t carry = 0;
    if (divide) {
      for (std::size_t j = limbs.size(); j-- > 0;) {
        carry = (carry << 32) | limbs[j];
        limbs[j] = static_cast<std::uint32_t>(carry / 10);
        carry %= 10;
      }
    } else {
      for (std::uint32_t& limb : limbs) {
        carry += std::uint64_t{10} * limb;
        limb = static_cast<std::uint32_t>(carry);
        carry >>= 32;
      }
    }
  }
  const int last_shift = divide ? 0 : exponent;  // to the left; may be negative
  Wide result = 0;
  for (int bit = 127; bit >= 0; --bit) {
    const int from = bit - last_shift;
    const bool set = from >= 0 && from < 320 &&
                     ((limbs[static_cast<std::size_t>(from / 32)] >> (from % 32)) & 1U) != 0;
    result = (result << 1) | (set ? 1U : 0U);
  }
  return result;
}

constexpr ScaleTable make_scales() {
  ScaleTable table{};
  for (std::uint64_t biased = 0; biased < 255; ++biased) {
    // Subnormals share the exponent of biased 1.
    const int e = (biased == 0 ? 1 : static_cast<int>(biased)) - 150;
    const auto k = static_cast<int>(power_of_ten(biased == 0 ? 1 : biased));
    table.scale[biased] = static_cast<std::uint64_t>(scaled_power(e + kFractionBits, k));
  }
  return table;
}

constexpr ScaleTable kComputed = make_scales();

/// k is right exactly if the scale lies in [1, 10).
constexpr bool powers_are_right() {
  for (std::size_t biased = 0; biased < 255; ++biased) {
    if (kComputed.scale[biased] < kOne || kComputed.scale[biased] >= 10 * kOne) return false;
  }
  return true;
}

static_assert(powers_are_right());

/// Whether scale · 10^k = 2^e · kOne holds without remainder, and scale is divisible by four.
constexpr bool is_exact(std::uint64_t biased) {
  // 2^e · kOne · 10^-k = 2^(e + kFractionBits - k) · 5^-k
  const auto k = static_cast<int>(power_of_ten(biased));
  const int twos = static_cast<int>(biased) - 150 + kFractionBits - k;
  if (k > 0 || twos < 2) return false;
  Wide product = Wide{1} << twos;
  for (int i = 0; i < -k; ++i) product *= 5;
  return product == kComputed.scale[biased];
}

constexpr bool exact_range_is_right() {
  for (std::uint64_t biased = kFirstExact; biased <= kLastExact; ++biased) {
    if (!is_exact(biased)) return false;
  }
  return true;
}

static_assert(exact_range_is_right());

}  // namespace

constinit const ScaleTable kScales = kComputed;

}  // namespace nearest::core::digits
