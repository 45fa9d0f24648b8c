#include "format/vector_text.hpp"

#include <algorithm>
#include <cmath>
#include "format/float_text.hpp"
#include "format/vector_value.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::format {
namespace {

constexpr bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

const char* skip_blanks(const char* at) {
  while (is_blank(*at)) ++at;
  return at;
}

}  // namespace

std::size_t max_elements(std::string_view text) noexcept {
  // In chunks that a byte can count, so that sixteen bytes or more are compared at a time.
  constexpr std::size_t kChunk = 128;
  std::size_t commas = 0;
  for (std::size_t begin = 0; begin < text.size(); begin += kChunk) {
    const char* chunk = text.data() + begin;
    const std::size_t n = std::min(kChunk, text.size() - begin);
    unsigned char in_chunk = 0;
#pragma omp simd reduction(+ : in_chunk)
    for (std::size_t i = 0; i < n; ++i) {
      in_chunk = static_cast<unsigned char>(in_chunk + (chunk[i] == ',' ? 1 : 0));
    }
    commas += in_chunk;
  }
  return std::min<std::size_t>(commas + 1, kMaxDim);
}

ParsedVectorText read_vector_text(std::string_view text, std::span<float> elements) noexcept {
  const char* const text_end = text.data() + text.size();
  std::size_t dim = 0;
  const auto failed = [&dim](VectorTextError error, std::string_view token = {}) {
    return ParsedVectorText{error, dim, token};
  };

  const char* at = skip_blanks(text.data());
  if (*at != '[') return failed(VectorTextError::kNoOpeningBracket);
  at = skip_blanks(at + 1);
  if (*at == ']') return failed(VectorTextError::kEmpty);

  for (;; ++at) {
    if (dim == kMaxDim) return failed(VectorTextError::kTooManyElements);
    at = skip_blanks(at);

    float value = 0;
    bool out_of_range = false;
    const char* const end = read_float(at, text_end, value, out_of_range);
    if (end == at) return failed(VectorTextError::kSyntax);
    if (!std::isfinite(value)) [[unlikely]] {
      if (out_of_range) return failed(VectorTextError::kOutOfRange, {at, end});
      return failed(std::isnan(value) ? VectorTextError::kNotANumber : VectorTextError::kInfinite);
    }
    elements[dim++] = value;

    at = skip_blanks(end);
    if (*at == ']') break;
    if (*at != ',') return failed(VectorTextError::kSyntax);
  }

  at = skip_blanks(at + 1);
  if (at != text_end) return failed(VectorTextError::kJunkAtEnd);
  return {VectorTextError::kNone, dim, {}};
}

std::size_t max_text_bytes(std::size_t dim) noexcept {
  return 1 + dim * (kMaxFloatText + 1) + kFloatTextScratch;
}

char* write_vector_text(std::span<const float> elements, char* out) noexcept {
  *out++ = '[';
  out = write_floats(elements, out);
  if (!elements.empty()) --out;  // the last comma
  *out++ = ']';
  *out = '\0';
  return out;
}

}  // namespace nearest::format
