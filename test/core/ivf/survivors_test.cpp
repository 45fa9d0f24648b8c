#include "core/ivf/survivors.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "../graph/test_arena.hpp"

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
