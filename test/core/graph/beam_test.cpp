#include "core/graph/beam.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "test_arena.hpp"

namespace nearest::core {
namespace {

constexpr std::uint64_t kSeed = 20240616;

struct KeyedEntry {
  float key;
  std::uint32_t id, index;
  bool visited;
};

void insert(Beam& beam, const KeyedEntry& entry) {
  if (beam.accepts(entry.key)) {
    beam.insert(entry.key, Beam::Entry::make(entry.id, entry.index, entry.visited));
  }
}

/// What a beam is, without care for speed.
struct NaiveBeam {
  std::size_t width;
  std::vector<KeyedEntry> entries;

  void insert(const KeyedEntry& entry) {
    if (entries.size() == width && !(entry.key < entries.back().key)) return;
    entries.push_back(entry);
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return a.key < b.key; });
    if (entries.size() > width) entries.pop_back();
  }
  void remove(float key, std::uint32_t id) {
    std::erase_if(entries, [&](const auto& e) { return e.key == key && e.id == id; });
  }
  std::size_t next_open() const {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (!entries[i].visited) return i;
    }
    return Beam::kNone;
  }
};

TEST(Beam, agrees_with_a_naive_one_under_random_operations) {
  std::mt19937_64 random{kSeed};
  TestMemory memory;
  Beam beam;
  for (const std::size_t width : {1U, 2U, 3U, 10U, 40U, 7U}) {
    beam.prepare(memory.arena(), width);
    NaiveBeam naive{width, {}};
    std::vector<std::pair<float, std::uint32_t>> known;
    std::uint32_t next_id = 0;
    for (int i = 0; i < 20'000; ++i) {
      const auto key = static_cast<float>(random() % 50);  // many ties
      switch (random() % 4) {
        case 0:
        case 1: {
          const KeyedEntry entry{key, next_id++ * 7919 % 65536, 0, random() % 3 == 0};
          ASSERT_EQ(beam.accepts(key),
                    naive.entries.size() < width || key < naive.entries.back().key);
          insert(beam, entry);
          naive.insert(entry);
          known.emplace_back(entry.key, entry.id);
          break;
        }
        case 2: {
          if (known.empty()) break;
          // What was entered, be it still in or not, or something that never was.
          const auto& [old_key, old_id] = known[known.size() - 1 - random() % known.size() % 60];
          const bool is_foreign = random() % 4 == 0;
          beam.remove(old_key, is_foreign ? old_id + 100'000 : old_id);
          naive.remove(old_key, is_foreign ? old_id + 100'000 : old_id);
          break;
        }
        default: {  // visit the next one, as a search does
          const std::size_t open = beam.next_open();
          ASSERT_EQ(open, naive.next_open());
          if (open == Beam::kNone) break;
          KeyedEntry entry = naive.entries[open];
          beam.remove(entry.key, entry.id);
          naive.remove(entry.key, entry.id);
          entry.visited = true;
          entry.key = key;
          insert(beam, entry);
          naive.insert(entry);
          known.emplace_back(entry.key, entry.id);
        }
      }
      ASSERT_EQ(beam.size(), naive.entries.size());
      ASSERT_EQ(beam.next_open(), naive.next_open());
      for (std::size_t j = 0; j < beam.size(); ++j) {
        ASSERT_EQ(beam[j].id, naive.entries[j].id);
        ASSERT_EQ(beam.key(j), naive.entries[j].key);
        ASSERT_EQ(beam[j].visited != 0, naive.entries[j].visited);
      }
    }
  }
  EXPECT_FALSE(memory.was_misused());
}

TEST(Beam, is_empty_after_it_was_prepared_again) {
  TestMemory memory;
  Beam beam;
  beam.prepare(memory.arena(), 4);
  insert(beam, {1, 1, 0, true});
  insert(beam, {2, 2, 1, false});
  beam.prepare(memory.arena(), 2);
  EXPECT_EQ(beam.size(), 0U);
  EXPECT_EQ(beam.width(), 2U);
  EXPECT_EQ(beam.next_open(), Beam::kNone);
}

}  // namespace
}  // namespace nearest::core
