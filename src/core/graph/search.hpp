/// Best-first search of a graph, through a view that knows where nodes lie.
///
/// The beam holds the nearest `width` nodes heard of, by the mean of the estimates that their
/// visited neighbors gave, weighted by the estimates' precision, or by their own codes once they
/// are visited themselves. The search ends when all of the beam is visited. What fell out of the
/// beam is kept, so that a wider beam can go on from there.
///
/// Whatever a view says, NaN and infinities included, searches end: keys are kept finite and
/// weights positive, so that a candidate is found in the beam by its key, and is there once.
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

/// Nodes with ids in a row.
struct NodeRange {
  NodeId first;
  std::uint32_t count;

  bool contains(NodeId id) const { return id - first < count; }
};

/// Where the nodes are.
///   page_of(id)     the nodes of id's page, which are visited together
///   visit(ids)      reads nodes of one page, all of them
///   prefetch(id)    a visit is likely to follow
///   entries()       estimates of the nodes where searches begin
/// Estimates and weights may be anything, even NaN: bad ones only steer worse.
template <class V>
concept GraphView = requires(V view, NodeId id, std::span<const NodeId> ids) {
  { view.page_of(id) } -> std::convertible_to<NodeRange>;
  { view.visit(ids) } -> std::convertible_to<std::span<const Visit>>;
  {view.prefetch(id)};
  { view.entries() } -> std::convertible_to<std::span<const LinkEstimate>>;
};

inline constexpr std::size_t kMaxVisitsPerPage = 16;

template <GraphView View, Arena A>
class GraphSearch {
 public:
  /// Of the nearest entries with which the search begins.
  static constexpr std::size_t kEntryCount = 16;

  /// Begins a search; memory of an earlier one is used again.
  void begin(View& view, A arena, std::size_t width, std::size_t links_per_node) {
    const std::span<const LinkEstimate> entries = view.entries();
    table_.prepare(arena, width * links_per_node / 2 + 128);
    far_.clear();
    far_.reserve(arena, width * links_per_node / 2 + 128 + entries.size());
    beam_.prepare(arena, width);
    // The nearest few: more would only fill the table. The others are put aside, for searches that
    // are widened beyond the part of the graph that these lead to.
    LinkEstimate nearest[kEntryCount];
    LinkEstimate* passed = far_.begin();
    std::size_t n = 0;
    for (const LinkEstimate& entry : entries) {
      if (n == kEntryCount) {
        if (!(entry.estimate < nearest[n - 1].estimate)) {
          *passed++ = entry;
          continue;
        }
        *passed++ = nearest[--n];
      }
      const float estimate = ordered(entry.estimate);
      std::size_t place = n++;
      for (; place > 0 && estimate < nearest[place - 1].estimate; --place) {
        nearest[place] = nearest[place - 1];
      }
      nearest[place] = {entry.id, estimate, entry.weight};
    }
    far_.set_size(static_cast<std::size_t>(passed - far_.begin()));
    for (std::size_t i = 0; i < n; ++i) hear(arena, nearest[i]);
  }

  /// Visits until all of the beam is visited.
  void run(View& view, A arena) {
    for (std::size_t next = beam_.next_open(); next != Beam::kNone; next = beam_.next_open()) {
      if (step_back(next)) continue;
      NodeId ids[kMaxVisitsPerPage];
      std::size_t n = 0;
      ids[n++] = beam_[next].id;
      const NodeRange page = view.page_of(ids[0]);
      // Other nodes of the beam that the same page holds cost no further page; the first one of
      // another page is fetched meanwhile.
      bool is_prefetched = false;
      for (std::size_t i = next + 1; i < beam_.size() && n < kMaxVisitsPerPage; ++i) {
        if (beam_[i].visited) continue;
        if (page.contains(beam_[i].id)) {
          ids[n++] = beam_[i].id;
        } else if (!is_prefetched) {
          view.prefetch(beam_[i].id);
          is_prefetched = true;
        }
      }
      for (const Visit& visit : view.visit({ids, n})) take(arena, visit);
    }
  }

  /// Widens the beam to the nearest `width` of all that was heard of. False if all is visited.
  bool widen(A arena, std::size_t width) {
    beam_.prepare(arena, 0);  // takes nothing: all that is far is only counted
    for (const LinkEstimate& link : far_) hear(arena, link);
    far_.clear();
    struct Keyed {
      float key;
      Beam::Entry entry;
    };
    Keyed* const all = static_cast<Keyed*>(arena.allocate(table_.size() * sizeof(Keyed) + 1));
    bool any_open = false;
    for (std::uint32_t i = 0; i < table_.size(); ++i) {
      const Candidate& candidate = table_[i];
      all[i] = {candidate.estimate,
                Beam::Entry::make(candidate.id, i, candidate.weight == kVisited)};
      any_open |= all[i].entry.visited == 0;
    }
    const auto is_before = [](const Keyed& a, const Keyed& b) {
      return a.key < b.key || (a.key == b.key && a.entry.id < b.entry.id);
    };
    const std::size_t n = table_.size(), kept = std::min(width, n);
    if (kept < n) std::nth_element(all, all + kept, all + n, is_before);
    std::sort(all, all + kept, is_before);
    beam_.prepare(arena, width);
    for (std::uint32_t i = 0; i < n; ++i) table_[i].beam_key = kNotInBeam;
    for (std::size_t i = 0; i < kept; ++i) {
      enter(all[i].entry.index, all[i].key, all[i].entry.visited != 0);
    }
    arena.release(all);
    return any_open;
  }

  std::size_t width() const { return beam_.width(); }
  std::size_t heard_of() const { return table_.size(); }
  std::size_t bytes() const { return table_.bytes() + far_.capacity_bytes(); }
  bool is_visited(NodeId id) const { return table_.is_visited(id); }

 private:
  /// Puts a candidate into the beam, if that accepts it.
  void enter(std::uint32_t index, float key, bool visited) {
    if (!beam_.accepts(key)) return;
    Candidate& candidate = table_[index];
    const std::uint32_t leaving =
        beam_.insert(key, Beam::Entry::make(candidate.id, index, visited));
    if (leaving != Beam::kNoIndex) table_[leaving].beam_key = kNotInBeam;
    candidate.beam_key = key;
  }

  void leave(Candidate& candidate) {
    if (candidate.beam_key == kNotInBeam) return;
    beam_.remove(candidate.beam_key, candidate.id);
    candidate.beam_key = kNotInBeam;
  }

  /// Estimates that came since a candidate entered the beam count when its turn comes: if they say
  /// that it is farther, others go first. True if it stepped back.
  bool step_back(std::size_t place) {
    const std::uint32_t index = beam_[place].index;
    Candidate& candidate = table_[index];
    if (!(candidate.estimate > candidate.beam_key)) return false;
    leave(candidate);
    enter(index, candidate.estimate, false);
    return true;
  }

  /// A visited node counts by its own code from now on.
  void take(A arena, const Visit& visit) {
    const std::uint32_t index = table_.find_or_add(arena, visit.id);
    if (table_[index].weight == kVisited) return;
    leave(table_[index]);
    table_[index].estimate = ordered(visit.steering);
    table_[index].weight = kVisited;
    enter(index, table_[index].estimate, true);
    // What lies well behind the beam will hardly come in by a better estimate: it is put aside
    // until the beam is widened, which spares the table most of what a search hears of.
    const float far = !beam_.is_full() || beam_.width() == 0
                          ? std::numeric_limits<float>::infinity()
                          : kFar * beam_.worst();
    for (const LinkEstimate& link : visit.links) {
      if (link.estimate > far && far > 0) {
        far_.push_back(arena, link);
      } else {
        hear(arena, link);
      }
    }
  }

  /// One more estimate of a node's distance.
  void hear(A arena, const LinkEstimate& link) {
    const std::uint32_t index = table_.find_or_add(arena, link.id);
    Candidate& candidate = table_[index];
    if (candidate.weight == kVisited) return;
    const float estimate = ordered(link.estimate);
    const float more = link.weight > 0 ? std::min(link.weight, kMostWeight) : kLeastWeight;
    const float weight = std::min(candidate.weight + more, kMostWeight);
    candidate.estimate = ordered(candidate.estimate +
                                 (estimate - candidate.estimate) * std::min(more / weight, 1.0F));
    candidate.weight = weight;
    if (candidate.beam_key == kNotInBeam) enter(index, candidate.estimate, false);
  }

  static constexpr float kFar = 1.25F;  ///< in squared distance
  /// The beam can only find again what has an order, and means must stay finite.
  static float ordered(float estimate) {
    constexpr float kFarthest = 1e37F;
    return estimate < kFarthest ? std::max(estimate, -kFarthest) : kFarthest;  // NaN is far too
  }
  static constexpr float kMostWeight = 1e37F;    ///< below kVisited
  static constexpr float kLeastWeight = 1e-37F;  ///< above zero; NaN counts as this

  CandidateTable table_;
  Beam beam_;
  ArenaArray<LinkEstimate> far_;
};

}  // namespace nearest::core
