#include "core/graph/select_neighbors.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

namespace nearest::core {
namespace {

constexpr std::uint64_t kSeed = 20240618;

std::vector<Neighbor> select(std::vector<Neighbor> candidates, std::size_t k, float factor,
                             const std::vector<float>& line) {
  std::vector<Neighbor> passed(candidates.size() + 1);
  const std::size_t n = select_neighbors(
      candidates.data(), candidates.size(), k, factor, passed.data(),
      [&](NodeId a, NodeId b) { return (line[a] - line[b]) * (line[a] - line[b]); });
  candidates.resize(n);
  return candidates;
}

std::vector<NodeId> ids(const std::vector<Neighbor>& neighbors) {
  std::vector<NodeId> result;
  for (const Neighbor& neighbor : neighbors) result.push_back(neighbor.id);
  return result;
}

/// Points of a line, seen from 0.
std::vector<Neighbor> seen_from_zero(const std::vector<float>& line) {
  std::vector<Neighbor> all;
  for (NodeId i = 0; i < line.size(); ++i) all.push_back({line[i] * line[i], i});
  std::sort(all.begin(), all.end());
  return all;
}

TEST(SelectNeighbors, keeps_all_if_there_is_room) {
  const std::vector<float> line = {1, 2, 3};
  EXPECT_EQ(ids(select(seen_from_zero(line), 3, 1.1F, line)), (std::vector<NodeId>{0, 1, 2}));
}

TEST(SelectNeighbors, prefers_another_direction_to_a_nearer_one_that_is_covered) {
  const std::vector<float> line = {1, 1.5F, 2, -3, -3.5F};
  EXPECT_EQ(ids(select(seen_from_zero(line), 2, 1.1F, line)), (std::vector<NodeId>{0, 3}));
}

TEST(SelectNeighbors, fills_up_with_the_nearest_of_the_rest_in_order) {
  const std::vector<float> line = {1, 1.5F, 2, -3, -3.5F};
  EXPECT_EQ(ids(select(seen_from_zero(line), 3, 1.1F, line)), (std::vector<NodeId>{0, 1, 3}));
  EXPECT_EQ(ids(select(seen_from_zero(line), 4, 1.1F, line)), (std::vector<NodeId>{0, 1, 2, 3}));
}

TEST(SelectNeighbors, a_larger_factor_keeps_more_directions) {
  // From 0, the point at 3 is covered by the one at 1.49 unless 1.51² · factor >= 9.
  const std::vector<float> line = {1.49F, 3, 3.2F};
  EXPECT_EQ(ids(select(seen_from_zero(line), 1, 1, line)), (std::vector<NodeId>{0}));
  const std::vector<float> other = {1.49F, 1.5F, 3};
  EXPECT_EQ(ids(select(seen_from_zero(other), 2, 1, other)), (std::vector<NodeId>{0, 1}));
  EXPECT_EQ(ids(select(seen_from_zero(other), 2, 4, other)), (std::vector<NodeId>{0, 2}));
}

TEST(SelectNeighbors, gives_k_sorted_and_distinct_ones_that_contain_the_nearest) {
  std::mt19937_64 random{kSeed};
  for (int round = 0; round < 500; ++round) {
    std::vector<float> line(1 + random() % 60);
    for (float& x : line) x = static_cast<float>(random() % 41) - 20;  // with ties
    const std::vector<Neighbor> candidates = seen_from_zero(line);
    const std::size_t k = 1 + random() % 40;
    const std::vector<Neighbor> chosen = select(candidates, k, 1.1F, line);
    EXPECT_EQ(chosen.size(), std::min(k, candidates.size()));
    EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
    const std::vector<NodeId> found = ids(chosen);
    EXPECT_EQ(std::set<NodeId>(found.begin(), found.end()).size(), found.size());
    EXPECT_EQ(found[0], candidates[0].id);
  }
}

}  // namespace
}  // namespace nearest::core
