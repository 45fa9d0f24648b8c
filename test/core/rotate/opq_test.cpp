#include "core/rotate/opq.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "../graph/test_arena.hpp"

namespace nearest::core {
namespace {

TEST(SymmetricEigen, vectors_are_orthogonal_and_rebuild_the_matrix) {
  std::mt19937 random(6);
  std::normal_distribution<double> normal;
  for (const std::size_t n : {1, 2, 3, 10, 65, 130}) {
    for (const bool is_low_rank : {false, true}) {
      const std::size_t rank = is_low_rank ? (n + 2) / 3 : n;
      std::vector<double> root(n * rank), a(n * n), values(n);
      for (double& x : root) x = normal(random);
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
          for (std::size_t k = 0; k < rank; ++k)
            a[i * n + j] += root[i * rank + k] * root[j * rank + k];
        }
      }
      const std::vector<double> before = a;
      TestMemory memory;
      std::size_t checkpoints = 0;
      ASSERT_TRUE(
          find_eigenvectors(memory.arena(), a.data(), n, values.data(), [&] { ++checkpoints; }));
      EXPECT_EQ(memory.lent(), 0U);
      EXPECT_GE(checkpoints, n - 1);
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
          double dot = 0, rebuilt = 0;
          for (std::size_t k = 0; k < n; ++k) {
            dot += a[i * n + k] * a[j * n + k];
            rebuilt += values[k] * a[k * n + i] * a[k * n + j];
          }
          EXPECT_NEAR(dot, i == j ? 1 : 0, 1e-12);
          EXPECT_NEAR(rebuilt, before[i * n + j], 1e-11 * static_cast<double>(n * n));
        }
      }
    }
  }
}

TEST(SymmetricEigen, gives_up_on_what_is_not_finite) {
  std::vector<double> a(16, std::numeric_limits<double>::quiet_NaN()), values(4);
  TestMemory memory;
  EXPECT_FALSE(find_eigenvectors(memory.arena(), a.data(), 4, values.data(), [] {}));
}

/// Rows whose variance lies in a few directions that no segment holds together.
std::vector<float> skewed_rows(std::size_t n, std::size_t dim) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> basis(dim * dim), rows(n * dim);
  for (float& x : basis) x = normal(random) / std::sqrt(static_cast<float>(dim));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < dim; ++k) {
      const float size = normal(random) * 3 / static_cast<float>(1 + k);
      for (std::size_t d = 0; d < dim; ++d) rows[i * dim + d] += size * basis[k * dim + d];
    }
  }
  return rows;
}

double lost(const ProductShape& shape, const std::vector<float>& rows) {
  TestMemory memory;
  SerialRunner runner;
  const Rows view{rows.data(), rows.size() / shape.dim, shape.dim};
  std::vector<float> columns(shape.codebook_floats());
  std::vector<float> half_squares(shape.segments * shape.codewords());
  train_codebooks(memory.arena(), runner, shape, view, 1, columns.data());
  fill_half_squares(shape, columns.data(), half_squares.data());
  const ProductCodebooks books{shape, columns.data(), half_squares.data()};
  std::vector<std::uint8_t> codes(view.n * shape.row_bytes());
  encode_product_rows(books, view, codes.data());
  std::vector<float> decoded(shape.dim);
  double sum = 0;
  for (std::size_t i = 0; i < view.n; ++i) {
    decode_product(books, codes.data() + i * shape.row_bytes(), decoded.data());
    for (std::size_t d = 0; d < shape.dim; ++d) {
      sum += std::pow(static_cast<double>(view.row(i)[d]) - decoded[d], 2);
    }
  }
  return sum;
}

TEST(Opq, is_orthogonal_and_loses_less_than_no_rotation) {
  for (const std::uint32_t segments : {8U, 10U}) {
    const ProductShape shape{40, segments, 4};
    const std::vector<float> rows = skewed_rows(2000, 40);
    const Rows view{rows.data(), 2000, 40};
    TestMemory memory;
    SerialRunner runner;
    std::vector<float> matrix(40 * 40), rotated(rows.size());
    ASSERT_TRUE(train_opq(memory.arena(), runner, shape, view, matrix.data()));
    EXPECT_EQ(memory.lent(), 0U);
    for (std::size_t i = 0; i < 40; ++i) {
      for (std::size_t j = 0; j < 40; ++j) {
        double dot = 0;
        for (std::size_t k = 0; k < 40; ++k)
          dot += static_cast<double>(matrix[i * 40 + k]) * matrix[j * 40 + k];
        EXPECT_NEAR(dot, i == j ? 1 : 0, 1e-6);
      }
    }
    apply_matrix(matrix.data(), view, rotated.data());
    EXPECT_LT(lost(shape, rotated), 0.8 * lost(shape, rows));
  }
}

TEST(Opq, variances_are_dealt_out_evenly) {
  const ProductShape shape{6, 3, 4};
  const std::vector<double> values = {1, 100, 10, 1000, 1e4, 1e5};
  std::vector<std::uint32_t> sorted(6), taken(3), order(6);
  std::vector<double> logs(3);
  deal_out(shape, values.data(), sorted.data(), logs.data(), taken.data(), order.data());
  for (std::size_t s = 0; s < 3; ++s) {
    EXPECT_NEAR(values[order[2 * s]] * values[order[2 * s + 1]], 1e5, 1) << s;
  }
}

TEST(Opq, residuals_that_are_not_finite_give_the_unit_matrix) {
  std::vector<float> rows(10 * 4, std::numeric_limits<float>::infinity()), matrix(16, 7);
  TestMemory memory;
  SerialRunner runner;
  EXPECT_FALSE(train_opq(memory.arena(), runner, {4, 2, 4}, {rows.data(), 10, 4}, matrix.data()));
  EXPECT_EQ(matrix, (std::vector<float>{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}));
}

}  // namespace
}  // namespace nearest::core
