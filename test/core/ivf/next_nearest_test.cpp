#include "core/ivf/next_nearest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "../graph/test_arena.hpp"

namespace nearest::core {
namespace {

using Entry = Keyed<int>;

/// All entries by passes of n, n·2 and so on.
std::vector<Entry> read_all(const std::vector<Entry>& entries, std::size_t n) {
  TestMemory memory;
  NextNearest<int> nearest;
  std::vector<Entry> read;
  bool has_more = true;
  while (has_more) {
    const Entry* const mark = read.empty() ? nullptr : &read.back();
    const Entry copy = mark == nullptr ? Entry{} : *mark;
    nearest.begin(memory.arena(), n, mark == nullptr ? nullptr : &copy);
    for (const Entry& one : entries) nearest.add(one.key, one.place);
    nearest.finish();
    EXPECT_LE(nearest.size(), n);
    for (std::size_t i = 0; i < nearest.size(); ++i) read.push_back(nearest[i]);
    has_more = nearest.has_more();
    n *= 2;
  }
  return read;
}

void expect_in_order(std::vector<Entry> entries, std::size_t n) {
  const std::vector<Entry> read = read_all(entries, n);
  std::sort(entries.begin(), entries.end());
  ASSERT_EQ(read.size(), entries.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].key, entries[i].key);
    EXPECT_EQ(read[i].place, entries[i].place);
  }
}

TEST(NextNearest, passes_return_every_entry_once_in_order) {
  std::mt19937 random(7);
  for (const int count : {0, 1, 3, 4, 5, 100, 1000}) {
    std::vector<Entry> entries;
    for (int i = 0; i < count; ++i) entries.push_back({static_cast<double>(random() % 500), i});
    for (const std::size_t n : {1, 4, 64, 2000}) expect_in_order(entries, n);
  }
}

TEST(NextNearest, equal_keys_are_told_apart_by_place) {
  std::vector<Entry> entries;
  for (int i = 0; i < 300; ++i) entries.push_back({i % 2 == 0 ? 1.0 : 2.0, 299 - i});
  expect_in_order(entries, 10);
}

TEST(NextNearest, takes_infinite_keys) {
  const double infinity = std::numeric_limits<double>::infinity();
  expect_in_order({{infinity, 1}, {-infinity, 2}, {infinity, 3}, {0, 4}, {-infinity, 5}}, 2);
}

TEST(NextNearest, limit_is_the_nth_key_at_most) {
  TestMemory memory;
  NextNearest<int> nearest;
  nearest.begin(memory.arena(), 4, nullptr);
  for (int i = 100; i > 0; --i) nearest.add(i, i);
  EXPECT_LE(nearest.limit(), 8);
  EXPECT_GE(nearest.limit(), 4);
}

}  // namespace
}  // namespace nearest::core
