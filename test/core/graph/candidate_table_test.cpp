#include "core/graph/candidate_table.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>

#include "test_arena.hpp"

namespace nearest::core {
namespace {

constexpr std::uint64_t kSeed = 20240615;

TEST(CandidateTable, agrees_with_a_map_under_random_operations) {
  std::mt19937_64 random{kSeed};
  TestMemory memory;
  CandidateTable table;
  for (const std::size_t expected : {0U, 10U, 5000U, 100U}) {
    for (const std::uint32_t spread : {1U, 64U, 4096U, 0x0001'0000U}) {
      table.prepare(memory.arena(), expected);
      EXPECT_EQ(table.size(), 0U);
      std::map<NodeId, std::uint32_t> model;
      std::map<NodeId, float> weights;
      for (int i = 0; i < 5000; ++i) {
        // Ids in steps, so that a poor hash would pile them up.
        const NodeId id = static_cast<NodeId>(random() % 3000) * spread;
        if (random() % 4 == 0) {
          EXPECT_EQ(table.is_visited(id), weights.contains(id) && weights[id] == kVisited);
          continue;
        }
        const auto [at, is_new] = model.emplace(id, static_cast<std::uint32_t>(model.size()));
        const std::uint32_t index = table.find_or_add(memory.arena(), id);
        ASSERT_EQ(index, at->second);
        ASSERT_EQ(table[index].id, id);
        ASSERT_EQ(table[index].weight, weights[id]) << "0 for a new one";
        if (is_new) {
          ASSERT_EQ(table[index].estimate, 0);
        }
        weights[id] = table[index].weight = random() % 3 == 0 ? kVisited : 1.5F;
      }
      EXPECT_EQ(table.size(), model.size());
      EXPECT_GE(table.bytes(), model.size() * (sizeof(Candidate) + 2 * sizeof(std::uint32_t)));
    }
  }
  EXPECT_FALSE(memory.was_misused());
  EXPECT_EQ(memory.lent(), 2U) << "slots and candidates, all others given back";
}

TEST(CandidateTable, knows_the_largest_and_the_smallest_id) {
  TestMemory memory;
  CandidateTable table;
  table.prepare(memory.arena(), 1);
  EXPECT_FALSE(table.is_visited(0));
  EXPECT_FALSE(table.is_visited(kNoNode));
  EXPECT_EQ(table.find_or_add(memory.arena(), 0), 0U);
  EXPECT_EQ(table.find_or_add(memory.arena(), kNoNode), 1U);
  table[1].weight = kVisited;
  EXPECT_TRUE(table.is_visited(kNoNode));
  EXPECT_FALSE(table.is_visited(0));
}

TEST(CandidateTable, takes_no_memory_for_a_second_search_of_the_same_size) {
  TestMemory memory;
  CandidateTable table;
  std::size_t after_first = 0;
  for (int search = 0; search < 3; ++search) {
    table.prepare(memory.arena(), 1000);
    for (NodeId id = 0; id < 1000; ++id) table.find_or_add(memory.arena(), id * 17);
    if (search == 0) after_first = memory.allocations();
  }
  EXPECT_EQ(memory.allocations(), after_first);
}

}  // namespace
}  // namespace nearest::core
