#include "core/ivf/survivors.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "../graph/test_arena.hpp"
#include "core/ivf/scan_block.hpp"

namespace nearest::core {
namespace {

TEST(Survivors, keep_all_that_may_be_among_the_k_nearest) {
  std::mt19937 random(8);
  std::uniform_real_distribution<float> uniform;
  for (const std::size_t room : {40, 1000}) {
    TestMemory memory;
    Survivors<int> survivors;
    survivors.prepare(memory.arena(), 10, room);
    struct Code {
      float lower, estimate, upper;
    };
    std::vector<Code> codes;
    std::vector<float> uppers;
    for (int i = 0; i < 2000; ++i) {
      const float estimate = 10 * uniform(random), width = 0.1F * uniform(random);
      codes.push_back({estimate - width, estimate, estimate + width});
      uppers.push_back(codes.back().upper);
      if (codes.back().lower <= survivors.limit()) {
        survivors.add(codes.back().lower, estimate, i);
      }
    }
    survivors.finish();
    std::sort(uppers.begin(), uppers.end());
    EXPECT_NEAR(survivors.limit(), uppers[9], 1e-5);
    std::set<int> found;
    for (std::size_t i = 0; i < survivors.size(); ++i) {
      found.insert(survivors[i].place);
      EXPECT_LE(survivors[i].lower, survivors.limit());
      if (i > 0) {
        EXPECT_LE(survivors[i - 1].lower, survivors[i].lower);
      }
    }
    EXPECT_EQ(survivors.dropped(), 0U);
    for (int i = 0; i < 2000; ++i) {
      if (codes[static_cast<std::size_t>(i)].lower < uppers[9] - 1e-4F) {
        EXPECT_TRUE(found.contains(i)) << i;
      }
    }
  }
}

TEST(ScanBlock, scores_as_the_estimator_does_and_leaves_out_empty_places) {
  constexpr std::size_t kSegments = 25;
  std::mt19937 random(9);
  std::uniform_real_distribution<float> uniform(0.5F, 1.5F);
  std::vector<float> products(kSegments * 16), a(32), b(32), error(32, 0.01F);
  for (float& x : products) x = uniform(random) - 1;
  for (std::size_t j = 0; j < 32; ++j) a[j] = uniform(random), b[j] = uniform(random);
  std::vector<std::uint8_t> entries(products.size()), codes(kSegments * 16);
  for (std::uint8_t& code : codes) code = static_cast<std::uint8_t>(random());
  const ByteTable table = make_byte_table(products.data(), kSegments, entries.data());
  for (const std::size_t n : {1, 16, 20, 31, 32}) {
    TestMemory memory;
    Survivors<std::size_t> survivors;
    survivors.prepare(memory.arena(), 40, 200);
    const ListTerms list{4, 2};
    scan_block(table, kSegments, list, {codes.data(), {a.data(), b.data(), error.data()}, n},
               survivors, [](std::size_t j) { return j; });
    survivors.finish();
    ASSERT_EQ(survivors.size(), n) << "there is no limit yet";
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t j = survivors[i].place;
      ASSERT_LT(j, n);
      float sum = 0;
      for (std::size_t s = 0; s < kSegments; ++s) {
        const unsigned both = codes[16 * s + j % 16];
        sum += products[16 * s + (j < 16 ? both & 15U : both >> 4)];
      }
      const float rounded = 0.5F * table.step * kSegments;
      EXPECT_NEAR(survivors[i].estimate, 4 + a[j] - b[j] * sum, b[j] * rounded);
      const float width = kBoundDeviations * (2 * error[j] + table.deviation * b[j]);
      EXPECT_NEAR(survivors[i].lower, survivors[i].estimate - width, 1e-5);
    }
  }
}

TEST(Survivors, without_room_the_largest_bounds_go) {
  TestMemory memory;
  Survivors<int> survivors;
  survivors.prepare(memory.arena(), 2, 16);
  for (int i = 0; i < 100; ++i) survivors.add(static_cast<float>(100 - i), 1000, i);
  survivors.finish();
  EXPECT_EQ(survivors.dropped() + survivors.size(), 100U);
  EXPECT_EQ(survivors[0].place, 99);
  EXPECT_GE(survivors.size(), 12U);
}

TEST(Survivors, with_fewer_codes_than_asked_all_stay) {
  TestMemory memory;
  Survivors<int> survivors;
  survivors.prepare(memory.arena(), 10, 40);
  for (int i = 0; i < 5; ++i) survivors.add(static_cast<float>(i) * 1e30F, 1e35F, i);
  survivors.finish();
  EXPECT_EQ(survivors.size(), 5U);
}

}  // namespace
}  // namespace nearest::core
