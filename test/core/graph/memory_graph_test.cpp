#include "core/graph/memory_graph.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <thread>
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

template <std::size_t kMaxEntries>
void add(MemoryGraph<TestMemory::Arena, kMaxEntries>& graph, const GraphSpace& space, RowId row,
         std::uint64_t hash, const Vector& x) {
  Vector y(x.size());
  std::vector<std::int8_t> z(x.size());
  const PlacedPoint point = place_point(space, x, y.data(), z.data());
  SerialRunner alone;
  graph.add(alone, row, hash, point, z.data());
}

template <class G>
void link_all(G& graph) {
  SerialRunner alone;
  graph.link_batch(alone);
}

template <class G>
void finish(G& graph) {
  SerialRunner alone;
  graph.finish(alone);
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
    graph.prepare(memory.arena(), space, kM, 60, 1);
    for (std::size_t i = 0; i < kRows; ++i) add(graph, space, i, i, rows[i]);
    ASSERT_EQ(graph.size(), kRows);
    finish(graph);
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

/// Three threads that run chunks from the last one on.
struct BackwardTeam {
  static constexpr std::size_t kThreads = 3;

  template <class F>
  void run(std::size_t n, F&& f) {
    const auto run_some = [&](std::size_t thread) {
      own_number = thread;
      for (std::size_t i = n; i-- > 0;) {
        if (i % kThreads == thread) f(i);
      }
    };
    std::thread second(run_some, 1), third(run_some, 2);
    run_some(0);
    second.join();
    third.join();
  }
  static constexpr std::size_t size() { return kThreads; }
  static std::size_t thread() { return own_number; }

  static thread_local std::size_t own_number;
};
thread_local std::size_t BackwardTeam::own_number = 0;

/// The first row is near all others, so that many threads would link to it at once.
TEST(MemoryGraph, a_node_that_a_whole_batch_links_to_has_each_link_once) {
  constexpr std::size_t kDim = 100, kRows = 200;
  std::vector<Vector> rows{Vector(kDim, 0)};
  for (std::size_t i = 1; i < kRows; ++i) {
    rows.emplace_back(kDim, 0);
    rows.back()[i / 2] = i % 2 == 0 ? 1 : -1;
  }
  const GraphSpace space = space_for(Metric::kL1, kDim, rows);
  TestMemory memory;
  Graph graph;
  BackwardTeam team;
  graph.prepare(memory.arena(), space, 100, 400, BackwardTeam::kThreads);
  for (std::size_t i = 0; i < kRows; ++i) {
    Vector y(kDim);
    std::vector<std::int8_t> z(kDim);
    graph.add(team, i, i, place_point(space, rows[i], y.data(), z.data()), z.data());
  }
  graph.link_batch(team);
  for (NodeId id = 0; id < kRows; ++id) {
    std::set<NodeId> distinct;
    for (const Neighbor& link : graph.links(id)) ASSERT_TRUE(distinct.insert(link.id).second);
  }
  EXPECT_EQ(graph.links(0).size(), kRows - 1);
}

/// Some rows come twice: near one another, and far apart.
TEST(MemoryGraph, is_the_same_whatever_the_number_of_threads) {
  constexpr std::size_t kDim = 12, kRows = 1500;
  Rows source(kDim);
  std::vector<Vector> rows;
  for (std::size_t i = 0; i < kRows; ++i) {
    rows.push_back(i % 10 == 3 ? rows[i - 1] : i % 10 == 7 ? rows[i / 2] : source.next());
  }
  const GraphSpace space = space_for(Metric::kL2, kDim, rows);
  TestMemory memory;
  Graph by_one, by_three;
  SerialRunner alone;
  BackwardTeam team;
  by_one.prepare(memory.arena(), space, 6, 30, 1);
  by_three.prepare(memory.arena(), space, 6, 30, BackwardTeam::kThreads);
  for (std::size_t i = 0; i < kRows; ++i) {
    Vector y(kDim);
    std::vector<std::int8_t> z(kDim);
    const PlacedPoint point = place_point(space, rows[i], y.data(), z.data());
    const auto hash = static_cast<std::uint64_t>(rows[i][0] * 1e6F);
    by_one.add(alone, i, hash, point, z.data());
    by_three.add(team, i, hash, point, z.data());
  }
  by_one.finish(alone);
  by_three.finish(team);
  ASSERT_EQ(by_one.size(), by_three.size());
  EXPECT_LE(by_one.size(), kRows * 8 / 10 + 5);
  ASSERT_TRUE(std::ranges::equal(by_one.entries(), by_three.entries()));
  std::size_t n_rows = 0;
  for (NodeId id = 0; id < by_one.size(); ++id) {
    const auto one = by_one.links(id), three = by_three.links(id);
    ASSERT_EQ(by_one.node(id).row, by_three.node(id).row);
    ASSERT_EQ(by_one.node(id).n_rows, by_three.node(id).n_rows);
    n_rows += by_one.node(id).n_rows;
    ASSERT_EQ(one.size(), three.size());
    for (std::size_t i = 0; i < one.size(); ++i) {
      ASSERT_EQ(one[i].id, three[i].id);
      ASSERT_EQ(one[i].distance, three[i].distance);
    }
  }
  EXPECT_EQ(n_rows, kRows);
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
    graph.prepare(memory.arena(), space, 4, 40, 1);
    for (std::size_t time = 0; time < kTimes; ++time) {
      for (std::size_t i = 0; i < kDistinct; ++i) {
        add(graph, space, time * kDistinct + i, i, rows[i]);
      }
    }
    link_all(graph);
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
  graph.prepare(memory.arena(), space, 2, 10, 1);
  for (std::uint64_t i = 0; i < 4; ++i) add(graph, space, i, i, {1, 2, 3});
  link_all(graph);
  EXPECT_EQ(graph.size(), 4U);
}

TEST(MemoryGraph, nodes_of_one_segment_and_more_stay_where_they_are) {
  constexpr std::size_t kRows = 2100;
  Rows source(4);
  const GraphSpace space = space_for(Metric::kL2, 4, {{1, 2, 3, 4}});
  TestMemory memory;
  Graph graph;
  graph.prepare(memory.arena(), space, 2, 8, 1);
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
  graph.prepare(memory.arena(), space, 2, 10, 1);
  add(graph, space, 0, 1, {1, 2, 3});
  EXPECT_EQ(graph.links(0).size(), 0U);
  add(graph, space, 1, 2, {3e38F, 0, 0});
  add(graph, space, 2, 3, {0, -3e38F, 0});
  EXPECT_EQ(graph.size(), 3U);
  EXPECT_EQ(graph.node(1).code.error, std::numeric_limits<float>::infinity());
  finish(graph);
  for (NodeId id = 0; id < 3; ++id) EXPECT_EQ(graph.links(id).size(), 2U);
}

/// Rows of well separated clusters, one cluster after the other, then more of the first: they must
/// find their way back to it.
TEST(MemoryGraph, late_rows_of_an_early_cluster_connect_to_it) {
  constexpr std::size_t kDim = 16, kClusters = 4, kPerCluster = 1500, kLate = 60;
  std::mt19937_64 random{kSeed};
  std::normal_distribution<float> normal;
  const auto row_of = [&](std::size_t cluster) {
    Vector x(kDim);
    for (float& element : x) element = normal(random);
    x[cluster] += 200;
    return x;
  };
  const GraphSpace space = space_for(Metric::kL2, kDim, {row_of(0)});
  TestMemory memory;
  MemoryGraph<TestMemory::Arena, 32> graph;
  graph.prepare(memory.arena(), space, 4, 16, 1);
  for (std::size_t i = 0; i < kClusters * kPerCluster; ++i) {
    add(graph, space, i, i, row_of(i / kPerCluster));
  }
  for (std::size_t i = 0; i < kLate; ++i) {
    const auto id = static_cast<NodeId>(graph.size());
    add(graph, space, id, id, row_of(0));
    link_all(graph);
    ASSERT_GT(graph.size(), id);
    EXPECT_TRUE(std::ranges::any_of(graph.links(id), [](const Neighbor& link) {
      return link.id < kPerCluster;
    })) << i;
  }
}

TEST(MemoryGraph, entries_are_a_uniform_sample_of_the_nodes) {
  constexpr std::size_t kMost = 64;
  const GraphSpace space = space_for(Metric::kL2, 2, {{1, 2}});
  Rows source(2);
  TestMemory memory;
  MemoryGraph<TestMemory::Arena, kMost> graph;
  graph.prepare(memory.arena(), space, 2, 4, 1);
  EXPECT_TRUE(graph.entries().empty());
  for (const std::size_t n : {1U, 30U, 1000U, 4000U, 10'000U, 30'000U}) {
    while (graph.size() < n) add(graph, space, graph.size(), graph.size(), source.next());
    link_all(graph);
    const auto entries = graph.entries();
    const std::size_t expected =
        std::min<std::size_t>(kMost, static_cast<std::size_t>(std::sqrt(static_cast<double>(n))));
    ASSERT_LE(entries.size(), expected);
    ASSERT_GE(2 * entries.size(), expected);
    EXPECT_EQ(std::set<NodeId>(entries.begin(), entries.end()).size(), entries.size());
    if (n < 1000) continue;
    double mean = 0, squares = 0;
    for (const NodeId id : entries) {
      const double place = static_cast<double>(id) / static_cast<double>(n);
      mean += place / static_cast<double>(entries.size());
      squares += place * place / static_cast<double>(entries.size());
    }
    EXPECT_NEAR(mean, 0.5, 0.12) << n;
    EXPECT_NEAR(squares - mean * mean, 1.0 / 12, 0.03) << n;
  }
}

TEST(MemoryGraph, takes_no_more_at_once_than_it_said) {
  Rows source(3);
  const GraphSpace space = space_for(Metric::kL2, 3, {{1, 2, 3}});
  TestMemory memory;
  Graph graph;
  graph.prepare(memory.arena(), space, 2, 8, 1);
  for (std::size_t i = 0; i < 2100; ++i) {
    for (const bool is_equal : {false, true}) {  // a node of its own, one more row of a node
      const std::size_t allowed = graph.bytes() + graph.next_addition_bytes();
      add(graph, space, i, is_equal ? 1'000'000 : i, is_equal ? Vector{9, 9, 9} : source.next());
      ASSERT_LE(graph.bytes(), allowed) << i;
    }
  }
  EXPECT_GT(graph.size(), 2048U);
  EXPECT_LT(graph.size(), 2110U);
}

/// Adds a vector whose code lost more than it did.
void add_with_error(Graph& graph, const GraphSpace& space, RowId row, const Vector& x, float more) {
  Vector y(x.size());
  std::vector<std::int8_t> z(x.size());
  PlacedPoint point = place_point(space, x, y.data(), z.data());
  point.code.error += more;
  SerialRunner alone;
  graph.add(alone, row, 7, point, z.data());
}

TEST(MemoryGraph, a_node_has_the_largest_error_of_its_rows) {
  const GraphSpace space = space_for(Metric::kL2, 3, {{1, 2, 3}});
  TestMemory memory;
  Graph graph;
  graph.prepare(memory.arena(), space, 2, 10, 1);
  add_with_error(graph, space, 0, {1, 2, 3}, 1);
  const float first = graph.node(0).code.error;
  add_with_error(graph, space, 1, {1, 2, 3}, 0);
  EXPECT_EQ(graph.node(0).code.error, first);
  link_all(graph);
  add_with_error(graph, space, 2, {1, 2, 3}, 5);
  link_all(graph);
  ASSERT_EQ(graph.size(), 1U);
  EXPECT_NEAR(graph.node(0).code.error, first + 4, 1e-3);
}

TEST(MemoryGraph, vectors_of_equal_hash_but_other_code_are_nodes_of_their_own) {
  GraphSpace space = space_for(Metric::kL1, 3, {{3, 2, 1}});  // not rotated: codes are plain to see
  TestMemory memory;
  Graph graph;
  graph.prepare(memory.arena(), space, 2, 10, 1);
  const std::vector<Vector> rows = {{3, 2, 1}, {6, 4, 2}, {3, 1, 1}};
  for (const Vector& row : rows) add_with_error(graph, space, 0, row, 0);
  link_all(graph);
  ASSERT_EQ(graph.size(), rows.size());
  EXPECT_TRUE(std::ranges::equal(graph.code(0), graph.code(1)));
  EXPECT_NE(graph.node(0).code.scale, graph.node(1).code.scale);
  EXPECT_FALSE(std::ranges::equal(graph.code(0), graph.code(2)));
  EXPECT_EQ(graph.node(0).code.scale, graph.node(2).code.scale);
}

TEST(MemoryGraph, inner_product_adds_a_coordinate_that_makes_all_vectors_equally_long) {
  GraphSpace space = space_for(Metric::kInnerProduct, 2, {{3, 4}});
  space.longest = 10;
  TestMemory memory;
  Graph graph;
  graph.prepare(memory.arena(), space, 2, 10, 1);
  add(graph, space, 0, 0, {3, 4});
  add(graph, space, 1, 1, {0, 8});
  add(graph, space, 2, 2, {30, 40});  // longer than M: counts as M
  EXPECT_NEAR(graph.node(0).added, std::sqrt(75), 1e-3);
  EXPECT_NEAR(graph.node(1).added, 6, 1e-3);
  EXPECT_EQ(graph.node(2).added, 0);
  const double difference = std::sqrt(75) - 6;
  EXPECT_NEAR(graph.distance(&graph.node(0), &graph.node(1)), 25 + difference * difference, 0.3);
}

/// As often as there are nodes, from any node to any other, with random links that must stay.
TEST(MemoryGraph, a_forced_link_replaces_only_the_farthest_that_may_go) {
  constexpr std::size_t kRows = 400;
  constexpr int kM = 4;
  Rows source(4, 5);
  const GraphSpace space = space_for(Metric::kL2, 4, {{1, 2, 3, 4}});
  TestMemory memory;
  Graph graph;
  graph.prepare(memory.arena(), space, kM, 4, 1);  // so few that some nodes have room
  for (std::size_t i = 0; i < kRows; ++i) add(graph, space, i, i, source.next());
  finish(graph);
  std::mt19937_64 random{kSeed};
  int replaced = 0, refused = 0, added = 0;
  for (int round = 0; round < 3000; ++round) {
    const auto from = static_cast<NodeId>(random() % kRows);
    const auto to = static_cast<NodeId>(random() % kRows);
    const std::vector<Neighbor> before(graph.links(from).begin(), graph.links(from).end());
    const auto leads_to = [](NodeId id) {
      return [id](const Neighbor& link) { return link.id == id; };
    };
    if (from == to || std::ranges::any_of(before, leads_to(to))) continue;
    std::set<NodeId> kept;
    for (const Neighbor& link : before) {
      if (round % 4 == 0 || random() % 5 != 0) kept.insert(link.id);
    }
    const bool is_linked =
        graph.force_link(from, to, [&](NodeId target) { return !kept.contains(target); });
    std::vector<Neighbor> expected = before;
    if (before.size() == links_of(kM)) {
      const auto gone = std::find_if(expected.rbegin(), expected.rend(),
                                     [&](const Neighbor& link) { return !kept.contains(link.id); });
      ASSERT_EQ(is_linked, gone != expected.rend());
      if (is_linked) expected.erase(std::next(gone).base());
      ++(is_linked ? replaced : refused);
    } else {
      ASSERT_TRUE(is_linked);
      ++added;
    }
    if (is_linked) {
      expected.push_back({graph.distance(&graph.node(from), &graph.node(to)), to});
      std::sort(expected.begin(), expected.end());
    }
    const auto after = graph.links(from);
    ASSERT_EQ(after.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(after[i].id, expected[i].id);
      ASSERT_EQ(after[i].distance, expected[i].distance);
    }
  }
  EXPECT_GT(replaced, 100);
  EXPECT_GT(refused, 100);
  EXPECT_GT(added, 100);
}

}  // namespace
}  // namespace nearest::core
