/// float32 as decimal text, both ways: the inner loops of `vector` text input, output and COPY.
///
/// Both functions answer exactly as the C library's strtof and PostgreSQL's shortest float output
/// do; they are faster because nearly all values take a short path whose result is provably the
/// same, and the few others are handed to the standard library.
#pragma once

#include <cstddef>
#include <span>

namespace nearest::format {

/// Longest text of a finite float32: "-1.17549435e-38".
inline constexpr std::size_t kMaxFloatText = 15;

/// Bytes that write_floats may touch behind the end of what it writes.
inline constexpr std::size_t kFloatTextScratch = 16;

/// Writes the shortest decimals that read back as `values`, which must be finite, each followed by
/// a comma, and returns the end. Fixed notation for decimal exponents -4 to 5, else scientific with
/// two exponent digits: 0.0001, 123456, 1e+06, 1.5e-05, -0. `out` must have room for (kMaxFloatText
/// + 1) bytes per value and kFloatTextScratch more.
char* write_floats(std::span<const float> values, char* out) noexcept;

/// Reads one number at `text`, by the grammar of strtof in the C locale without its leading blanks:
/// sign, decimal or hexadecimal, exponent, the words for infinity and NaN. Correctly rounded.
/// Too small gives 0, too large gives an infinity and sets `out_of_range` (never cleared here).
/// Returns the number's end, or `text` if there is no number. `text_end` must point at a zero byte.
const char* read_float(const char* text, const char* text_end, float& value,
                       bool& out_of_range) noexcept;

}  // namespace nearest::format
