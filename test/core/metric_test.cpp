#include "core/metric.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace nearest::core {
namespace {

constexpr std::array<float, 2> kZero = {0, 0}, kRight = {1, 0}, kUp = {0, 2}, kLeft = {-3, 0};
constexpr std::array<float, 2> kHuge = {3e38F, 3e38F};

TEST(Metric, distances_of_simple_vectors) {
  EXPECT_DOUBLE_EQ(l2_distance<float>(kRight, kUp), std::sqrt(5.0));
  EXPECT_DOUBLE_EQ(l2_squared_distance<float>(kRight, kUp), 5);
  EXPECT_DOUBLE_EQ(l1_distance<float>(kRight, kUp), 3);
  EXPECT_DOUBLE_EQ(inner_product<float>(kRight, kLeft), -3);
  EXPECT_DOUBLE_EQ(negative_inner_product<float>(kRight, kLeft), 3);
  EXPECT_DOUBLE_EQ(cosine_distance<float>(kRight, kUp), 1);
  EXPECT_DOUBLE_EQ(cosine_distance<float>(kRight, kLeft), 2);
  EXPECT_DOUBLE_EQ(spherical_distance<float>(kRight, kLeft), 1);
}

TEST(Metric, cosine_of_a_zero_vector_is_not_a_number) {
  EXPECT_TRUE(std::isnan(cosine_distance<float>(kZero, kUp)));
}

TEST(Metric, cosine_never_leaves_its_range) {
  // Rounding makes this similarity 1.0000001 unless it is cut off.
  const std::array<float, 3> a = {0.1F, 0.7F, 0.3F};
  EXPECT_GE(cosine_distance<float>(a, a), 0);
}

TEST(Metric, overflow_is_infinite_or_not_a_number_but_never_wrong) {
  const std::array<float, 2> opposite = {-3e38F, -3e38F};
  EXPECT_EQ(l2_distance<float>(kHuge, opposite), INFINITY);
  EXPECT_TRUE(std::isnan(cosine_distance<float>(kHuge, opposite)));
  EXPECT_TRUE(std::isfinite(norm<float>(kHuge)));
}

TEST(Metric, compares_like_arrays) {
  const std::array<float, 1> shorter = {1};
  const std::array<float, 2> minus_zero = {-0.0F, 0};
  EXPECT_EQ(compare<float>(shorter, kRight), -1);
  EXPECT_EQ(compare<float>(kRight, shorter), 1);
  EXPECT_EQ(compare<float>(kUp, kRight), -1);
  EXPECT_EQ(compare<float>(kRight, kUp), 1);
  EXPECT_EQ(compare<float>(kZero, minus_zero), 0);
}

}  // namespace
}  // namespace nearest::core
