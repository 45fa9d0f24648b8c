/// The fewest decimal digits that read back as a given float32, many numbers at a time.
///
/// A float32 is m·2^e with m < 2^24. All decimals nearer to it than half a step, 2^(e-1), read back
/// as it. With k = floor(log10(2^e)) that open interval of width 2^e >= 10^k holds one or more
/// multiples of 10^k and at most one multiple of 10^(k+1). So the shortest decimal is the multiple
/// of 10^(k+1) in the interval if there is one (without its trailing zeros), else the multiple of
/// 10^k nearest to m·2^e. (The case distinction of Giulietti, "The Schubfach way to render
/// doubles", 2020.)
///
/// The kernels compute m·2^e / 10^k in fixed point with kFractionBits bits behind the point. The
/// scale 2^e / 10^k lies in [1, 10). For exponents from kFirstExact to kLastExact it has no more
/// bits than that, so that all is exact: ends of the interval do not count as inside (PostgreSQL
/// does not rely on readers to round them), and the middle between two multiples goes to the even
/// one. Elsewhere the scale is cut off at its last bit and the product comes out too small by less
/// than 2^24 units of that bit: a comparison that more than kDoubt units decide is decided rightly.
/// The few numbers for which one is closer than that are left open. So are subnormals, and those
/// powers of two whose interval, half as wide below, holds no multiple of 10^k or not the nearest.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nearest::core {

/// Digits of up to kSize numbers, as arrays so that a register holds the same field of several.
struct DigitsBlock {
  static constexpr std::size_t kSize = 64;

  /// Number i is first . rest · 10^exponent with one digit before the point and eight behind it.
  std::uint64_t first[kSize];
  std::uint64_t rest[kSize];  ///< a digit per byte, 0 to 9, the first in the lowest byte
  std::int64_t exponent[kSize];
  std::uint64_t is_open[kSize];  ///< not 0: the other fields hold nothing, the caller must decide
};

namespace digits {

inline constexpr int kFractionBits = 59;  // ten times one must fit 63 bits: AVX2 compares signed
inline constexpr std::uint64_t kOne = std::uint64_t{1} << kFractionBits;
inline constexpr int kDoubtBits = 27;  // a difference is doubtful if it is in [-kDoubt, kDoubt)
inline constexpr std::uint64_t kDoubt = std::uint64_t{1} << (kDoubtBits - 1);

/// floor(2^e / 10^k · kOne) by the eight exponent bits of a float32. The last entry is 0: it
/// belongs to NaN and infinities, which have no digits but must not be read out of bounds either.
struct ScaleTable {
  std::uint64_t scale[256];
};

extern const ScaleTable kScales;

/// k = floor(log10(2^e)), modulo 2^64, for e = biased - 150. 78913 / 2^18 is log10(2) to 1.1e-6,
/// which is enough for all these exponents (checked where the scales are made).
// Always inlined, so that no copy compiled for one instruction set serves the others.
[[gnu::always_inline]] constexpr std::uint64_t power_of_ten(std::uint64_t biased) {
  constexpr std::uint64_t kUp = 64;  // keeps the product positive
  return ((biased * 78'913 + (kUp << 18) - std::uint64_t{150} * 78'913) >> 18) - kUp;
}

/// Biased exponents, e + 150, between which scales are exact and divisible by four: 10^-k is an
/// integer there (e <= 3), and its factor 2^-k with 2^e · kOne still has two bits to give.
inline constexpr std::uint64_t kFirstExact = 80;
inline constexpr std::uint64_t kLastExact = 153;

}  // namespace digits
}  // namespace nearest::core
