/// Best-first search of a graph, through a view that knows where nodes lie.
///
/// The beam holds the nearest `width` nodes heard of, by the mean of the estimates that their
/// visited neighbors gave, weighted by the estimates' precision, or by their own codes once they
/// are visited themselves. The search ends when all of the beam is visited. What fell out of the
/// beam is kept, so that a wider beam can go on from there.
///
/// May be left by a jump at every call of the view or the arena, and owns nothing.
#pragma once

#include <algorithm>
#include <concepts>
#include <limits>
#include <span>
#include <type_traits>

#include "core/graph/beam.hpp"
#include "core/graph/candidate_table.hpp"

namespace nearest::core {

/// One link of a visited node.
struct LinkEstimate {
  NodeId id;
  float estimate;  ///< steering distance of the neighbor
  float weight;    ///< inverse variance of the estimate, up to a factor common to the query
};

/// What a visit tells. The spans live until the next visit.
struct Visit {
  NodeId id;
  float steering;  ///< of the node itself
  std::span<const LinkEstimate> links;
};

/// Where the nodes are.
///   page_of(id)     nodes of one page are visited together
///   visit(ids)      reads nodes of one page, all of them; what else they hold is the view's
///   business entries()       estimates of the nodes where searches begin
/// Estimates and weights may be anything, even NaN: bad ones only steer worse.
template <class V>
concept GraphView = requires(V view, NodeId id, std::span<const NodeId> ids) {
  { view.page_of(id) } -> std::convertible_to<std::uint32_t>;
  { view.visit(ids) } -> std::convertible_to<std::span<const Visit>>;
  { view.entries() } -> std::convertible_to<std::span<const LinkEstimate>>;
};

inline constexpr std::size_t kMaxVisitsPerPage = 16;

template <GraphView View, Arena A>
class GraphSearch {
 public:
  /// entry_count: of the nearest entries with which the search begins.
  static constexpr std::size_t kEntryCount = 16;

  /// Begins a search; memory of an earlier one is used again.
  void begin(View& view, A arena, std::size_t width, std::size_t links_per_node) {
    table_.prepare(arena, width * links_per_node / 2 + 64);
    beam_.prepare(arena, width);
    const std::span<const LinkEstimate> entries = view.entries();
    // The nearest few: more would only fill the table.
    LinkEstimate nearest[kEntryCount];
    std::size_t n = 0;
    for (const LinkEstimate& entry : entries) {
      if (n == kEntryCount && !(entry.estimate < nearest[n - 1].estimate)) continue;
      std::size_t place = n < kEntryCount ? n++ : n - 1;
      for (; place > 0 && entry.estimate < nearest[place - 1].estimate; --place) {
        nearest[place] = nearest[place - 1];
      }
      nearest[place] = entry;
    }
    for (std::size_t i = 0; i < n; ++i) hear(arena, nearest[i]);
  }

  /// Visits until all of the beam is visited.
  void run(View& view, A arena) {
    for (std::size_t next = beam_.next_open(); next != Beam::kNone; next = beam_.next_open()) {
      NodeId ids[kMaxVisitsPerPage];
      std::size_t n = 0;
      ids[n++] = beam_[next].id;
      const std::uint32_t page = view.page_of(ids[0]);
      // Other nodes of the beam that the same page holds cost no further page.
      for (std::size_t i = next + 1; i < beam_.size() && n < kMaxVisitsPerPage; ++i) {
        if (!beam_[i].visited && view.page_of(beam_[i].id) == page) ids[n++] = beam_[i].id;
      }
      for (const Visit& visit : view.visit({ids, n})) take(arena, visit);
    }
  }

  /// Widens the beam to the nearest `width` of all that was heard of. False if all is visited.
  bool widen(A arena, std::size_t width) {
    Beam::Entry* all =
        static_cast<Beam::Entry*>(arena.allocate(table_.size() * sizeof(Beam::Entry) + 1));
    bool any_open = false;
    for (std::uint32_t i = 0; i < table_.size(); ++i) {
      const Candidate& candidate = table_[i];
      all[i] = {candidate.estimate, candidate.id, i, candidate.weight == kVisited};
      any_open |= !all[i].visited;
    }
    const std::size_t n = table_.size();
    if (width < n) {
      std::nth_element(all, all + width, all + n, [](const auto& a, const auto& b) {
        return a.key < b.key || (a.key == b.key && a.id < b.id);
      });
    }
    beam_.prepare(arena, width);
    const std::size_t kept = std::min(width, n);
    std::sort(all, all + kept, [](const auto& a, const auto& b) {
      return a.key < b.key || (a.key == b.key && a.id < b.id);
    });
    for (std::size_t i = 0; i < kept; ++i) beam_.insert(all[i]);
    arena.release(all);
    return any_open;
  }

  std::size_t width() const { return beam_.width(); }
  std::size_t heard_of() const { return table_.size(); }
  std::size_t bytes() const { return table_.bytes(); }
  bool is_visited(NodeId id) const { return table_.is_visited(id); }

 private:
  /// A visited node counts by its own code from now on.
  void take(A arena, const Visit& visit) {
    const std::uint32_t index = table_.find_or_add(arena, visit.id);
    Candidate& candidate = table_[index];
    if (candidate.weight == kVisited) return;
    beam_.remove(candidate.estimate, candidate.id);
    candidate.estimate = ordered(visit.steering);
    candidate.weight = kVisited;
    beam_.insert({candidate.estimate, visit.id, index, true});
    for (const LinkEstimate& link : visit.links) hear(arena, link);
  }

  /// One more estimate of a node's distance.
  void hear(A arena, const LinkEstimate& link) {
    const std::size_t heard_before = table_.size();
    const std::uint32_t index = table_.find_or_add(arena, link.id);
    Candidate& candidate = table_[index];
    if (candidate.weight == kVisited) return;
    const float before = candidate.estimate;
    const bool is_new = table_.size() > heard_before;
    const float estimate = ordered(link.estimate);
    const float more = link.weight > 0 ? std::min(link.weight, kMostWeight) : 0;  // NaN is 0 too
    const float weight = std::min(candidate.weight + more, kMostWeight);
    if (is_new) {
      candidate.estimate = estimate;
    } else if (more > 0) {
      candidate.estimate = ordered(before + (estimate - before) * (more / weight));
    }
    candidate.weight = weight;
    if (!is_new) {
      if (candidate.estimate == before) return;
      beam_.remove(before, link.id);
    }
    beam_.insert({candidate.estimate, link.id, index, false});
  }

  /// The beam can only find again what has an order, and means must stay finite.
  static float ordered(float estimate) {
    constexpr float kFarthest = 1e37F;
    return estimate < kFarthest ? std::max(estimate, -kFarthest) : kFarthest;  // NaN is far too
  }
  static constexpr float kMostWeight = 1e37F;  ///< below kVisited

  CandidateTable table_;
  Beam beam_;
};

}  // namespace nearest::core
