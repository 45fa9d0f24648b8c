/// Product quantization of residuals (Jégou et al. 2011): the dimensions are cut in segments, each
/// coded by the nearest of 16 or 256 codewords.
///
/// The number of segments need not divide the dimension: segment s takes the dimensions from
/// ⌊s·dim/segments⌋, and codewords have ⌈dim/segments⌉ elements, the last of them zero where a
/// segment is shorter. A rotation before makes segments alike.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/arena.hpp"
#include "core/cluster/kmeans.hpp"
#include "core/quantize/code_block.hpp"

namespace nearest::core {

inline constexpr std::size_t kMaxSegmentDim = 64;

struct ProductShape {
  std::uint32_t dim, segments, bits;  ///< segments in [dim/64, dim]; bits 4 or 8

  constexpr std::size_t codewords() const { return std::size_t{1} << bits; }
  constexpr std::size_t width() const { return (dim + segments - 1) / segments; }
  constexpr std::size_t begin(std::size_t s) const { return s * dim / segments; }
  constexpr std::size_t size(std::size_t s) const { return begin(s + 1) - begin(s); }
  constexpr std::size_t codebook_floats() const { return segments * width() * codewords(); }
  constexpr std::size_t row_bytes() const {
    return bits == 4 ? code_row_bytes(segments) : segments;
  }
};

/// Trained codebooks. Borrowed memory.
struct ProductCodebooks {
  ProductShape shape;
  const float* columns;       ///< (segments, width, codewords)
  const float* half_squares;  ///< (segments, codewords) |codeword|²/2

  const float* panel(std::size_t s) const {
    return columns + s * shape.width() * shape.codewords();
  }
};

inline void fill_half_squares(const ProductShape& shape, const float* columns,
                              float* half_squares) {
  const std::size_t n = shape.codewords(), width = shape.width();
  for (std::size_t s = 0; s < shape.segments; ++s, half_squares += n) {
    std::fill_n(half_squares, n, 0.0F);
    for (std::size_t d = 0; d < width; ++d, columns += n) {
      for (std::size_t k = 0; k < n; ++k) half_squares[k] += 0.5F * columns[k] * columns[k];
    }
  }
}

/// Copies segment s of n rows, padded: out: (n, width).
inline void gather_segment(const ProductShape& shape, std::size_t s, const Rows& rows, float* out) {
  const std::size_t width = shape.width(), size = shape.size(s), begin = shape.begin(s);
  for (std::size_t i = 0; i < rows.n; ++i, out += width) {
    std::copy_n(rows.row(i) + begin, size, out);
    std::fill(out + size, out + width, 0.0F);
  }
}

/// Trains codebooks on residuals, by k-means for each segment. columns: (shape.codebook_floats()).
template <Arena A, Runner R>
void train_codebooks(A arena, R& runner, const ProductShape& shape, const Rows& residuals,
                     std::uint64_t seed, float* columns) {
  const std::size_t n = shape.codewords(), width = shape.width();
  auto* const rows = static_cast<float*>(arena.allocate(residuals.n * width * sizeof(float)));
  auto* const words = static_cast<float*>(arena.allocate(n * width * sizeof(float)));
  for (std::size_t s = 0; s < shape.segments; ++s) {
    gather_segment(shape, s, residuals, rows);
    kmeans(arena, runner, {rows, residuals.n, width}, {n, seed + s}, words);
    fill_panels({n, width}, words, columns + s * width * n, n);
  }
  arena.release(words);
  arena.release(rows);
}

/// Codes rows; codes: (rows.n, shape.row_bytes()).
inline void encode_product_rows(const ProductCodebooks& books, const Rows& rows,
                                std::uint8_t* codes) {
  constexpr std::size_t kRowsAtOnce = 12;
  const ProductShape& shape = books.shape;
  const std::size_t n_words = shape.codewords(), width = shape.width();
  float segment[kRowsAtOnce * kMaxSegmentDim], products[kRowsAtOnce * 256];
  std::memset(codes, 0, rows.n * shape.row_bytes());
  for (std::size_t begin = 0; begin < rows.n; begin += kRowsAtOnce) {
    const std::size_t n = std::min(kRowsAtOnce, rows.n - begin);
    for (std::size_t s = 0; s < shape.segments; ++s) {
      gather_segment(shape, s, {rows.row(begin), n, rows.dim}, segment);
      kernels().panel_products_f32(segment, n, width, books.panel(s), n_words, products);
      for (std::size_t i = 0; i < n; ++i) {
        BestCentroid best;
        best.take(products + i * n_words, books.half_squares + s * n_words, n_words, 0);
        std::uint8_t* const code = codes + (begin + i) * shape.row_bytes();
        if (shape.bits == 4) {
          add_symbol(code, s, best.id);
        } else {
          code[s] = static_cast<std::uint8_t>(best.id);
        }
      }
    }
  }
}

/// What a code stands for; r: (dim).
inline void decode_product(const ProductCodebooks& books, const std::uint8_t* code, float* r) {
  const ProductShape& shape = books.shape;
  for (std::size_t s = 0; s < shape.segments; ++s) {
    const std::size_t symbol = shape.bits == 4 ? symbol_of(code, s) : code[s];
    const float* const word = books.panel(s) + symbol;
    for (std::size_t d = 0; d < shape.size(s); ++d) {
      r[shape.begin(s) + d] = word[d * shape.codewords()];
    }
  }
}

/// Products of a query with all codewords: q: (dim); products: (segments, codewords).
inline void code_products(const ProductCodebooks& books, const float* q, float* products) {
  const ProductShape& shape = books.shape;
  float segment[kMaxSegmentDim];
  for (std::size_t s = 0; s < shape.segments; ++s) {
    gather_segment(shape, s, {q, 1, shape.dim}, segment);
    kernels().panel_products_f32(segment, 1, shape.width(), books.panel(s), shape.codewords(),
                                 products + s * shape.codewords());
  }
}

}  // namespace nearest::core
