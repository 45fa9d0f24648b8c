#include "core/drift/moments.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/random.hpp"

namespace nearest::core {
namespace {

Moments of(const std::vector<double>& values) {
  Moments moments{};
  for (const double value : values) moments.add(value);
  return moments;
}

TEST(Moments, are_those_of_the_values) {
  const Moments moments = of({1, 2, 4, 9});
  EXPECT_EQ(moments.n, 4);
  EXPECT_DOUBLE_EQ(moments.mean, 4);
  EXPECT_DOUBLE_EQ(moments.squares, 9 + 4 + 0 + 25);
  EXPECT_DOUBLE_EQ(moments.spread(), std::sqrt(38.0 / 4));
}

TEST(Moments, of_nothing_and_of_one_value_have_no_spread) {
  EXPECT_EQ(Moments{}.spread(), 0);
  EXPECT_EQ(of({7}).spread(), 0);
  EXPECT_EQ(of({7}).mean, 7);
}

TEST(Moments, merged_are_those_of_all_values) {
  Random random(1);
  Moments all{}, merged{};
  for (int part = 0; part < 7; ++part) {
    Moments moments{};
    for (int i = 0; i < part * 5; ++i) {
      const double value = 1000 + part + random.uniform();
      all.add(value);
      moments.add(value);
    }
    merged.merge(moments);
  }
  EXPECT_EQ(merged.n, all.n);
  EXPECT_NEAR(merged.mean, all.mean, 1e-9);
  EXPECT_NEAR(merged.squares, all.squares, 1e-6);
}

TEST(Moments, keep_a_small_spread_of_large_values) {
  Moments moments{};
  for (int i = 0; i < 1000; ++i) moments.add(1e8 + i % 2);
  EXPECT_NEAR(moments.spread(), 0.5, 1e-6);
}

}  // namespace
}  // namespace nearest::core
