#include "core/drift/verdict.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "core/random.hpp"

namespace nearest::core {
namespace {

/// n values around a mean, half of them a spread below, half above.
Moments around(double n, double mean, double spread) { return {n, mean, n * spread * spread}; }

constexpr DriftLimits kLimits{0.5, 1.5};

TEST(ShiftScore, counts_spreads_of_the_built_rows) {
  const Moments built = around(1e9, 10, 1);
  EXPECT_NEAR(shift_score(Figure::kCentroidDistance, built, around(1e9, 13, 1)), 3, 1e-3);
  EXPECT_NEAR(shift_score(Figure::kCentroidDistance, built, around(1e9, 10, 1)), 0, 1e-3);
}

TEST(ShiftScore, of_distances_and_errors_is_of_larger_ones) {
  const Moments built = around(1e9, 10, 1), smaller = around(1e9, 7, 1);
  EXPECT_EQ(shift_score(Figure::kCentroidDistance, built, smaller), 0);
  EXPECT_EQ(shift_score(Figure::kNeighborDistance, built, smaller), 0);
  EXPECT_EQ(shift_score(Figure::kCodeError, built, smaller), 0);
  EXPECT_NEAR(shift_score(Figure::kNorm, built, smaller), 3, 1e-3);
}

TEST(ShiftScore, leaves_out_what_chance_may_have_done) {
  const Moments built = around(1e9, 10, 1);
  const double few = shift_score(Figure::kNorm, built, around(36, 11, 1));
  EXPECT_NEAR(few, 1 - 3.0 / 6, 1e-3);
  EXPECT_GT(shift_score(Figure::kNorm, built, around(900, 11, 1)), few);
  // A few rows that are all alike may be so by chance.
  EXPECT_NEAR(shift_score(Figure::kNorm, built, around(36, 11, 0)), few, 1e-9);
  // Of rows that differ more, the mean is less certain.
  EXPECT_LT(shift_score(Figure::kNorm, built, around(36, 11, 2)), few);
}

TEST(ShiftScore, of_too_few_rows_is_none) {
  EXPECT_EQ(shift_score(Figure::kNorm, around(99, 1, 0), around(1e6, 9, 0)), 0);
  EXPECT_EQ(shift_score(Figure::kNorm, around(1e6, 1, 0), around(15, 9, 0)), 0);
  EXPECT_GT(shift_score(Figure::kNorm, around(100, 1, 0), around(16, 9, 0)), 1);
}

TEST(ShiftScore, takes_rounding_of_equal_norms_for_none) {
  const Moments built = around(1e6, 1, 1e-8);
  EXPECT_NEAR(shift_score(Figure::kNorm, built, around(1e6, 1.001, 1e-3)), 0.05, 0.01);
  EXPECT_NEAR(shift_score(Figure::kNorm, built, around(1e6, 3, 1e-3)), 100, 0.01);
}

TEST(ShiftScore, of_what_was_always_zero_is_the_most_there_is) {
  const Moments built = around(1e6, 0, 0);
  EXPECT_EQ(shift_score(Figure::kCodeError, built, around(100, 0.5, 0.1)), kMostScore);
  EXPECT_EQ(shift_score(Figure::kCodeError, built, built), 0);
}

TEST(Imbalance, is_one_where_lists_are_alike_and_their_number_where_one_has_all) {
  const std::uint32_t even[4] = {5, 5, 5, 5}, one[4] = {0, 20, 0, 0}, none[4] = {};
  EXPECT_DOUBLE_EQ(imbalance(even, nullptr, 4, 16), 1);
  EXPECT_DOUBLE_EQ(imbalance(one, nullptr, 4, 16), 4);
  EXPECT_DOUBLE_EQ(imbalance(even, none, 4, 16), 1);
  EXPECT_TRUE(std::isnan(imbalance(none, nullptr, 4, 16)));
  EXPECT_TRUE(std::isnan(imbalance(nullptr, nullptr, 0, 16)));
}

TEST(Imbalance, of_sampled_rows_is_about_that_of_all) {
  // Rows that fall into 64 lists by chance, of which one in 16 is seen: lists look uneven by the
  // sample alone.
  Random random(3);
  std::uint32_t all[64] = {}, seen[64] = {};
  for (int i = 0; i < 20000; ++i) {
    const std::size_t list = random.below(64) * random.below(64) / 64;
    all[list] += 1;
    if (random.below(16) == 0) seen[list] += 1;
  }
  const double truth = imbalance(all, nullptr, 64, 16);
  EXPECT_GT(truth, 1.5);
  EXPECT_NEAR(imbalance(nullptr, seen, 64, 16), truth, 0.1 * truth);
  EXPECT_NEAR(imbalance(all, seen, 64, 16), truth, 0.05 * truth);
}

TEST(Imbalance, scores_doublings) {
  EXPECT_DOUBLE_EQ(imbalance_score(1.5, 6), 2);
  EXPECT_EQ(imbalance_score(2, 1.5), 0);
  EXPECT_EQ(imbalance_score(std::numeric_limits<double>::quiet_NaN(), 2), 0);
  EXPECT_EQ(imbalance_score(2, std::numeric_limits<double>::quiet_NaN()), 0);
}

TEST(Buckets, are_lists_or_neighboring_lists) {
  EXPECT_EQ(bucket_of(0, 1), 0U);
  EXPECT_EQ(bucket_of(127, 128), 127U);
  EXPECT_EQ(bucket_of(299, 300), kListBuckets - 1);
  EXPECT_EQ(bucket_of(32767, 32768), kListBuckets - 1);
  for (std::uint32_t list = 1; list < 1000; ++list) {
    EXPECT_LE(bucket_of(list, 1000) - bucket_of(list - 1, 1000), 1U);
  }
}

TEST(Verdict, follows_the_limits) {
  EXPECT_EQ(verdict_of(0, kLimits), Verdict::kOk);
  EXPECT_EQ(verdict_of(0.5, kLimits), Verdict::kWatch);
  EXPECT_EQ(verdict_of(1.49, kLimits), Verdict::kWatch);
  EXPECT_EQ(verdict_of(1.5, kLimits), Verdict::kRetrain);
  EXPECT_EQ(verdict_of(1, {2, 0.5}), Verdict::kRetrain);
}

TEST(RowFigures, have_no_values_that_cannot_be_added_up) {
  RowFigures row;
  EXPECT_EQ(row.values[0], kNoFigure);
  row.set(Figure::kNorm, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(row.values[0], kNoFigure);
  row.set(Figure::kNorm, std::numeric_limits<double>::infinity());
  EXPECT_EQ(row.values[0], kNoFigure);
  row.set(Figure::kNorm, -2);
  EXPECT_EQ(row.values[0], kNoFigure);
  row.set(Figure::kNorm, 0);
  EXPECT_EQ(row.values[0], 0);
  FigureMoments moments;
  moments.add(row);
  EXPECT_EQ(moments[Figure::kNorm].n, 1);
  EXPECT_EQ(moments[Figure::kCodeError].n, 0);
}

}  // namespace
}  // namespace nearest::core
