#include <bit>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "format/ascii_words.hpp"
#include "format/float_text.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::format {
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
