#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/decimal/shortest_digits.hpp"
#include "core/kernels/table.hpp"
#include "format/ascii_words.hpp"
#include "format/float_text.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::format {
namespace {

using core::DigitsBlock;

void store(char* out, std::uint64_t word) { std::memcpy(out, &word, sizeof word); }

char ascii(std::uint64_t digit) { return static_cast<char>('0' + digit); }

/// A decimal of few digits: digits · 10^exponent.
struct Decimal {
  std::uint32_t digits;
  int exponent;

  /// Correctly rounded.
  double value() const {
    char text[32];
    char* end = std::to_chars(text, text + sizeof text, digits).ptr;
    *end++ = 'e';
    end = std::to_chars(end, text + sizeof text, exponent).ptr;
    double value = 0;
    std::from_chars(text, end, value);
    return value;
  }
};

/// The decimal of n_digits that is nearest to `value`.
Decimal nearest_decimal(float value, int n_digits) {
  char text[32];
  const char* const end =
      std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, n_digits - 1)
          .ptr;
  Decimal decimal{0, 0};
  const char* at = text;
  for (; *at != 'e'; ++at) {
    if (*at != '.') decimal.digits = decimal.digits * 10 + static_cast<std::uint32_t>(*at - '0');
  }
  std::from_chars(at + (at[1] == '+' ? 2 : 1), end, decimal.exponent);
  decimal.exponent -= n_digits - 1;
  return decimal;
}

/// The decimal with the fewest digits that lies strictly inside the interval of what reads back as
/// `value`, whose ends are exact as doubles. (PostgreSQL does not count on readers to round the
/// ends themselves to even.)
Decimal shortest_decimal(float value) {
  const float up = std::nextafter(value, INFINITY);
  const double half_down = (static_cast<double>(value) - std::nextafter(value, 0.0F)) / 2;
  const double half_up = std::isinf(up) ? half_down : (static_cast<double>(up) - value) / 2;
  const auto is_inside = [&](const Decimal& decimal) {
    const double read_back = decimal.value();
    return value - half_down < read_back && read_back < value + half_up;
  };
  for (int n_digits = 1; n_digits < 9; ++n_digits) {
    Decimal decimal = nearest_decimal(value, n_digits);
    if (is_inside(decimal)) return decimal;
    // Below a power of two the interval is half as wide: the next decimal above may lie inside
    // where the nearest, below, does not.
    ++decimal.digits;
    if (is_inside(decimal)) return decimal;
  }
  return nearest_decimal(value, 9);  // nine digits always suffice
}

/// Fills number i of the block, which the kernel has left open.
[[gnu::noinline, gnu::cold]] void decide(float magnitude, DigitsBlock& block, std::size_t i) {
  const Decimal decimal = shortest_decimal(magnitude);
  std::uint32_t first = decimal.digits;
  block.rest[i] = 0;
  block.exponent[i] = decimal.exponent;
  for (; first >= 10; first /= 10) {
    block.rest[i] = (block.rest[i] << 8) | (first % 10);
    ++block.exponent[i];
  }
  block.first[i] = first;
}

/// d.ddde-05: one digit before the point, at least two in the exponent.
char* write_scientific(std::uint64_t first, std::uint64_t rest, int n_rest, std::int64_t exponent,
                       char* out) {
  *out++ = ascii(first);
  if (n_rest > 0) {
    *out++ = '.';
    store(out, rest + kAsciiZeros);
    out += n_rest;
  }
  *out++ = 'e';
  *out++ = exponent < 0 ? '-' : '+';
  const auto magnitude = static_cast<std::uint64_t>(std::abs(exponent));  // at most 45
  *out++ = ascii(magnitude / 10);
  *out++ = ascii(magnitude % 10);
  return out;
}

/// Writes number i of the block, and up to eight bytes behind it that mean nothing.
char* write_digits(const DigitsBlock& block, std::size_t i, char* out) {
  const std::uint64_t first = block.first[i];
  const std::uint64_t rest = block.rest[i];
  const std::int64_t exponent = block.exponent[i];
  const int n_rest = (static_cast<int>(std::bit_width(rest)) + 7) / 8;  // without zeros at the end

  if (exponent < 0 && exponent >= -4) {
    store(out, 0x3030'3030'3030'2E30);  // "0.000000"
    out += 1 - exponent;                // behind "0." and the zeros
    *out = ascii(first);
    store(out + 1, rest + kAsciiZeros);
    return out + 1 + n_rest;
  }
  if (exponent >= 0 && exponent < 6) {
    *out++ = ascii(first);
    store(out, rest + kAsciiZeros);
    if (n_rest <= exponent) return out + exponent;
    out[exponent] = '.';
    store(out + exponent + 1, (rest + kAsciiZeros) >> (8 * exponent));
    return out + n_rest + 1;
  }
  return write_scientific(first, rest, n_rest, exponent, out);
}

}  // namespace

char* write_floats(std::span<const float> values, char* out) noexcept {
  DigitsBlock block;
  for (std::size_t begin = 0; begin < values.size(); begin += DigitsBlock::kSize) {
    const std::size_t n = std::min(DigitsBlock::kSize, values.size() - begin);
    core::kernels().shortest_digits_f32(values.data() + begin, n, block);
    for (std::size_t i = 0; i < n; ++i) {
      const float value = values[begin + i];
      if (block.is_open[i] != 0) [[unlikely]]
        decide(std::abs(value), block, i);
      *out = '-';
      out += std::signbit(value) ? 1 : 0;
      out = write_digits(block, i, out);
      *out++ = ',';
    }
  }
  return out;
}

}  // namespace nearest::format
