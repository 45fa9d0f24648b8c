#include "core/ivf/list_reach.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace nearest::core {
namespace {

TEST(ListReach, is_about_the_largest_product_with_a_residual) {
  constexpr std::size_t kDim = 24, kRows = 800, kQueries = 100;
  constexpr double kSpread = 3;
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  std::vector<double> rows(kRows * kDim);
  ListReach reach;
  for (std::size_t i = 0; i < kRows; ++i) {
    double squared = 0;
    for (std::size_t d = 0; d < kDim; ++d) {
      rows[i * kDim + d] = kSpread * normal(random);
      squared += rows[i * kDim + d] * rows[i * kDim + d];
    }
    reach.add(squared);
  }
  double sum = 0;
  for (std::size_t q = 0; q < kQueries; ++q) {
    std::vector<double> query(kDim);
    double squared = 0;
    for (double& x : query) {
      x = normal(random);
      squared += x * x;
    }
    double most = 0;
    for (std::size_t i = 0; i < kRows; ++i) {
      double product = 0;
      for (std::size_t d = 0; d < kDim; ++d) product += query[d] * rows[i * kDim + d];
      most = std::max(most, product / std::sqrt(squared));
    }
    sum += most;
  }
  EXPECT_NEAR(reach.value(kDim), sum / kQueries, 0.2 * sum / kQueries);
}

TEST(ListReach, is_nothing_without_rows_or_residuals) {
  ListReach reach;
  EXPECT_EQ(reach.value(8), 0);
  reach.add(0);
  reach.add(0);
  EXPECT_EQ(reach.value(8), 0);
}

}  // namespace
}  // namespace nearest::core
