/// float32 as decimal text, both ways: the inner loops of `vector` text input, output and COPY.
///
/// Both functions answer exactly as the C library's strtof and PostgreSQL's shortest float output
/// do; they are faster because nearly all values take a short path whose result is provably the
/// same, and the few others are handed to the standard library.
#pragma once

#include <cstddef>

namespace nearest::format {

/// Longest text of a finite float32: "-1.17549435e-38".
inline constexpr std::size_t kMaxFloatText = 15;

/// Bytes that write_float may touch from its first argument on, beyond the text's end.
inline constexpr std::size_t kFloatTextScratch = 32;

/// Writes the shortest decimal that reads back as `value`, which must be finite, and returns its
/// end. Fixed notation for decimal exponents -4 to 5, else scientific with two exponent digits:
/// 0.0001, 123456, 1e+06, 1.5e-05, -0. The bytes up to out + kFloatTextScratch must be writable.
char* write_float(float value, char* out) noexcept;

/// Reads one number at `text`, by the grammar of strtof in the C locale without its leading blanks:
/// sign, decimal or hexadecimal, exponent, the words for infinity and NaN. Correctly rounded.
/// Too small gives 0, too large gives an infinity and sets `out_of_range` (never cleared here).
/// Returns the number's end, or `text` if there is no number. `text_end` must point at a zero byte.
const char* read_float(const char* text, const char* text_end, float& value,
                       bool& out_of_range) noexcept;

}  // namespace nearest::format
