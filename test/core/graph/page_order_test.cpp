#include "core/graph/page_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "core/graph/select_neighbors.hpp"
#include "test_arena.hpp"

namespace nearest::core {
namespace {

constexpr std::uint64_t kSeed = 20240619;

struct ListGraph {
  std::vector<std::vector<Neighbor>> lists;
  std::size_t size() const { return lists.size(); }
  const std::vector<Neighbor>& links(NodeId id) const { return lists[id]; }
};

std::vector<NodeId> page_order(const ListGraph& graph, std::size_t per_page) {
  TestMemory memory;
  ArenaArray<NodeId> order;
  int checkpoints = 0;
  order_by_page(graph, memory.arena(), per_page, order, [&] { ++checkpoints; });
  EXPECT_FALSE(memory.was_misused());
  EXPECT_EQ(memory.lent(), 1U) << "only the order";
  EXPECT_EQ(checkpoints > 0, graph.size() > 0);
  return {order.begin(), order.end()};
}

void expect_permutation(std::vector<NodeId> order, std::size_t n) {
  ASSERT_EQ(order.size(), n);
  std::sort(order.begin(), order.end());
  for (NodeId i = 0; i < n; ++i) ASSERT_EQ(order[i], i);
}

TEST(PageOrder, is_a_permutation_of_any_graph) {
  std::mt19937_64 random{kSeed};
  for (const std::size_t n : {0U, 1U, 2U, 17U, 1000U}) {
    for (const std::size_t degree : {0U, 1U, 5U}) {
      ListGraph graph{std::vector<std::vector<Neighbor>>(n)};
      for (auto& list : graph.lists) {
        for (std::size_t j = 0; j < degree; ++j) {
          list.push_back({static_cast<float>(random() % 100), static_cast<NodeId>(random() % n)});
        }
        std::sort(list.begin(), list.end());
      }
      for (const std::size_t per_page : {1U, 2U, 3U, 7U, 64U}) {
        expect_permutation(page_order(graph, per_page), n);
      }
    }
  }
}

/// What a page is filled with is linked to from the same page, as long as such a node is left:
/// pages are runs of the order, whatever nodes without links lie between.
TEST(PageOrder, fills_each_page_with_what_its_own_nodes_link_to) {
  std::mt19937_64 random{kSeed};
  constexpr std::size_t kNodes = 2000;
  ListGraph graph{std::vector<std::vector<Neighbor>>(kNodes)};
  for (NodeId id = 0; id < kNodes; ++id) {
    if (random() % 50 == 0) continue;
    for (std::size_t j = 0; j < 4; ++j) {
      graph.lists[id].push_back(
          {static_cast<float>(random() % 100), static_cast<NodeId>(random() % kNodes)});
    }
    std::sort(graph.lists[id].begin(), graph.lists[id].end());
  }
  for (const std::size_t per_page : {2U, 5U, 16U}) {
    const std::vector<NodeId> order = page_order(graph, per_page);
    expect_permutation(order, kNodes);
    std::vector<std::size_t> place(kNodes);
    for (std::size_t i = 0; i < kNodes; ++i) place[order[i]] = i;
    for (std::size_t i = 0; i < kNodes; ++i) {
      bool is_linked = false, could_be_linked = false;
      for (std::size_t j = i / per_page * per_page; j < i; ++j) {
        for (const Neighbor& link : graph.links(order[j])) {
          is_linked |= link.id == order[i];
          could_be_linked |= place[link.id] >= i;
        }
      }
      ASSERT_EQ(is_linked, could_be_linked) << "place " << i << ", " << per_page << " a page";
    }
  }
}

TEST(PageOrder, takes_the_nearest_first) {
  // A star: the page of node 0 gets its nearest, and each later page begins with what was next.
  ListGraph graph{std::vector<std::vector<Neighbor>>(7)};
  for (NodeId i = 1; i < 7; ++i) {
    graph.lists[0].push_back({static_cast<float>(i), 7 - i});
    graph.lists[7 - i] = {{static_cast<float>(i), 0}};
  }
  EXPECT_EQ(page_order(graph, 3), (std::vector<NodeId>{0, 6, 5, 4, 3, 2, 1}));
}

}  // namespace
}  // namespace nearest::core
