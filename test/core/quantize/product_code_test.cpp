#include "core/quantize/product_code.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "../graph/test_arena.hpp"
#include "core/quantize/query_table.hpp"

namespace nearest::core {
namespace {

std::vector<float> gaussian(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& x : values) x = normal(random);
  return values;
}

struct Trained {
  ProductShape shape;
  std::vector<float> columns, half_squares;

  Trained(const ProductShape& of, const std::vector<float>& rows)
      : shape(of), columns(of.codebook_floats()), half_squares(of.segments * of.codewords()) {
    TestMemory memory;
    SerialRunner runner;
    train_codebooks(memory.arena(), runner, shape, {rows.data(), rows.size() / of.dim, of.dim}, 7,
                    columns.data());
    EXPECT_EQ(memory.lent(), 0U);
    fill_half_squares(shape, columns.data(), half_squares.data());
  }
  ProductCodebooks books() const { return {shape, columns.data(), half_squares.data()}; }
};

TEST(ProductShape, segments_cover_all_dimensions_whatever_their_number) {
  for (const std::uint32_t dim : {1U, 7U, 384U, 785U}) {
    for (const std::uint32_t segments : {1U, 3U, 96U, 100U}) {
      if (segments > dim) continue;
      const ProductShape shape{dim, segments, 4};
      EXPECT_EQ(shape.begin(0), 0U);
      EXPECT_EQ(shape.begin(segments), dim);
      for (std::size_t s = 0; s < segments; ++s) {
        EXPECT_GE(shape.size(s), 1U);
        EXPECT_LE(shape.size(s), shape.width());
      }
    }
  }
}

TEST(ProductCode, codes_are_the_nearest_codewords_and_decode_to_them) {
  for (const std::uint32_t bits : {4U, 8U}) {
    const ProductShape shape{50, 7, bits};
    const std::vector<float> rows = gaussian(400 * 50, 1);
    const Trained trained(shape, rows);
    std::vector<std::uint8_t> codes(400 * shape.row_bytes());
    encode_product_rows(trained.books(), {rows.data(), 400, 50}, codes.data());
    double lost = 0, all = 0;
    std::vector<float> decoded(50);
    for (std::size_t i = 0; i < 400; ++i) {
      const std::uint8_t* const code = codes.data() + i * shape.row_bytes();
      decode_product(trained.books(), code, decoded.data());
      for (std::size_t s = 0; s < 7; ++s) {
        const auto squared = [&](std::size_t k) {
          double sum = 0;
          for (std::size_t d = 0; d < shape.size(s); ++d) {
            const float word = trained.books().panel(s)[d * shape.codewords() + k];
            sum += std::pow(static_cast<double>(rows[i * 50 + shape.begin(s) + d]) - word, 2);
          }
          return sum;
        };
        double least = 1e9;
        for (std::size_t k = 0; k < shape.codewords(); ++k) least = std::min(least, squared(k));
        double found = 0;
        for (std::size_t d = shape.begin(s); d < shape.begin(s + 1); ++d) {
          found += std::pow(static_cast<double>(rows[i * 50 + d]) - decoded[d], 2);
        }
        EXPECT_NEAR(found, least, 1e-4) << i << ' ' << s;
        lost += found;
      }
      for (std::size_t d = 0; d < 50; ++d) all += std::pow(rows[i * 50 + d], 2);
    }
    EXPECT_LT(lost, (bits == 4 ? 0.65 : 0.30) * all);
  }
}

TEST(ProductCode, products_of_a_query_are_those_with_decoded_codes) {
  for (const std::uint32_t bits : {4U, 8U}) {
    const ProductShape shape{50, 7, bits};
    const std::vector<float> rows = gaussian(300 * 50, 2), q = gaussian(50, 3);
    const Trained trained(shape, rows);
    std::vector<float> products(7 * shape.codewords()), decoded(50);
    code_products(trained.books(), q.data(), products.data());
    std::vector<std::uint8_t> codes(300 * shape.row_bytes());
    encode_product_rows(trained.books(), {rows.data(), 300, 50}, codes.data());
    for (std::size_t i = 0; i < 300; ++i) {
      const std::uint8_t* const code = codes.data() + i * shape.row_bytes();
      decode_product(trained.books(), code, decoded.data());
      double expected = 0, sum = 0;
      for (std::size_t d = 0; d < 50; ++d) expected += static_cast<double>(decoded[d]) * q[d];
      if (bits == 8) {
        sum = product_of_bytes(products.data(), code, 7);
      } else {
        for (std::size_t s = 0; s < 7; ++s) sum += products[16 * s + symbol_of(code, s)];
      }
      EXPECT_NEAR(sum, expected, 1e-4);
    }
  }
}

}  // namespace
}  // namespace nearest::core
