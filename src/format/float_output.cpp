#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/decimal/shortest_digits.hpp"
#include "core/kernels/table.hpp"
#include "format/float_text.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::format {
namespace {

using core::DigitsBlock;

static_assert(std::endian::native == std::endian::little,
              "digit bytes are stored in the order of a little-endian word");
constexpr std::uint64_t kAsciiZeros = 0x3030'3030'3030'3030;

void store(char* out, std::uint64_t word) { std::memcpy(out, &word, sizeof word); }

char ascii(std::uint64_t digit) { return static_cast<char>('0' + digit); }

/// Fills number i of the block, which the kernel has left open: zero, or the fewest digits that lie
/// strictly inside the interval of what reads back, whose ends are exact as doubles. (PostgreSQL
/// does not count on readers to round the ends themselves to even.)
[[gnu::noinline, gnu::cold]] void decide(float magnitude, DigitsBlock& block, std::size_t i) {
  block.first[i] = block.rest[i] = 0;
  block.exponent[i] = 0;
  if (magnitude == 0) return;

  const double value = magnitude;
  const double step_down = value - std::nextafter(magnitude, 0.0F);
  const bool is_largest = std::isinf(std::nextafter(magnitude, INFINITY));
  const double step_up = is_largest ? step_down : std::nextafter(magnitude, INFINITY) - value;
  char text[32];
  const char* end = text;
  for (int n_behind_point = 0; n_behind_point <= 8; ++n_behind_point) {
    end = std::to_chars(text, text + sizeof text, magnitude, std::chars_format::scientific,
                        n_behind_point)
              .ptr;
    double read_back = 0;
    std::from_chars(text, end, read_back);
    if (value - step_down / 2 < read_back && read_back < value + step_up / 2) break;
  }

  block.first[i] = static_cast<std::uint64_t>(text[0] - '0');
  const char* at = text + 1;
  if (*at == '.') ++at;
  for (int shift = 0; *at != 'e'; shift += 8) {
    block.rest[i] |= static_cast<std::uint64_t>(*at++ - '0') << shift;
  }
  std::from_chars(at + (at[1] == '+' ? 2 : 1), end, block.exponent[i]);
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
