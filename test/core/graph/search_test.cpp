#include "core/graph/search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "test_arena.hpp"

namespace nearest::core {
namespace {

constexpr std::uint64_t kSeed = 20240617;

/// Points of a plane, linked to their nearest and to some at random; pages hold nodes in a row.
/// Estimates are exact unless noise or something worse is asked for.
class PlaneView {
 public:
  PlaneView(std::size_t n, std::size_t links, std::uint32_t per_page) : per_page_(per_page) {
    for (std::size_t i = 0; i < n; ++i) points_.push_back({uniform(), uniform()});
    links_.resize(n);
    for (NodeId i = 0; i < n; ++i) {
      std::vector<NodeId> others(n);
      for (NodeId j = 0; j < n; ++j) others[j] = j;
      const std::size_t near = std::min(links, n - 1);
      std::partial_sort(
          others.begin(), others.begin() + static_cast<std::ptrdiff_t>(near + 1), others.end(),
          [&](NodeId a, NodeId b) { return squared(a, points_[i]) < squared(b, points_[i]); });
      for (std::size_t j = 1; j <= near; ++j) link(i, others[j]);
      link(i, static_cast<NodeId>(random_() % n));
    }
  }

  NodeRange page_of(NodeId id) const { return {id - id % per_page_, per_page_}; }
  void prefetch(NodeId) {}

  std::span<const Visit> visit(std::span<const NodeId> ids) {
    ++pages_read;
    visits_.clear();
    estimates_.clear();
    estimates_.resize(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      EXPECT_TRUE(page_of(ids[0]).contains(ids[i])) << "nodes of one page at a time";
      ++times_visited[ids[i]];
      for (const NodeId to : links_[ids[i]]) estimates_[i].push_back(estimate(to));
      visits_.push_back({ids[i], exact(ids[i]), estimates_[i]});
    }
    return visits_;
  }

  std::span<const LinkEstimate> entries() {
    entry_estimates_.clear();
    for (const NodeId id : entry_ids) entry_estimates_.push_back(estimate(id));
    return entry_estimates_;
  }

  float exact(NodeId id) const { return squared(id, query); }

  std::vector<NodeId> nearest(std::size_t k) const {
    std::vector<NodeId> all;
    for (NodeId i = 0; i < points_.size(); ++i) all.push_back(i);
    std::sort(all.begin(), all.end(), [&](NodeId a, NodeId b) { return exact(a) < exact(b); });
    all.resize(std::min(k, all.size()));
    return all;
  }

  std::size_t size() const { return points_.size(); }
  void link(NodeId from, NodeId to) {
    if (from == to) return;
    links_[from].push_back(to);
    links_[to].push_back(from);
  }
  void new_query() { query = {uniform(), uniform()}; }

  struct Point {
    float x, y;
  };
  Point query{0.5F, 0.5F};
  std::vector<NodeId> entry_ids{0};
  float noise = 0;
  std::vector<float> odd_estimates, odd_weights;  ///< told now and then instead

  std::map<NodeId, int> times_visited;
  int pages_read = 0;

 private:
  float uniform() { return std::uniform_real_distribution<float>(0, 1)(random_); }
  float squared(NodeId id, Point to) const {
    const float dx = points_[id].x - to.x, dy = points_[id].y - to.y;
    return dx * dx + dy * dy;
  }
  LinkEstimate estimate(NodeId id) {
    const auto odd = [&](const std::vector<float>& values, float otherwise) {
      return !values.empty() && random_() % 4 == 0 ? values[random_() % values.size()] : otherwise;
    };
    const float error = noise == 0 ? 0 : std::normal_distribution<float>(0, noise)(random_);
    return {id, odd(odd_estimates, exact(id) + error), odd(odd_weights, 0.5F + uniform())};
  }

  std::mt19937_64 random_{kSeed};
  std::uint32_t per_page_;
  std::vector<Point> points_;
  std::vector<std::vector<NodeId>> links_;
  std::vector<Visit> visits_;
  std::vector<std::vector<LinkEstimate>> estimates_;
  std::vector<LinkEstimate> entry_estimates_;
};
static_assert(GraphView<PlaneView>);

using Search = GraphSearch<PlaneView, TestMemory::Arena>;

/// A search may be left by a jump.
static_assert(std::is_trivially_destructible_v<Search>);

TEST(GraphSearch, finds_the_exact_nearest_with_exact_estimates) {
  PlaneView view(1500, 8, 5);
  TestMemory memory;
  Search search;
  for (int round = 0; round < 50; ++round) {
    view.new_query();
    search.begin(view, memory.arena(), 30, 10);
    search.run(view, memory.arena());
    for (const NodeId id : view.nearest(10)) EXPECT_TRUE(search.is_visited(id));
    EXPECT_EQ(search.width(), 30U);
    EXPECT_GE(search.heard_of(), 30U);
  }
  EXPECT_FALSE(memory.was_misused());
}

TEST(GraphSearch, finds_most_of_the_nearest_with_noisy_estimates) {
  PlaneView view(1500, 8, 5);
  view.noise = 0.002F;
  TestMemory memory;
  Search search;
  int found = 0;
  for (int round = 0; round < 50; ++round) {
    view.new_query();
    search.begin(view, memory.arena(), 40, 10);
    search.run(view, memory.arena());
    for (const NodeId id : view.nearest(10)) found += search.is_visited(id) ? 1 : 0;
  }
  EXPECT_GE(found, 475) << "of 500";
}

TEST(GraphSearch, visits_no_node_twice_and_nodes_of_a_page_together) {
  PlaneView apart(1000, 8, 1), together(1000, 8, 50);
  for (PlaneView* const view : {&apart, &together}) {
    view->noise = 0.01F;
    TestMemory memory;
    Search search;
    search.begin(*view, memory.arena(), 200, 10);
    search.run(*view, memory.arena());
    for (const auto& [id, times] : view->times_visited) EXPECT_EQ(times, 1) << id;
    EXPECT_GE(view->times_visited.size(), 200U);
  }
  EXPECT_EQ(apart.pages_read, static_cast<int>(apart.times_visited.size()));
  EXPECT_LT(2 * together.pages_read, static_cast<int>(together.times_visited.size()));
}

TEST(GraphSearch, begins_with_the_nearest_entries) {
  PlaneView view(1000, 8, 5);
  view.entry_ids.clear();
  for (NodeId id = 0; id < 200; ++id) view.entry_ids.push_back(id);
  TestMemory memory;
  Search search;
  search.begin(view, memory.arena(), 100, 10);
  EXPECT_EQ(search.heard_of(), Search::kEntryCount);
  std::vector<NodeId> entries = view.entry_ids;
  std::sort(entries.begin(), entries.end(),
            [&](NodeId a, NodeId b) { return view.exact(a) < view.exact(b); });
  search.begin(view, memory.arena(), 1, 10);
  search.run(view, memory.arena());
  EXPECT_EQ(view.times_visited[entries[0]], 1);
}

TEST(GraphSearch, widening_goes_on_and_in_the_end_visits_every_connected_node_once) {
  PlaneView view(800, 6, 4);
  view.noise = 0.01F;
  TestMemory memory;
  Search search;
  search.begin(view, memory.arena(), 5, 8);
  search.run(view, memory.arena());
  std::size_t width = 5, before = view.times_visited.size();
  EXPECT_LT(before, view.size());
  while (search.widen(memory.arena(), width *= 2)) {
    search.run(view, memory.arena());
    EXPECT_GE(view.times_visited.size(), before);
    before = view.times_visited.size();
    ASSERT_LT(width, 1'000'000U);
  }
  EXPECT_EQ(view.times_visited.size(), view.size());
  for (const auto& [id, times] : view.times_visited) EXPECT_EQ(times, 1) << id;
  EXPECT_FALSE(memory.was_misused());
}

TEST(GraphSearch, an_empty_graph_has_nothing_to_visit) {
  PlaneView view(2, 1, 1);
  view.entry_ids.clear();
  TestMemory memory;
  Search search;
  search.begin(view, memory.arena(), 10, 10);
  search.run(view, memory.arena());
  EXPECT_EQ(search.heard_of(), 0U);
  EXPECT_FALSE(search.is_visited(0));
  EXPECT_FALSE(search.widen(memory.arena(), 20));
}

TEST(GraphSearch, takes_no_memory_for_a_second_search_but_for_what_it_gives_back) {
  PlaneView view(1000, 8, 5);
  TestMemory memory;
  Search search;
  search.begin(view, memory.arena(), 50, 10);
  search.run(view, memory.arena());
  const std::size_t lent = memory.lent();
  for (int round = 0; round < 5; ++round) {
    search.begin(view, memory.arena(), 50, 10);
    search.run(view, memory.arena());
    EXPECT_EQ(memory.lent(), lent);
  }
  search.widen(memory.arena(), 50);
  EXPECT_EQ(memory.lent(), lent);
}

/// Estimates come from pages: whatever these hold, a search must end and must miss nothing when it
/// is widened to the end.
TEST(GraphSearch, ends_whatever_estimates_and_weights_are_told) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kMost = std::numeric_limits<float>::max();
  const std::vector<std::vector<float>> odd = {{},
                                               {kNan},
                                               {kInfinity},
                                               {-kInfinity},
                                               {kMost, -kMost},
                                               {0},
                                               {kNan, kInfinity, -kInfinity, 0}};
  for (const std::vector<float>& estimates : odd) {
    for (const std::vector<float>& weights : odd) {
      PlaneView view(300, 6, 4);
      view.odd_estimates = estimates;
      view.odd_weights = weights;
      for (NodeId id = 1; id < 10; ++id) view.entry_ids.push_back(id);
      TestMemory memory;
      Search search;
      search.begin(view, memory.arena(), 20, 8);
      std::size_t width = 20;
      do {
        search.run(view, memory.arena());
        ASSERT_LT(width, 100'000U);
      } while (search.widen(memory.arena(), width *= 2));
      EXPECT_EQ(view.times_visited.size(), view.size());
      for (const auto& [id, times] : view.times_visited) ASSERT_EQ(times, 1) << id;
    }
  }
}

/// A graph that tells what a test wrote down, and remembers what it was asked.
struct ScriptView {
  explicit ScriptView(std::vector<float> of_nodes, std::uint32_t nodes_per_page = 1)
      : steering(std::move(of_nodes)), links(steering.size()), per_page(nodes_per_page) {}

  NodeRange page_of(NodeId id) const { return {id - id % per_page, per_page}; }
  void prefetch(NodeId id) { prefetched.push_back(id); }
  std::span<const LinkEstimate> entries() const { return entry_estimates; }
  std::span<const Visit> visit(std::span<const NodeId> ids) {
    told.clear();
    for (const NodeId id : ids) {
      visited.push_back(id);
      told.push_back({id, steering[id], links[id]});
    }
    return told;
  }
  void enter_at(std::initializer_list<NodeId> ids) {
    for (const NodeId id : ids) entry_estimates.push_back({id, steering[id], 1});
  }

  std::vector<float> steering;
  std::vector<std::vector<LinkEstimate>> links;
  std::uint32_t per_page;
  std::vector<LinkEstimate> entry_estimates;
  std::vector<Visit> told;
  std::vector<NodeId> visited, prefetched;
};

using Script = GraphSearch<ScriptView, TestMemory::Arena>;
using Ids = std::vector<NodeId>;

/// Begins and runs.
struct ScriptedSearch {
  ScriptedSearch(ScriptView& view, std::size_t width) {
    search.begin(view, memory.arena(), width, 4);
    search.run(view, memory.arena());
  }
  TestMemory memory;
  Script search;
};

std::vector<float> rising(std::size_t n) {
  std::vector<float> distances;
  for (std::size_t i = 0; i < n; ++i) distances.push_back(static_cast<float>(n - i));
  return distances;
}

TEST(GraphSearch, visits_the_nearest_entries_in_order_and_no_other) {
  ScriptView view(rising(40));
  for (NodeId id = 0; id < 40; ++id) view.enter_at({id * 7 % 40});
  ScriptedSearch found(view, 100);
  Ids expected;
  for (std::size_t i = 0; i < Script::kEntryCount; ++i) {
    expected.push_back(static_cast<NodeId>(39 - i));
  }
  EXPECT_EQ(view.visited, expected);
}

/// Two rings: the nearest entries are all in the first one.
TEST(GraphSearch, widening_goes_on_to_entries_that_were_passed_over) {
  constexpr NodeId kRing = 100;
  for (const bool far_first : {false, true}) {
    std::vector<float> distances;
    for (NodeId id = 0; id < 2 * kRing; ++id) distances.push_back(static_cast<float>(id));
    ScriptView view(distances);
    for (NodeId id = 0; id < 2 * kRing; ++id) {
      const NodeId to = id / kRing * kRing + (id + 1) % kRing;
      view.links[id].push_back({to, distances[to], 1});
    }
    // First in the array: pushed out by nearer ones; last: never in it.
    if (far_first) view.enter_at({150});
    for (NodeId id = 0; id < 20; ++id) view.enter_at({id});
    if (!far_first) view.enter_at({150});
    ScriptedSearch found(view, 10);
    EXPECT_LT(view.visited.size(), kRing);
    for (std::size_t width = 20; found.search.widen(found.memory.arena(), width); width *= 2) {
      found.search.run(view, found.memory.arena());
      ASSERT_LT(width, 10'000U);
    }
    EXPECT_EQ(view.visited.size(), 2 * kRing);
    EXPECT_EQ(view.visited.size(),
              std::set<NodeId>(view.visited.begin(), view.visited.end()).size());
  }
}

TEST(GraphSearch, an_entry_without_an_estimate_hides_no_other) {
  for (const std::size_t odd : {0U, 7U, 15U}) {
    ScriptView view(rising(64));
    for (NodeId id = 0; id < 64; ++id) view.enter_at({id});
    view.entry_estimates[odd].estimate = std::numeric_limits<float>::quiet_NaN();
    ScriptedSearch found(view, 8);
    EXPECT_EQ(view.visited.front(), 63U);
    EXPECT_EQ(view.visited.size(), 8U);
  }
}

TEST(GraphSearch, links_well_behind_the_beam_are_put_aside_until_it_is_widened) {
  // The beam is full of 0 and 1: what is farther than 1.25 times 10 is put aside.
  ScriptView view({9, 10, 12, 13, 90});
  view.enter_at({0, 1});
  view.links[1] = {{2, 12, 1}, {3, 13, 1}, {4, 90, 1}};
  ScriptedSearch found(view, 2);
  EXPECT_EQ(view.visited, (Ids{0, 1}));
  EXPECT_EQ(found.search.heard_of(), 3U);
  EXPECT_TRUE(found.search.widen(found.memory.arena(), 5));
  EXPECT_EQ(found.search.heard_of(), 5U);
  found.search.run(view, found.memory.arena());
  EXPECT_EQ(view.visited, (Ids{0, 1, 2, 3, 4}));
  EXPECT_FALSE(found.search.widen(found.memory.arena(), 10));
}

TEST(GraphSearch, nothing_is_put_aside_while_the_beam_has_room_or_ends_below_zero) {
  for (const float size : {1.0F, -1.0F}) {
    ScriptView view({9 * size, 9.5F * size, 100, 1000});
    view.enter_at({0, 1});
    view.links[0] = {{2, 100, 1}};
    view.links[1] = {{3, 1000, 1}};
    ScriptedSearch found(view, size > 0 ? 10 : 2);
    EXPECT_EQ(found.search.heard_of(), 4U);
  }
}

/// Node 2 is first said to be at 1, then, with twice the weight, at 4: it counts as at 3.
TEST(GraphSearch, estimates_are_averaged_by_weight_and_a_candidate_steps_back_when_they_rise) {
  ScriptView view({0.1F, 0.2F, 3, 2.8F, 3.2F});
  view.enter_at({0, 1, 3, 4});
  view.links[0] = {{2, 1, 0.5F}};
  view.links[1] = {{2, 4, 1}};
  ScriptedSearch found(view, 10);
  EXPECT_EQ(view.visited, (Ids{0, 1, 3, 2, 4}));
}

TEST(GraphSearch, a_better_estimate_brings_in_a_candidate_that_was_too_far) {
  ScriptView view({1, 1.1F, 0.5F});
  view.enter_at({0, 1});
  view.links[0] = {{2, 1.2F, 1}};
  ScriptView without = view;
  view.links[1] = {{2, 0.1F, 100}};
  ScriptedSearch found(view, 2), not_found(without, 2);
  EXPECT_EQ(view.visited, (Ids{0, 1, 2}));
  EXPECT_EQ(without.visited, (Ids{0, 1}));
}

TEST(GraphSearch, a_visited_node_counts_by_its_own_code) {
  // 0 is farther than it was said to be: 1 and 2 are nearer, and the beam has room for them alone.
  ScriptView view({50, 2, 3, 60});
  view.entry_estimates = {{0, 1, 1}, {1, 2, 1}};
  view.links[1] = {{2, 3, 1}, {0, -100, 1}};
  view.links[2] = {{3, 3.2F, 1}};
  ScriptedSearch found(view, 2);
  EXPECT_EQ(view.visited, (Ids{0, 1, 2}));
}

TEST(GraphSearch, asks_for_the_next_page_while_it_visits_one) {
  for (const std::uint32_t per_page : {1U, 2U}) {
    ScriptView view({1, 2, 3, 4}, per_page);
    view.enter_at({0, 1, 2, 3});
    ScriptedSearch found(view, 10);
    EXPECT_EQ(view.visited, (Ids{0, 1, 2, 3}));
    EXPECT_EQ(view.prefetched, per_page == 1 ? (Ids{1, 2, 3}) : Ids{2});
  }
}

}  // namespace
}  // namespace nearest::core
