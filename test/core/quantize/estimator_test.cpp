// The estimates of both quantizers: their bias, also for near neighbors, and their bounds.
#include "core/quantize/estimator.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "../graph/test_arena.hpp"
#include "core/quantize/product_code.hpp"
#include "core/quantize/query_table.hpp"
#include "core/quantize/sign_code.hpp"

namespace nearest::core {
namespace {

constexpr std::uint32_t kDim = 200;
constexpr std::size_t kRows = 3000;

struct Rng {
  std::mt19937 random{20240610};
  std::normal_distribution<float> normal;
  std::vector<float> vector(float length) {
    std::vector<float> x(kDim);
    double squared = 0;
    for (float& element : x) {
      element = normal(random);
      squared += static_cast<double>(element) * element;
    }
    for (float& element : x) element *= length / static_cast<float>(std::sqrt(squared));
    return x;
  }
};

std::vector<float> sum(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<float> c(a);
  for (std::size_t i = 0; i < c.size(); ++i) c[i] += b[i];
  return c;
}
double product(const std::vector<float>& a, const std::vector<float>& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += static_cast<double>(a[i]) * b[i];
  return total;
}
double squared_distance(const std::vector<float>& a, const std::vector<float>& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += std::pow(static_cast<double>(a[i]) - b[i], 2);
  return total;
}

/// What a quantizer stands for r by.
using Coder = std::function<std::vector<float>(const std::vector<float>& r)>;

/// Rows at r from a centroid, queries near the row ("near") or in any direction.
void check_estimates(const Coder& code, EstimateOf what, double widest) {
  Rng rng;
  const std::vector<float> c = rng.vector(3);
  for (const bool is_near : {false, true}) {
    double bias = 0, errors = 0, deviations = 0;
    std::size_t beyond = 0;
    for (std::size_t i = 0; i < kRows; ++i) {
      const std::vector<float> r = rng.vector(1 + 0.5F * static_cast<float>(i % 3));
      const std::vector<float> x = sum(c, r);
      const std::vector<float> q = is_near ? sum(x, rng.vector(0.3F)) : sum(c, rng.vector(1.5F));
      const std::vector<float> coded = code(r);
      const CodeFactors factors =
          make_factors(what, ResidualSums::of(r.data(), coded.data(), c.data(), kDim), kDim);
      const bool is_distance = what == EstimateOf::kSquaredDistance;
      const double base = is_distance ? squared_distance(q, c) : -product(q, c);
      const double truth = is_distance ? squared_distance(q, x) : -product(q, x);
      const double error = base + factors.a - factors.b * product(coded, q) - truth;
      const double deviation = factors.error * std::sqrt(squared_distance(q, c));
      bias += error / kRows;
      errors += error * error / kRows;
      deviations += deviation * deviation / kRows;
      beyond += std::fabs(error) > kBoundDeviations * deviation ? 1 : 0;
    }
    // The mean of kRows errors, four of its deviations wide.
    EXPECT_LT(std::fabs(bias), 4 * std::sqrt(deviations / kRows)) << "near: " << is_near;
    EXPECT_LT(std::sqrt(errors), 1.1 * std::sqrt(deviations));
    EXPECT_LT(static_cast<double>(beyond), 0.08 * kRows) << "5.7 % of a Gaussian";
    EXPECT_LT(std::sqrt(deviations), widest);
    if (!is_near) {
      EXPECT_GT(std::sqrt(errors), 0.8 * std::sqrt(deviations));
    }
  }
}

TEST(Estimator, signs_are_unbiased_and_within_bounds) {
  const Coder signs = [](const std::vector<float>& r) {
    std::vector<float> coded(r.size());
    for (std::size_t i = 0; i < r.size(); ++i) coded[i] = r[i] < 0 ? -1.0F : 1.0F;
    return coded;
  };
  check_estimates(signs, EstimateOf::kSquaredDistance, 0.4);
  check_estimates(signs, EstimateOf::kNegativeProduct, 0.2);
}

TEST(Estimator, levels_of_more_bits_have_smaller_errors) {
  double widest = 0.2;
  for (const unsigned bits : {2U, 3U, 4U, 6U, 8U}) {
    const Coder levels = [bits](const std::vector<float>& r) {
      std::vector<std::int8_t> w(r.size());
      encode_levels(r, bits, w.data());
      std::vector<float> coded(r.size());
      for (std::size_t i = 0; i < r.size(); ++i) coded[i] = 2 * static_cast<float>(w[i]) + 1;
      return coded;
    };
    check_estimates(levels, EstimateOf::kSquaredDistance, widest);
    widest *= bits < 4 ? 0.6 : 0.4;
  }
}

TEST(Estimator, product_codes_are_unbiased_where_their_own_distances_are_not) {
  for (const std::uint32_t bits : {4U, 8U}) {
    const ProductShape shape{kDim, kDim / bits, bits};
    Rng rng;
    std::vector<float> rows;
    for (std::size_t i = 0; i < 4000; ++i) {
      const std::vector<float> r = rng.vector(1 + 0.5F * static_cast<float>(i % 3));
      rows.insert(rows.end(), r.begin(), r.end());
    }
    TestMemory memory;
    SerialRunner runner;
    std::vector<float> columns(shape.codebook_floats());
    std::vector<float> half_squares(shape.segments * shape.codewords());
    train_codebooks(memory.arena(), runner, shape, {rows.data(), 4000, kDim}, 3, columns.data());
    fill_half_squares(shape, columns.data(), half_squares.data());
    const ProductCodebooks books{shape, columns.data(), half_squares.data()};
    const Coder coder = [&books](const std::vector<float>& r) {
      std::vector<std::uint8_t> code(books.shape.row_bytes());
      encode_product_rows(books, {r.data(), 1, kDim}, code.data());
      std::vector<float> decoded(kDim);
      decode_product(books, code.data(), decoded.data());
      return decoded;
    };
    check_estimates(coder, EstimateOf::kSquaredDistance, 0.4);
    check_estimates(coder, EstimateOf::kNegativeProduct, 0.2);
    double plain_bias = 0;
    for (std::size_t i = 0; i < 500; ++i) {
      const std::vector<float> r = rng.vector(1), q = sum(r, rng.vector(0.3F));
      plain_bias += (squared_distance(q, coder(r)) - squared_distance(q, r)) / 500;
    }
    EXPECT_GT(plain_bias, 0.1) << "the case that the estimator is for";
  }
}

TEST(ErrorRatio, is_one_for_random_directions_and_more_where_directions_agree) {
  Rng rng;
  ErrorRatio random, alike;
  const std::vector<float> along = rng.vector(1);
  for (std::size_t i = 0; i < 1000; ++i) {
    const std::vector<float> r = rng.vector(1), y = rng.vector(2);
    std::vector<float> signs(kDim), biased(kDim);
    for (std::size_t d = 0; d < kDim; ++d) signs[d] = r[d] < 0 ? -1.0F : 1.0F;
    random.add(r.data(), signs.data(), y.data(), kDim);
    // A code that is off in the direction that all queries lie in.
    for (std::size_t d = 0; d < kDim; ++d) biased[d] = r[d] + 0.5F * along[d];
    alike.add(r.data(), biased.data(), along.data(), kDim);
  }
  EXPECT_NEAR(random.value(), 1, 0.1);
  EXPECT_GT(alike.value(), 5);
  EXPECT_EQ(ErrorRatio().value(), 1);
}

TEST(Estimator, codes_that_tell_nothing_have_bounds_that_hold) {
  const std::vector<float> r = {1, 2, 2}, c = {1, 0, 0}, none = {0, 0, 0}, away = {-1, -2, -2};
  for (const std::vector<float>& coded : {none, away}) {
    const CodeFactors factors = make_factors(
        EstimateOf::kSquaredDistance, ResidualSums::of(r.data(), coded.data(), c.data(), 3), 3);
    EXPECT_EQ(factors.a, 9);
    EXPECT_EQ(factors.b, 0);
    EXPECT_EQ(factors.error, 6);
  }
  const CodeFactors at_centroid = make_factors(
      EstimateOf::kSquaredDistance, ResidualSums::of(none.data(), r.data(), c.data(), 3), 3);
  EXPECT_EQ(at_centroid.a, 0);
  EXPECT_EQ(at_centroid.b, 0);
  EXPECT_EQ(at_centroid.error, 0);
}

TEST(SignCode, factors_are_those_of_signs) {
  Rng rng;
  for (const EstimateOf what : {EstimateOf::kSquaredDistance, EstimateOf::kNegativeProduct}) {
    const std::vector<float> r = rng.vector(2), c = rng.vector(3);
    std::vector<float> signs(kDim);
    for (std::size_t i = 0; i < kDim; ++i) signs[i] = r[i] < 0 ? -1.0F : 1.0F;
    const CodeFactors expected =
        make_factors(what, ResidualSums::of(r.data(), signs.data(), c.data(), kDim), kDim);
    const CodeFactors found = sign_factors(what, r, c.data());
    EXPECT_FLOAT_EQ(found.a, expected.a);
    EXPECT_FLOAT_EQ(found.b, expected.b);
    EXPECT_FLOAT_EQ(found.error, expected.error);
  }
}

TEST(SignCode, levels_come_back_from_signs_and_extra_bits) {
  std::mt19937 random(4);
  for (const std::size_t dim : {1, 7, 8, 9, 100}) {
    for (unsigned bits = 2; bits <= 8; ++bits) {
      const int half = 1 << (bits - 1);
      std::vector<std::int8_t> w(dim), found(dim, 99);
      for (std::int8_t& one : w) {
        one = static_cast<std::int8_t>(static_cast<int>(random() % (2U * half)) - half);
      }
      std::vector<std::uint8_t> row(code_row_bytes(sign_segments(dim)), 0xEE);
      std::vector<std::uint8_t> extra(extra_bits_bytes(dim, bits), 0xEE);
      pack_levels(w.data(), dim, bits, row.data(), extra.data());
      unpack_levels(row.data(), extra.data(), dim, bits, found.data());
      EXPECT_EQ(found, w) << dim << ' ' << bits;
      std::vector<float> r(dim);
      for (std::size_t i = 0; i < dim; ++i) r[i] = 2 * static_cast<float>(w[i]) + 1;
      std::vector<std::uint8_t> signs(row.size(), 0xDD);
      encode_sign_row(r, signs.data());
      EXPECT_EQ(signs, row) << "the first bit is the sign";
    }
  }
}

TEST(SignCode, levels_stay_within_their_bits) {
  Rng rng;
  std::vector<float> r = rng.vector(1);
  r[0] = 1000;
  r[1] = -1000;
  for (unsigned bits = 2; bits <= 8; ++bits) {
    std::vector<std::int8_t> w(kDim);
    EXPECT_GT(encode_levels(r, bits, w.data()), 0);
    EXPECT_EQ(w[0], (1 << (bits - 1)) - 1);
    EXPECT_EQ(w[1], bits == 8 ? -127 : -(1 << (bits - 1)));
  }
  const std::vector<float> zero(kDim);
  std::vector<std::int8_t> w(kDim, 5);
  EXPECT_EQ(encode_levels(zero, 4, w.data()), 0);
}

TEST(QueryTable, signs_and_bytes_give_the_products) {
  Rng rng;
  for (const std::size_t dim : {kDim, kDim - 1, kDim - 2, 1U}) {
    std::vector<float> q = rng.vector(1), r = rng.vector(1);
    q.resize(dim), r.resize(dim);
    const std::size_t segments = sign_segments(dim);
    std::vector<float> products(segments * 16);
    sign_products(q, products.data());
    std::vector<std::uint8_t> row(code_row_bytes(segments)), entries(segments * 16);
    encode_sign_row(r, row.data());
    double expected = 0, from_table = 0;
    for (std::size_t i = 0; i < dim; ++i)
      expected += (r[i] < 0 ? -1 : 1) * static_cast<double>(q[i]);
    for (std::size_t s = 0; s < segments; ++s)
      from_table += products[16 * s + symbol_of(row.data(), s)];
    EXPECT_NEAR(from_table, expected, 1e-5);
    const ByteTable table = make_byte_table(products.data(), segments, entries.data());
    unsigned whole = 0;
    for (std::size_t s = 0; s < segments; ++s) whole += entries[16 * s + symbol_of(row.data(), s)];
    EXPECT_NEAR(table.offset + table.step * static_cast<float>(whole), expected,
                0.51 * table.step * static_cast<double>(segments) + 1e-6);
  }
}

TEST(CodeBlock, rows_come_back_and_places_are_filled_one_by_one) {
  std::mt19937 random(5);
  for (const std::size_t segments : {1, 2, 7, 96}) {
    const std::size_t bytes = code_row_bytes(segments);
    std::vector<std::uint8_t> rows(32 * bytes), block(code_block_bytes(segments), 0xEE), row(bytes);
    for (std::size_t j = 0; j < 32; ++j) {
      for (std::size_t s = 0; s < segments; ++s) add_symbol(&rows[j * bytes], s, random() % 16);
    }
    pack_block(rows.data(), bytes, 20, segments, block.data());
    const std::vector<std::uint8_t> partial = block;
    for (std::size_t j = 20; j < 32; ++j) put_code(block.data(), segments, j, &rows[j * bytes]);
    for (std::size_t j = 0; j < 32; ++j) {
      get_code(block.data(), segments, j, row.data());
      EXPECT_TRUE(std::equal(row.begin(), row.end(), &rows[j * bytes])) << j;
      get_code(partial.data(), segments, j, row.data());
      if (j >= 20) {
        EXPECT_EQ(row, std::vector<std::uint8_t>(bytes)) << "no code: zero";
      }
    }
    put_code(block.data(), segments, 3, &rows[9 * bytes]);
    get_code(block.data(), segments, 3, row.data());
    EXPECT_TRUE(std::equal(row.begin(), row.end(), &rows[9 * bytes])) << "a place is replaced";
  }
}

}  // namespace
}  // namespace nearest::core
