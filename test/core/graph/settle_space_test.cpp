#include "core/graph/settle_space.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "test_arena.hpp"

namespace nearest::core {
namespace {

struct Result {
  SpaceSizes sizes;
  std::vector<float> center;
};

Result settle(Metric metric, std::size_t dim, const std::vector<float>& rows) {
  TestMemory memory;
  Result result{{}, std::vector<float>(dim, 99)};
  result.sizes = settle_space(metric, rows, dim, memory.arena(), result.center.data());
  EXPECT_EQ(memory.lent(), 0U) << "work space is given back";
  EXPECT_FALSE(memory.was_misused());
  return result;
}

TEST(SettleSpace, takes_the_mean_and_the_spread_around_it) {
  for (const Metric metric : {Metric::kL2, Metric::kInnerProduct, Metric::kL1}) {
    // Mean (3, -4), each row 5 away from it in another direction.
    const Result of = settle(metric, 2, {6, 0, 0, -8, 6, -8, 0, 0});
    EXPECT_EQ(of.center, (std::vector<float>{3, -4}));
    EXPECT_DOUBLE_EQ(of.sizes.center_norm, metric == Metric::kL1 ? 7 : 5);
    EXPECT_EQ(of.sizes.unit, 4);  // log2(5) is nearer to 2 than to 3
    EXPECT_DOUBLE_EQ(of.sizes.longest, kLongestRoom * 10);
    EXPECT_DOUBLE_EQ(of.sizes.query_norm, (6.0 + 8 + 10 + 0) / 4);
  }
}

TEST(SettleSpace, cosine_takes_directions) {
  const Result of = settle(Metric::kCosine, 2, {100, 0, 0, 0.001F});
  EXPECT_NEAR(of.center[0], 0.5, 1e-6);
  EXPECT_NEAR(of.center[1], 0.5, 1e-6);
  EXPECT_NEAR(of.sizes.center_norm, std::sqrt(0.5), 1e-6);
  EXPECT_EQ(of.sizes.unit, unit_near(std::sqrt(0.5)));
}

TEST(SettleSpace, cosine_takes_vectors_of_any_length_but_none) {
  const Result of = settle(Metric::kCosine, 2, {3e38F, 0, 0, 0, 1e-40F, 0});
  EXPECT_NEAR(of.center[0], 1, 1e-6);
  EXPECT_EQ(of.center[1], 0);
  EXPECT_EQ(of.sizes.unit, 1) << "of the center: rows of one direction have no spread";
}

TEST(SettleSpace, leaves_out_rows_that_have_no_code) {
  const Result of = settle(Metric::kL2, 2, {2, 0, 3e38F, 3e38F, 4, 0});
  EXPECT_EQ(of.center, (std::vector<float>{3, 0}));
  EXPECT_DOUBLE_EQ(of.sizes.longest, kLongestRoom * 4);
  EXPECT_DOUBLE_EQ(of.sizes.query_norm, 3);
  EXPECT_EQ(of.sizes.unit, 1);
}

TEST(SettleSpace, takes_the_center_for_a_unit_where_rows_are_all_but_equal) {
  EXPECT_EQ(settle(Metric::kL2, 1, {1000, 1000, 1000}).sizes.unit, 1024);
  EXPECT_EQ(settle(Metric::kL2, 1, {1000, 1000.0001F}).sizes.unit, 1024);
  EXPECT_EQ(settle(Metric::kL2, 1, {1000, 1002}).sizes.unit, 1);
}

TEST(SettleSpace, makes_a_space_without_rows_or_of_zeros) {
  for (const std::vector<float>& rows : {std::vector<float>{}, std::vector<float>{0, 0, 0, 0}}) {
    for (const Metric metric : {Metric::kL2, Metric::kInnerProduct, Metric::kCosine, Metric::kL1}) {
      const Result of = settle(metric, 2, rows);
      EXPECT_EQ(of.center, std::vector<float>(2));
      EXPECT_EQ(of.sizes.center_norm, 0);
      EXPECT_EQ(of.sizes.unit, 1);
      EXPECT_EQ(of.sizes.longest, 0);
      EXPECT_EQ(of.sizes.query_norm, 1);
    }
  }
}

TEST(SettleSpace, units_follow_rows_of_every_size) {
  for (const float scale : {1e-44F, 1e-20F, 1e20F, 1e29F}) {
    const Result of = settle(Metric::kL2, 1, {scale, -scale});
    EXPECT_NEAR(std::log2(of.sizes.unit), std::log2(double{scale}), 0.51);
    EXPECT_EQ(std::exp2(std::round(std::log2(of.sizes.unit))), of.sizes.unit);
  }
}

}  // namespace
}  // namespace nearest::core
