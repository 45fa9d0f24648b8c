#include "format/float_text.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::format {
namespace {

// ---------------------------------------------------------------------------------------------
// Output.
//
// A float32 is m·2^e with m < 2^24. All decimals nearer to it than half a step, 2^(e-1), read back
// as it. With k = floor(log10(2^e)) that open interval of width 2^e >= 10^k holds one or more
// multiples of 10^k and at most one multiple of 10^(k+1). So the shortest decimal is the multiple
// of 10^(k+1) in the interval if there is one (without its trailing zeros), else the multiple of
// 10^k nearest to m·2^e. (The same case distinction as in Giulietti, "The Schubfach way to render
// doubles", 2020.)
//
// We compute X = m·2^e / 10^k in fixed point. The scale 2^e / 10^k is in [1, 10) and its table
// entry is cut off at 2^-60, so X comes out too small by less than 2^24 units of 2^-60. A
// comparison that is decided by more than kDoubt units is therefore decided rightly; else, and
// where the interval is not symmetric (m = 2^23), the standard library decides.

constexpr int kFractionBits = 60;
constexpr std::uint64_t kOne = std::uint64_t{1} << kFractionBits;
constexpr std::uint64_t kDoubt = std::uint64_t{1} << 26;

struct Scale {
  std::uint64_t factor;  ///< floor(2^e / 10^k · 2^60)
  int k;                 ///< floor(log10(2^e))
};

/// 2^exponent / 10^k, cut off to an integer, which must be below 2^128.
constexpr unsigned __int128 scaled_power(int exponent, int k) {
  std::array<std::uint32_t, 10> limbs{};  // least significant first
  // For k > 0 the division comes last, so start with as many factors of two as are asked for; for
  // k < 0 the power of ten is exact and the right shift comes last.
  const bool divide = k > 0;
  const int shift = divide ? exponent : 0;
  limbs[static_cast<std::size_t>(shift / 32)] = std::uint32_t{1} << (shift % 32);
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
  const int left = divide ? 0 : exponent;  // still to be shifted
  unsigned __int128 result = 0;
  for (int bit = 127; bit >= 0; --bit) {
    const int from = bit - left;
    const bool set = from >= 0 && from < 320 &&
                     ((limbs[static_cast<std::size_t>(from / 32)] >> (from % 32)) & 1U) != 0;
    result = (result << 1) | (set ? 1U : 0U);
  }
  return result;
}

/// One entry per biased exponent; k is found by trying, since log10(2) has no exact constant.
constexpr std::array<Scale, 255> make_scales() {
  std::array<Scale, 255> scales{};
  int k = -46;
  for (int biased = 0; biased < 255; ++biased) {     // k grows with it
    const int e = (biased == 0 ? 1 : biased) - 150;  // subnormals share the exponent of biased 1
    auto factor = scaled_power(e + kFractionBits, k);
    while (factor >= 10 * kOne) {
      ++k;
      factor = scaled_power(e + kFractionBits, k);
    }
    scales[static_cast<std::size_t>(biased)] = {static_cast<std::uint64_t>(factor), k};
  }
  return scales;
}

constexpr std::array<Scale, 255> kScales = make_scales();

/// Nine digits and their decimal exponent: value = d.dddddddd · 10^exponent.
struct Digits {
  std::uint32_t nine;
  int exponent;
};

/// Digits for the cases that the fixed-point arithmetic leaves open: the fewest that lie strictly
/// inside the interval, whose ends are exact as doubles.
[[gnu::noinline, gnu::cold]] Digits careful_digits(float magnitude) {
  const double value = magnitude;
  const double below = std::nextafter(magnitude, 0.0F);
  const double step_up = std::bit_cast<std::uint32_t>(magnitude) == 0x7F7F'FFFF
                             ? value - below
                             : std::nextafter(magnitude, 2 * magnitude) - value;
  char text[kFloatTextScratch];
  for (int n_digits = 1;; ++n_digits) {
    const char* end = std::to_chars(text, text + sizeof text, magnitude,
                                    std::chars_format::scientific, n_digits - 1)
                          .ptr;
    double read_back = 0;
    std::from_chars(text, end, read_back);
    const bool inside = (value + below) / 2 < read_back && read_back < value + step_up / 2;
    if (!inside && n_digits < 9) continue;

    Digits digits{0, 0};
    const char* at = text;
    for (; *at != 'e'; ++at) {
      if (*at != '.') digits.nine = digits.nine * 10 + static_cast<std::uint32_t>(*at - '0');
    }
    for (int i = n_digits; i < 9; ++i) digits.nine *= 10;
    std::from_chars(at + (at[1] == '+' ? 2 : 1), end, digits.exponent);
    return digits;
  }
}

constexpr std::uint32_t kMissingDigits[] = {1, 10, 100};

/// For any magnitude but 0.
Digits shortest_digits(std::uint32_t magnitude_bits) {
  const std::uint32_t m = (magnitude_bits & 0x7F'FFFF) | 0x80'0000;
  const Scale& scale = kScales[magnitude_bits >> 23];

  const auto x = static_cast<unsigned __int128>(scale.factor) * m;
  const auto whole = static_cast<std::uint32_t>(x >> kFractionBits);  // below 10·2^24
  const std::uint64_t part = static_cast<std::uint64_t>(x) & (kOne - 1);
  const std::uint64_t half_step = scale.factor / 2;

  const std::uint32_t tens = whole / 10 * 10;
  const std::uint64_t above = (whole - tens) * kOne + part;  // distance down to a multiple of ten
  const std::uint64_t below = 10 * kOne - above;             // and up to the next
  const std::uint64_t nearer = above < below ? above : below;

  const auto doubtful = [](std::uint64_t a, std::uint64_t b) {
    return a - b + kDoubt < 2 * kDoubt;
  };
  const bool asymmetric_or_subnormal = m == 0x80'0000 || magnitude_bits < 0x80'0000;
  if (doubtful(nearer, half_step) || doubtful(part, kOne / 2) || asymmetric_or_subnormal)
      [[unlikely]] {
    return careful_digits(std::bit_cast<float>(magnitude_bits));
  }

  // No branches from here on: for real data they would be coin tosses.
  const std::uint32_t nearest = whole + static_cast<std::uint32_t>(part >> (kFractionBits - 1));
  const std::uint32_t nearest_ten = tens + 10 * static_cast<std::uint32_t>(below < above);
  const std::uint32_t take_ten = 0U - static_cast<std::uint32_t>(nearer < half_step);  // all bits
  const std::uint32_t shortest = nearest ^ ((nearest ^ nearest_ten) & take_ten);
  const int n_missing = static_cast<int>(shortest < 100'000'000) + (shortest < 10'000'000);
  return {shortest * kMissingDigits[n_missing], scale.k + 8 - n_missing};
}

/// The eight decimal digits of value < 10^8, one per byte, the first digit in the lowest byte.
std::uint64_t eight_digits(std::uint32_t value) {
  // Halve the number of digits per field in each step; all divisions are by a constant multiply.
  const std::uint64_t fours = value / 10'000 + (std::uint64_t{value % 10'000} << 32);
  const std::uint64_t upper_twos = ((fours * 10'486) >> 20) & 0x0000'007F'0000'007F;  // by 100
  const std::uint64_t twos = upper_twos + ((fours - 100 * upper_twos) << 16);
  const std::uint64_t upper_ones = ((twos * 103) >> 10) & 0x000F'000F'000F'000F;  // by 10
  return upper_ones + ((twos - 10 * upper_ones) << 8);
}

constexpr std::uint64_t kAsciiZeros = 0x3030'3030'3030'3030;

static_assert(std::endian::native == std::endian::little,
              "digit bytes are stored in the order of a little-endian word");

void store(char* out, std::uint64_t word) { std::memcpy(out, &word, sizeof word); }

/// d.ddde-05: one digit before the point, at least two in the exponent.
[[gnu::noinline]] char* write_scientific(char first, const char* rest, int n_rest, int exponent,
                                         char* out) {
  *out++ = first;
  if (n_rest > 0) {
    *out++ = '.';
    std::memcpy(out, rest, 8);
    out += n_rest;
  }
  *out++ = 'e';
  *out++ = exponent < 0 ? '-' : '+';
  const int magnitude = exponent < 0 ? -exponent : exponent;  // at most 45
  *out++ = static_cast<char>('0' + magnitude / 10);
  *out++ = static_cast<char>('0' + magnitude % 10);
  return out;
}

}  // namespace

char* write_float(float value, char* out) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  *out = '-';
  out += bits >> 31;
  const std::uint32_t magnitude_bits = bits & 0x7FFF'FFFF;
  if (magnitude_bits == 0) {
    *out = '0';
    return out + 1;
  }
  const Digits digits = shortest_digits(magnitude_bits);
  const char first = static_cast<char>('0' + digits.nine / 100'000'000);
  const std::uint64_t rest = eight_digits(digits.nine % 100'000'000);
  const int n_rest = (static_cast<int>(std::bit_width(rest)) + 7) /
                     8;  // digits behind the first, without end zeros

  if (digits.exponent < 0 && digits.exponent >= -4) {
    store(out, 0x3030'3030'3030'2E30);  // "0.000000"
    out += 1 - digits.exponent;         // behind "0." and the zeros
    *out = first;
    store(out + 1, rest + kAsciiZeros);
    return out + 1 + n_rest;
  }
  if (digits.exponent >= 0 && digits.exponent < 6) {
    const int n_whole = digits.exponent;  // digits before the point, behind the first
    *out++ = first;
    store(out, rest + kAsciiZeros);
    if (n_rest <= n_whole) return out + n_whole;
    out[n_whole] = '.';
    store(out + n_whole + 1, (rest + kAsciiZeros) >> (8 * n_whole));
    return out + n_rest + 1;
  }
  char rest_text[8];
  store(rest_text, rest + kAsciiZeros);
  return write_scientific(first, rest_text, n_rest, digits.exponent, out);
}

// ---------------------------------------------------------------------------------------------
// Input.

namespace {

/// Exact, as all powers of ten up to 10^22 are.
constexpr double kPowersOfTen[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

constexpr bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

/// A byte that may stand behind a number in a list; anything else may belong to a longer number.
constexpr bool ends_number(char c) { return c == ',' || c == ']' || c == ' '; }

/// The digits that a word of text (first byte lowest) begins with.
struct LeadingDigits {
  std::uint64_t value;
  int count;  ///< 0 to 8
};

LeadingDigits leading_digits(const char* text) {
  std::uint64_t word = 0;
  std::memcpy(&word, text, sizeof word);
  const std::uint64_t values = word - kAsciiZeros;
  // A byte's top bit is set here if it is no digit. Carries disturb only the bytes behind such a
  // one.
  const std::uint64_t others = ((word + 0x4646'4646'4646'4646) | values) & 0x8080'8080'8080'8080;
  const int count = std::countr_zero(others) / 8;
  // Move the last digit to the top, so that zeros lead; then add up pairs, fours, eights.
  std::uint64_t eight = count == 0 ? 0 : values << (64 - 8 * count);
  eight = eight * 10 + (eight >> 8);
  eight = (((eight & 0x0000'00FF'0000'00FF) * 0x000F'4240'0000'0064) +
           (((eight >> 16) & 0x0000'00FF'0000'00FF) * 0x0000'2710'0000'0001)) >>
          32;
  return {eight, count};
}

constexpr std::uint64_t kIntegerPowersOfTen[] = {1,       10,        100,        1'000,      10'000,
                                                 100'000, 1'000'000, 10'000'000, 100'000'000};

/// Plain decimals ("-0.0123456"): the digits as an integer below 2^53, divided by a power of ten,
/// are a correctly rounded double. Rounding that again to float32 is right unless the double lies
/// next to the middle between two floats. Returns null where it does, or where the text is of
/// another form.
const char* read_plain(const char* text, const char* text_end, float& value) {
  constexpr std::ptrdiff_t kMaxFraction = 16;
  const char* at = text;
  const bool negative = *at == '-';
  at += negative ? 1 : 0;

  const char* whole = at;
  std::uint64_t digits = 0;
  while (is_digit(*at)) digits = digits * 10 + static_cast<std::uint64_t>(*at++ - '0');
  int n_digits = static_cast<int>(at - whole);
  int n_fraction = 0;
  if (*at == '.') {
    ++at;
    if (text_end - at < kMaxFraction) return nullptr;
    for (int i = 0; i < 2; ++i) {
      const LeadingDigits more = leading_digits(at);
      digits = digits * kIntegerPowersOfTen[more.count] + more.value;
      n_fraction += more.count;
      at += more.count;
      if (more.count < 8) break;
    }
    n_digits += n_fraction;
  }
  // Fifteen digits stay below 2^53; with more of them `digits` may have wrapped, and is not used.
  if (n_digits == 0 || n_digits > 15 || !ends_number(*at)) return nullptr;

  const double wide = static_cast<double>(digits) / kPowersOfTen[n_fraction];
  const auto cut_off = std::bit_cast<std::uint64_t>(wide) & 0x1FFF'FFFF;  // 29 bits too many
  if (cut_off - 0x0FFF'FFFF <= 2) return nullptr;   // the middle, or a double beside it
  const auto magnitude = static_cast<float>(wide);  // 0 or at least 10^-15, so never subnormal
  value = negative ? -magnitude : magnitude;
  return at;
}

/// The whole grammar, by the C library.
const char* read_any(const char* text, float& value, bool& out_of_range) {
  char* end = nullptr;
  const int saved_errno = errno;
  errno = 0;
  value = std::strtof(text, &end);
  if (errno == ERANGE && std::isinf(value)) out_of_range = true;
  errno = saved_errno;
  return end;
}

}  // namespace

const char* read_float(const char* text, const char* text_end, float& value,
                       bool& out_of_range) noexcept {
  if (const char* end = read_plain(text, text_end, value)) return end;

  // from_chars knows neither '+' nor hexadecimal, and stops early there: take its answer only if
  // the number ends where a list's number may end. It rounds correctly, as strtof does.
  const auto [end, error] = std::from_chars(text, text_end, value);
  if (error == std::errc{} && ends_number(*end) && std::isfinite(value)) return end;
  return read_any(text, value, out_of_range);
}

}  // namespace nearest::format
