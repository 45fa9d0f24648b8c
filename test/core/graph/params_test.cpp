#include "core/graph/params.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>

namespace nearest::core {
namespace {

double expected_entries(std::size_t nodes, double entries, std::size_t from = 1) {
  for (std::size_t n = from; n <= nodes; ++n) {
    entries += entry_chance(n, static_cast<std::size_t>(entries));
  }
  return entries;
}

// Nodes that come one by one make about as many entries as a build of all of them would choose.
TEST(EntryChance, comes_to_the_count_of_builds) {
  for (const std::size_t nodes :
       {10, 50, 64, 200, 1000, 3000, 10'000, 65'000, 300'000, 4'000'000}) {
    const auto wanted = static_cast<double>(entry_count(nodes));
    const double entries = expected_entries(nodes, 0);
    EXPECT_GT(entries, 0.9 * wanted) << nodes;
    EXPECT_LT(entries, 2 * wanted) << nodes;
  }
}

TEST(EntryChance, makes_up_for_entries_that_have_gone) {
  EXPECT_GT(expected_entries(20'000, 100, 10'000), 250);
}

TEST(EntryChance, first_nodes_are_entries) {
  for (std::size_t nodes = 0; nodes <= 16; ++nodes) EXPECT_EQ(entry_chance(nodes, nodes), 1);
}

TEST(EntryChance, is_spread_over_rows) {
  EXPECT_GT(expected_entries(400, 0), 1.3 * expected_entries(64, 0));
  EXPECT_GT(expected_entries(1000, 0), 1.8 * expected_entries(64, 0));
}

}  // namespace
}  // namespace nearest::core
