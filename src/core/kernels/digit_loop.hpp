/// The loop that finds shortest decimal digits (decimal/shortest_digits.hpp), written once and
/// compiled for each instruction set. R is only a tag that keeps the instances of different files
/// apart.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/decimal/shortest_digits.hpp"

namespace nearest::core {

// Truth values are 0 and 1 in 64 bits: compilers vectorize that, but not a mixture of comparisons
// of different widths. R again keeps the instances apart.

/// 1 if a < b; both below 2^63.
template <class R>
constexpr std::uint64_t less(std::uint64_t a, std::uint64_t b) {
  return (a - b) >> 63;
}

/// a if condition is 1, b if it is 0.
template <class R>
constexpr std::uint64_t select(std::uint64_t condition, std::uint64_t a, std::uint64_t b) {
  return b ^ ((a ^ b) & (0 - condition));
}

/// Without a branch, in 64-bit lanes, and with products of 32-bit halves only, so that compilers
/// turn it into vector code; for real data the branches would be coin tosses anyway.
template <class R>
void find_shortest_digits(const float* values, std::size_t n, DigitsBlock& out) {
  using namespace digits;
  constexpr std::uint64_t kLow32 = 0xFFFF'FFFF;
  constexpr int kPartBits = kFractionBits - 32;  // of the fraction, above its low 32 bits

#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t magnitude = __builtin_bit_cast(std::uint32_t, values[i]) & 0x7FFF'FFFFU;
    const std::uint64_t m = (magnitude & 0x7F'FFFF) | 0x80'0000;
    const std::uint64_t biased = magnitude >> 23;
    const std::uint64_t scale = kScales.scale[biased];

    // x = m · scale in two parts: whole, below 10·2^24, and what is behind the point.
    const std::uint64_t low = m * (scale & kLow32);
    const std::uint64_t high = m * (scale >> 32) + (low >> 32);
    const std::uint64_t whole = high >> kPartBits;
    const std::uint64_t part =
        ((high & ((std::uint64_t{1} << kPartBits) - 1)) << 32) | (low & kLow32);

    // The distances to the multiples of ten on both sides, against half a step. At most one is
    // inside.
    const std::uint64_t asymmetric = less<R>(m ^ 0x80'0000, 1);
    const std::uint64_t half_up = scale >> 1;
    const std::uint64_t half_down = half_up >> asymmetric;
    const std::uint64_t tens = ((whole * 3'435'973'837) >> 35) * 10;  // whole / 10 * 10
    const std::uint64_t above = ((whole - tens) << kFractionBits) + part;
    const std::uint64_t below = 10 * kOne - above;
    const std::uint64_t down = less<R>(above, half_down);
    const std::uint64_t up = less<R>(below, half_up);

    // Else the nearest multiple of one; from the middle to the even one.
    const std::uint64_t tie = less<R>(part ^ (kOne / 2), 1);
    const std::uint64_t round_up = select<R>(tie, whole & 1, part >> (kFractionBits - 1));

    const std::uint64_t inexact = less<R>(biased, kFirstExact) | less<R>(kLastExact, biased);
    const std::uint64_t close = less<R>((above - half_down + kDoubt) >> kDoubtBits, 1) |
                                less<R>((below - half_up + kDoubt) >> kDoubtBits, 1) |
                                less<R>((part - kOne / 2 + kDoubt) >> kDoubtBits, 1) | asymmetric;
    const std::uint64_t outside =
        asymmetric & ~(down | up | round_up | less<R>(part, half_down)) & 1;
    const std::uint64_t zero = less<R>(magnitude, 1);
    out.is_open[i] = ((inexact & close) | outside | less<R>(biased, 1)) & ~zero;

    // Seven to nine digits, made nine by zeros at the end. Zero has them all.
    std::uint64_t nine = select<R>(down | up, tens + 10 * up, whole + round_up);
    nine = select<R>(zero, 0, nine);
    std::uint64_t missing = 0;
    for (int j = 0; j < 2; ++j) {
      const std::uint64_t is_short = less<R>(nine, 100'000'000);
      nine = select<R>(is_short, nine * 10, nine);
      missing += is_short;
    }
    const std::uint64_t power = select<R>(zero, 0, power_of_ten(biased) + 8 - missing);

    // One digit and eight more; then fields of four digits, of two, of one, each half as wide as
    // the one before. All divisions are exact by multiplication in the range that they are used in.
    const std::uint64_t first = (nine * 1'441'151'881) >> 57;  // nine / 10^8
    const std::uint64_t eight = nine - first * 100'000'000;
    const std::uint64_t upper_four = (eight * 3'518'437'209) >> 45;  // eight / 10^4
    const std::uint64_t fours = upper_four + ((eight - upper_four * 10'000) << 32);
    const std::uint64_t upper_twos = ((fours * 10'486) >> 20) & 0x0000'007F'0000'007F;
    const std::uint64_t twos = upper_twos + ((fours - upper_twos * 100) << 16);
    const std::uint64_t upper_ones = ((twos * 103) >> 10) & 0x000F'000F'000F'000F;
    out.first[i] = first;
    out.rest[i] = upper_ones + ((twos - upper_ones * 10) << 8);
    out.exponent[i] = static_cast<std::int64_t>(power);
  }
}

}  // namespace nearest::core
