#include "core/graph/params.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>

namespace nearest::core {
namespace {

// Nodes that come one by one make about as many entries as a build of all of them would choose,
// never clearly fewer, and a few dozen more at most while the graph is small.
TEST(EntryChance, SumsToTheCountOfBuilds) {
  double sum = 0;
  for (std::size_t nodes = 1; nodes <= 4'000'000; ++nodes) {
    sum += entry_chance(static_cast<double>(nodes));
    const auto wanted = static_cast<double>(entry_count(nodes));
    EXPECT_GT(sum, nodes < 1000 ? 0 : 0.9 * wanted) << nodes;
    EXPECT_LT(sum, 1.3 * wanted + 40) << nodes;
    if (HasFailure()) return;
  }
}

TEST(EntryChance, FirstNodesAreEntries) {
  for (std::size_t nodes = 0; nodes <= 16; ++nodes) {
    EXPECT_EQ(entry_chance(static_cast<double>(nodes)), 1);
  }
}

// Not only the first rows: of the entries of 1,000 nodes, half come behind the first 64.
TEST(EntryChance, IsSpreadOverRows) {
  double early = 0, late = 0;
  for (std::size_t nodes = 1; nodes <= 1000; ++nodes) {
    (nodes <= 64 ? early : late) += entry_chance(static_cast<double>(nodes));
  }
  EXPECT_GT(late, early);
}

}  // namespace
}  // namespace nearest::core
