#include "core/graph/memory_graph.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/metric.hpp"
#include "test_arena.hpp"

namespace nearest::core {
namespace {

using Vector = std::vector<float>;
using Graph = MemoryGraph<TestMemory::Arena>;

constexpr std::uint64_t kSeed = 20240620;
constexpr Metric kMetrics[] = {Metric::kL2, Metric::kInnerProduct, Metric::kCosine, Metric::kL1};

class Rows {
 public:
  explicit Rows(std::size_t dim, int clusters = 30) : dim_(dim) {
    for (int i = 0; i < clusters; ++i) centers_.push_back(vector(2));
  }
  Vector next() {
    Vector x = vector(1);
    const Vector& center = centers_[random_() % centers_.size()];
    for (std::size_t i = 0; i < dim_; ++i) x[i] += center[i];
    return x;
  }

 private:
  Vector vector(float deviation) {
    std::normal_distribution<float> normal(0, deviation);
    Vector x(dim_);
    for (float& element : x) element = normal(random_);
    return x;
  }

  std::mt19937_64 random_{kSeed};
  std::size_t dim_;
  std::vector<Vector> centers_;
};

GraphSpace space_for(Metric metric, std::size_t dim, const std::vector<Vector>& rows) {
  GraphSpace space{};
  space.metric = metric;
  space.dim = static_cast<std::uint32_t>(dim);
  space.seed = 9;
  space.unit = 1;
  for (const Vector& row : rows) space.longest = std::max(space.longest, norm_of(row));
  space.query_norm = space.longest / 2;
  return space;
}

void add(Graph& graph, const GraphSpace& space, RowId row, std::uint64_t hash, const Vector& x) {
  Vector y(x.size());
  std::vector<std::int8_t> z(x.size());
  const PlacedPoint point = place_point(space, x, y.data(), z.data());
  graph.add(row, hash, point, z.data());
}

double operator_result(Metric metric, const Vector& a, const Vector& b) {
  switch (metric) {
    case Metric::kL2:
      return l2_distance<float>(a, b);
    case Metric::kInnerProduct:
      return negative_inner_product<float>(a, b);
    case Metric::kCosine:
      return cosine_distance<float>(a, b);
    case Metric::kL1:
      return l1_distance<float>(a, b);
  }
  return 0;
}

/// Best-first search over the links from node 0 with the operator's distances.
std::vector<NodeId> search(const Graph& graph, const std::vector<Vector>& rows, Metric metric,
                           const Vector& q, std::size_t ef) {
  const auto key = [&](NodeId id) {
    return std::pair{operator_result(metric, q, rows[graph.node(id).row]), id};
  };
  std::set<std::pair<double, NodeId>> open{key(0)}, best{key(0)};
  std::set<NodeId> seen{0};
  while (!open.empty()) {
    const auto nearest = *open.begin();
    if (best.size() >= ef && *best.rbegin() < nearest) break;
    open.erase(open.begin());
    for (const Neighbor& link : graph.links(nearest.second)) {
      if (!seen.insert(link.id).second) continue;
      const auto entry = key(link.id);
      open.insert(entry);
      best.insert(entry);
      if (best.size() > ef) best.erase(std::prev(best.end()));
    }
  }
  std::vector<NodeId> found;
  for (const auto& [distance, id] : best) found.push_back(id);
  return found;
}

/// 3000 rows of 30 clusters, dim 24, m 12, ef_construction 60, k 10, ef 80.
TEST(MemoryGraph, greedy_search_over_its_links_finds_the_nearest_by_every_metric) {
  constexpr std::size_t kDim = 24, kRows = 3000, kQueries = 40, kNearest = 10;
  constexpr int kM = 12;
  Rows source(kDim);
  std::vector<Vector> rows(kRows), queries(kQueries);
  for (Vector& row : rows) row = source.next();
  for (Vector& query : queries) query = source.next();
  for (const Metric metric : kMetrics) {
    const GraphSpace space = space_for(metric, kDim, rows);
    TestMemory memory;
    Graph graph;
    graph.prepare(memory.arena(), space, kM, 60);
    for (std::size_t i = 0; i < kRows; ++i) add(graph, space, i, i, rows[i]);
    ASSERT_EQ(graph.size(), kRows);
    graph.finish(0, 1000);
    graph.finish(1000, kRows);
    for (NodeId id = 0; id < kRows; ++id) {
      const auto links = graph.links(id);
      ASSERT_LE(links.size(), links_of(kM));
      ASSERT_GT(links.size(), 0U);
      ASSERT_TRUE(std::is_sorted(links.begin(), links.end()));
      std::set<NodeId> distinct;
      for (const Neighbor& link : links) {
        ASSERT_LT(link.id, kRows);
        ASSERT_NE(link.id, id);
        ASSERT_TRUE(distinct.insert(link.id).second);
        ASSERT_EQ(link.distance, graph.distance(&graph.node(id), &graph.node(link.id)));
      }
    }
    std::size_t found = 0;
    for (const Vector& q : queries) {
      std::vector<std::pair<double, NodeId>> exact;
      for (NodeId id = 0; id < kRows; ++id) {
        exact.emplace_back(operator_result(metric, q, rows[id]), id);
      }
      std::partial_sort(exact.begin(), exact.begin() + kNearest, exact.end());
      const std::vector<NodeId> best = search(graph, rows, metric, q, 80);
      for (std::size_t i = 0; i < kNearest; ++i) {
        found += std::find(best.begin(), best.end(), exact[i].second) != best.end() ? 1U : 0U;
      }
    }
    EXPECT_GE(found, kQueries * kNearest * 95 / 100) << static_cast<int>(metric);
    EXPECT_GE(graph.bytes(), kRows * graph.node_bytes() / 2);
    EXPECT_FALSE(memory.was_misused());
  }
}

TEST(MemoryGraph, equal_vectors_share_a_node_that_keeps_all_rows) {
  constexpr std::size_t kDim = 8, kDistinct = 50, kTimes = 7;
  Rows source(kDim);
  std::vector<Vector> rows(kDistinct);
  for (Vector& row : rows) row = source.next();
  for (const Metric metric : kMetrics) {
    const GraphSpace space = space_for(metric, kDim, rows);
    TestMemory memory;
    Graph graph;
    graph.prepare(memory.arena(), space, 4, 40);
    for (std::size_t time = 0; time < kTimes; ++time) {
      for (std::size_t i = 0; i < kDistinct; ++i) {
        add(graph, space, time * kDistinct + i, i, rows[i]);
      }
    }
    ASSERT_EQ(graph.size(), kDistinct);
    std::set<RowId> seen;
    for (NodeId id = 0; id < kDistinct; ++id) {
      const Graph::Node& node = graph.node(id);
      EXPECT_EQ(node.n_rows, kTimes);
      std::vector<RowId> of_node{node.row};
      for (std::uint32_t more = node.more_rows; more != 0; more = graph.extra_row(more).next) {
        of_node.push_back(graph.extra_row(more).row);
      }
      EXPECT_EQ(of_node.size(), kTimes);
      for (const RowId row : of_node) {
        EXPECT_EQ(row % kDistinct, node.row % kDistinct);
        EXPECT_TRUE(seen.insert(row).second);
      }
    }
    EXPECT_EQ(seen.size(), kDistinct * kTimes);
  }
}

TEST(MemoryGraph, vectors_of_equal_code_but_other_hash_are_nodes_of_their_own) {
  const GraphSpace space = space_for(Metric::kL2, 3, {{1, 2, 3}});
  TestMemory memory;
  Graph graph;
  graph.prepare(memory.arena(), space, 2, 10);
  for (std::uint64_t i = 0; i < 4; ++i) add(graph, space, i, i, {1, 2, 3});
  EXPECT_EQ(graph.size(), 4U);
}

TEST(MemoryGraph, nodes_of_one_segment_and_more_stay_where_they_are) {
  constexpr std::size_t kRows = 2100;
  Rows source(4);
  const GraphSpace space = space_for(Metric::kL2, 4, {{1, 2, 3, 4}});
  TestMemory memory;
  Graph graph;
  graph.prepare(memory.arena(), space, 2, 8);
  EXPECT_GT(graph.next_segment_bytes(), 0U);
  const Graph::Node* first = nullptr;
  for (std::size_t i = 0; i < kRows; ++i) {
    add(graph, space, i, i, source.next());
    add(graph, space, i, i, {9, 9, 9, 9});  // joins, unless it is the first of its hash
    if (i == 0) first = &graph.node(0);
  }
  EXPECT_EQ(first, &graph.node(0));
  EXPECT_EQ(graph.node(0).row, 0U);
  EXPECT_EQ(graph.code(0).size(), 4U);
}

TEST(MemoryGraph, one_row_and_rows_without_a_code_are_kept) {
  const GraphSpace space = space_for(Metric::kL2, 3, {{1, 2, 3}});
  TestMemory memory;
  Graph graph;
  graph.prepare(memory.arena(), space, 2, 10);
  add(graph, space, 0, 1, {1, 2, 3});
  EXPECT_EQ(graph.links(0).size(), 0U);
  add(graph, space, 1, 2, {3e38F, 0, 0});
  add(graph, space, 2, 3, {0, -3e38F, 0});
  EXPECT_EQ(graph.size(), 3U);
  EXPECT_EQ(graph.node(1).code.error, std::numeric_limits<float>::infinity());
  graph.finish(0, 3);
  for (NodeId id = 0; id < 3; ++id) EXPECT_EQ(graph.links(id).size(), 2U);
}

}  // namespace
}  // namespace nearest::core
