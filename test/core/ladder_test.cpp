#include "core/ladder.hpp"

#include <gtest/gtest.h>

#include <set>

namespace nearest::core {
namespace {

TEST(Ladder, finds_the_least_that_is_good_in_few_steps) {
  for (const std::int64_t least : {1, 10, 1000}) {
    for (const std::int64_t wanted : {1, 2, 10, 11, 64, 65, 333, 999, 1000, 1001}) {
      Ladder ladder(least, 1000);
      std::set<std::int64_t> tried;
      while (ladder.goes_on()) {
        EXPECT_GE(ladder.value(), least);
        EXPECT_LE(ladder.value(), 1000);
        EXPECT_TRUE(tried.insert(ladder.value()).second) << "again " << ladder.value();
        ladder.tell(ladder.value() >= wanted);
      }
      EXPECT_EQ(ladder.found(), wanted > 1000 ? 0 : std::max(wanted, least));
      EXPECT_LE(tried.size(), 21U);
    }
  }
}

TEST(Ladder, of_one_rung) {
  for (const bool is_good : {true, false}) {
    Ladder ladder(5, 5);
    ASSERT_TRUE(ladder.goes_on());
    EXPECT_EQ(ladder.value(), 5);
    ladder.tell(is_good);
    EXPECT_FALSE(ladder.goes_on());
    EXPECT_EQ(ladder.found(), is_good ? 5 : 0);
  }
}

}  // namespace
}  // namespace nearest::core
