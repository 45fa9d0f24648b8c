/// The text form of dense vectors: "[1,2,3]", blanks allowed around every token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace nearest::format {

enum class VectorTextError : std::uint8_t {
  kNone,
  kNoOpeningBracket,  ///< the first byte that is not blank is not '['
  kEmpty,             ///< "[]"
  kTooManyElements,   ///< more than kMaxDim
  kSyntax,            ///< anything else that is not of the grammar
  kOutOfRange,        ///< a number too large for the element type; `token` is its text
  kNotANumber,        ///< NaN, which vectors may not hold
  kInfinite,          ///< the word for infinity
  kJunkAtEnd,         ///< something behind ']'
};

struct ParsedVectorText {
  VectorTextError error;
  std::size_t dim;         ///< elements read
  std::string_view token;  ///< of the faulty number
};

/// Upper bound of the elements that read_vector_text will write for this text.
std::size_t max_elements(std::string_view text) noexcept;

/// Reads `text`, which must be followed by a zero byte, into `elements` (at least
/// max_elements(text) long). Errors are found in the order of the text, the first one is reported.
ParsedVectorText read_vector_text(std::string_view text, std::span<float> elements) noexcept;

/// Bytes that write_vector_text needs for `dim` elements, the ending zero included.
std::size_t max_text_bytes(std::size_t dim) noexcept;

/// Writes "[1,2,3]" and a zero byte, shortest round-trip decimals without blanks.
/// Returns the end of the text, where the zero byte is.
char* write_vector_text(std::span<const float> elements, char* out) noexcept;

}  // namespace nearest::format
