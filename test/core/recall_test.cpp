#include "core/recall.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace nearest::core {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(LeastDistances, keeps_the_least_in_order) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (const std::size_t k : {1, 2, 10, 100, 500}) {
    std::vector<double> room(k), all;
    LeastDistances least(room);
    for (int i = 0; i < 300; ++i) {
      all.push_back(i % 7 == 0 ? 0.25 : uniform(random));
      least.add(all.back());
      if (i % 50 == 0) least.add(kNaN);
    }
    std::sort(all.begin(), all.end());
    all.resize(std::min(k, all.size()));
    const std::span<const double> found = least.sorted();
    EXPECT_EQ(std::vector<double>(found.begin(), found.end()), all);
  }
}

TEST(LeastDistances, of_nothing_is_nothing) {
  std::vector<double> room(3);
  EXPECT_TRUE(LeastDistances(room).sorted().empty());
}

TEST(RecallTally, counts_by_distance_so_that_ties_are_found) {
  RecallTally tally;
  tally.add(std::vector<double>{1, 2, 2}, std::vector<double>{1, 2, 2});
  EXPECT_EQ(tally.recall(), 1);
  EXPECT_EQ(tally.distance_ratio(), 1);
  tally.add(std::vector<double>{1, 2, 3, 4}, std::vector<double>{1, 4, 5, 9});
  EXPECT_EQ(tally.recall(), 0.75);
  EXPECT_EQ(tally.worst(), 0.5);
  EXPECT_EQ(tally.queries(), 2U);
}

TEST(RecallTally, means_are_as_exact_as_their_figures) {
  RecallTally tally;
  for (int i = 0; i < 1000; ++i) tally.add_share(i % 10 == 0 ? 0.5 : 0.9);
  EXPECT_EQ(tally.recall(), 0.86);
  EXPECT_EQ(tally.worst(), 0.5);
}

TEST(RecallTally, misses_what_did_not_come_or_has_no_distance) {
  RecallTally tally;
  tally.add(std::vector<double>{1, 2, 3, 4}, std::vector<double>{1});
  EXPECT_EQ(tally.recall(), 0.25);
  EXPECT_EQ(tally.distance_ratio(), 1);
  tally.add(std::vector<double>{1, 2}, std::vector<double>{1, kNaN});
  EXPECT_EQ(tally.worst(), 0.25);
  EXPECT_EQ(tally.recall(), 0.375);
  EXPECT_EQ(tally.distance_ratio(), 1);
}

TEST(RecallTally, ratio_grows_with_distance_whatever_the_sign) {
  RecallTally positive, negative, zeros, only_zeros;
  positive.add(std::vector<double>{1, 3}, std::vector<double>{2, 4});
  EXPECT_DOUBLE_EQ(positive.distance_ratio(), 1.5);
  negative.add(std::vector<double>{-3, -1}, std::vector<double>{-2, 0});
  EXPECT_DOUBLE_EQ(negative.distance_ratio(), 1.5);
  zeros.add(std::vector<double>{0, 0, 4}, std::vector<double>{0, 2, 4});
  EXPECT_DOUBLE_EQ(zeros.distance_ratio(), 1.5);
  only_zeros.add(std::vector<double>{0, 0}, std::vector<double>{0, 0});
  EXPECT_EQ(only_zeros.distance_ratio(), 1);
  only_zeros.add(std::vector<double>{0, 0}, std::vector<double>{0, 1});
  EXPECT_TRUE(std::isnan(only_zeros.distance_ratio()));
  positive.add(std::vector<double>{kInfinity}, std::vector<double>{kInfinity});
  EXPECT_DOUBLE_EQ(positive.distance_ratio(), 1.5);
  EXPECT_EQ(positive.queries(), 2U);
}

TEST(RecallTally, of_nothing_is_nan) {
  RecallTally tally;
  tally.add({}, std::vector<double>{1});
  EXPECT_EQ(tally.queries(), 0U);
  EXPECT_TRUE(std::isnan(tally.recall()));
  EXPECT_TRUE(std::isnan(tally.worst()));
  EXPECT_TRUE(std::isnan(tally.distance_ratio()));
}

TEST(percentile, is_by_nearest_rank) {
  std::vector<double> values;
  for (int i = 1; i <= 100; ++i) values.push_back(i);
  EXPECT_EQ(percentile(values, 0.5), 50);
  EXPECT_EQ(percentile(values, 0.95), 95);
  EXPECT_EQ(percentile(values, 0.99), 99);
  EXPECT_EQ(percentile(values, 1), 100);
  EXPECT_EQ(percentile(std::vector<double>{7}, 0.5), 7);
  EXPECT_EQ(percentile(std::vector<double>{7, 9}, 0.95), 9);
}

}  // namespace
}  // namespace nearest::core
