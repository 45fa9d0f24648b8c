#include "core/graph/keep_links.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include "core/graph/memory_graph.hpp"
#include "test_arena.hpp"

namespace nearest::core {
namespace {

constexpr std::uint64_t kSeed = 20240630;

using Keepers = ArenaArray<Keeper>;

/// Nodes on a line, with room for so many links each.
class LineGraph {
 public:
  LineGraph(std::size_t n, std::size_t room) : links_(n), room_(room) {}

  std::size_t size() const { return links_.size(); }
  const std::vector<Neighbor>& links(NodeId id) const { return links_[id]; }
  void link(NodeId from, NodeId to) {
    if (from == to || leads(from, to) || links_[from].size() == room_) return;
    links_[from].push_back({distance(from, to), to});
    std::sort(links_[from].begin(), links_[from].end());
  }
  bool leads(NodeId from, NodeId to) const {
    return std::ranges::any_of(links_[from], [&](const Neighbor& link) { return link.id == to; });
  }
  template <class MayGo>
  bool force_link(NodeId from, NodeId to, MayGo&& may_go) {
    EXPECT_FALSE(leads(from, to)) << "a second link to the same node";
    if (room_ == 0) return false;
    if (links_[from].size() == room_) {
      const auto gone = std::find_if(links_[from].rbegin(), links_[from].rend(),
                                     [&](const Neighbor& link) { return may_go(link.id); });
      if (gone == links_[from].rend()) return false;
      links_[from].erase(std::next(gone).base());
    }
    link(from, to);
    return true;
  }

 private:
  static float distance(NodeId a, NodeId b) { return static_cast<float>(a > b ? a - b : b - a); }

  std::vector<std::vector<Neighbor>> links_;
  std::size_t room_;
};

template <class Graph>
Keepers keep(Graph& graph, const std::vector<NodeId>& entries, TestMemory& memory) {
  Keepers keepers;
  const std::size_t lent = memory.lent();
  keep_links(graph, entries, memory.arena(), keepers, [] {});
  EXPECT_EQ(memory.lent(), lent + 1) << "the keepers alone";
  EXPECT_FALSE(memory.was_misused());
  EXPECT_EQ(keepers.size(), graph.size());
  return keepers;
}

/// Kept links exist, and from every node they lead back to an entry. Returns how many nodes have no
/// kept link.
template <class Graph>
std::size_t expect_tree(const Graph& graph, const std::vector<NodeId>& entries,
                        const Keepers& keepers) {
  std::size_t without = 0;
  for (const NodeId entry : entries) EXPECT_EQ(keepers[entry].parent, entry);
  for (NodeId id = 0; id < graph.size(); ++id) {
    const NodeId parent = keepers[id].parent;
    if (parent == kNoNode) {
      ++without;
      continue;
    }
    if (parent == id) {
      EXPECT_EQ(keepers[id].depth, 0U);
      EXPECT_NE(std::ranges::find(entries, id), entries.end()) << id;
      continue;
    }
    EXPECT_TRUE(
        std::ranges::any_of(graph.links(parent), [&](const auto& link) { return link.id == id; }))
        << parent << " does not lead to " << id;
    // So no ring is possible.
    EXPECT_EQ(keepers[id].depth, keepers[parent].depth + 1);
  }
  return without;
}

TEST(KeepLinks, keeps_the_first_link_of_a_breadth_first_walk) {
  LineGraph graph(5, 4);
  graph.link(0, 1), graph.link(0, 2), graph.link(1, 3), graph.link(2, 3), graph.link(3, 4);
  TestMemory memory;
  const Keepers keepers = keep(graph, {0, 0}, memory);
  const NodeId parents[] = {0, 0, 0, 1, 3}, depths[] = {0, 1, 1, 2, 3};
  for (NodeId id = 0; id < 5; ++id) {
    EXPECT_EQ(keepers[id].parent, parents[id]);
    EXPECT_EQ(keepers[id].depth, depths[id]);
  }
}

TEST(KeepLinks, links_a_node_that_nothing_leads_to_from_the_nearest_of_its_own_links) {
  LineGraph graph(5, 2);
  graph.link(0, 1), graph.link(1, 0), graph.link(1, 2), graph.link(2, 0), graph.link(2, 1);
  graph.link(0, 3);
  graph.link(4, 3), graph.link(4, 2);
  TestMemory memory;
  const Keepers keepers = keep(graph, {0}, memory);
  EXPECT_EQ(keepers[4].parent, 3U);
  EXPECT_TRUE(graph.leads(3, 4));
  EXPECT_EQ(expect_tree(graph, {0}, keepers), 0U);
}

TEST(KeepLinks, goes_on_to_the_next_of_its_links_and_then_to_entries_where_none_may_go) {
  LineGraph graph(5, 1);
  graph.link(0, 1), graph.link(1, 2);  // both kept: no room in either
  graph.link(2, 0);
  graph.link(3, 1);
  TestMemory memory;
  // 3 leads to 1 alone, which has no room; entries are tried in their order: 0 has none, 4 has.
  const Keepers keepers = keep(graph, {0, 4}, memory);
  EXPECT_EQ(keepers[3].parent, 4U);
  EXPECT_EQ(expect_tree(graph, {0, 4}, keepers), 0U);
}

TEST(KeepLinks, takes_a_leaf_of_the_tree_where_all_else_is_full) {
  LineGraph graph(3, 1);
  graph.link(0, 1), graph.link(1, 0), graph.link(2, 0);
  TestMemory memory;
  const Keepers keepers = keep(graph, {0}, memory);
  EXPECT_EQ(keepers[2].parent, 1U);
  EXPECT_EQ(expect_tree(graph, {0}, keepers), 0U);
}

TEST(KeepLinks, a_graph_without_room_for_links_keeps_none) {
  LineGraph graph(3, 0);
  TestMemory memory;
  const Keepers keepers = keep(graph, {0}, memory);
  EXPECT_EQ(expect_tree(graph, {0}, keepers), 2U);
}

TEST(KeepLinks, ranks_rise_along_kept_links) {
  for (std::uint64_t random = 0; random < 40; ++random) {
    for (const std::uint32_t depth : {0U, 1U, 9U, 100'000U}) {
      EXPECT_LT(rank_at_depth(depth, random), rank_at_depth(depth + 1, 3 * random));
    }
    for (const std::uint32_t rank : {0U, 17U, kMostRank - 1}) {
      EXPECT_GT(rank_after(rank, random), rank);
      EXPECT_LE(rank_after(rank, random), kMostRank);
    }
  }
  EXPECT_EQ(rank_after(kMostRank, 5), kMostRank);
  EXPECT_EQ(rank_at_depth(~0U, 5), kMostRank);
  EXPECT_NE(rank_at_depth(3, 1), rank_at_depth(3, 2)) << "one of two of a depth is lower";
}

TEST(KeepLinks, an_empty_graph_has_no_parents) {
  LineGraph graph(0, 1);
  TestMemory memory;
  EXPECT_TRUE(keep(graph, {}, memory).empty());
}

/// Many small islands, of which few hold an entry, and nodes that nothing leads to.
TEST(KeepLinks, every_node_of_a_random_graph_can_be_reached_afterwards) {
  std::mt19937_64 random{kSeed};
  for (int round = 0; round < 200; ++round) {
    const std::size_t n = 1 + random() % 300, island = 1 + random() % 40, room = 2 + random() % 6;
    LineGraph graph(n, room);
    for (NodeId id = 0; id < n; ++id) {
      for (std::size_t i = random() % (room + 2); i > 0; --i) {
        const std::size_t begin = id / island * island;
        graph.link(id, static_cast<NodeId>(std::min(n - 1, begin + random() % island)));
      }
    }
    std::vector<NodeId> entries;
    for (std::size_t i = 0; i < 1 + n / 50; ++i) {
      entries.push_back(static_cast<NodeId>(random() % n));
    }
    TestMemory memory;
    const Keepers keepers = keep(graph, entries, memory);
    EXPECT_EQ(expect_tree(graph, entries, keepers), 0U) << "round " << round;
    if (HasFailure()) return;
  }
}

/// Far clusters, so that links between them are rare.
TEST(KeepLinks, every_node_of_a_built_graph_can_be_reached_afterwards) {
  constexpr std::size_t kRows = 3000, kDim = 4;
  std::mt19937_64 random{kSeed};
  std::normal_distribution<float> normal;
  GraphSpace space{};
  space.metric = Metric::kL2;
  space.dim = kDim;
  space.unit = 1;
  TestMemory graph_memory;
  MemoryGraph<TestMemory::Arena> graph;
  graph.prepare(graph_memory.arena(), space, 2, 8, 1);
  SerialRunner alone;
  for (std::size_t i = 0; i < kRows; ++i) {
    std::vector<float> x(kDim), y(kDim);
    for (float& element : x) element = normal(random);
    x[random() % kDim] += static_cast<float>(100 * (random() % 10));
    std::vector<std::int8_t> z(kDim);
    const PlacedPoint point = place_point(space, x, y.data(), z.data());
    graph.add(alone, i, i, point, z.data());
  }
  graph.finish(alone);
  TestMemory memory;
  const std::vector<NodeId> entries = {5, 1700};
  const Keepers keepers = keep(graph, entries, memory);
  EXPECT_EQ(expect_tree(graph, entries, keepers), 0U);
  for (NodeId id = 0; id < kRows; ++id) {
    const auto links = graph.links(id);
    EXPECT_LE(links.size(), links_of(2));
    EXPECT_TRUE(std::is_sorted(links.begin(), links.end()));
  }
}

}  // namespace
}  // namespace nearest::core
