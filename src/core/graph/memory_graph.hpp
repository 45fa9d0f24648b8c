/// The graph of a build: codes and links in memory. A node takes a byte per dimension and, at m 16,
/// some 440 bytes: a third of the vector at 1,536 dimensions, half at 384, as much as it at 144.
///
/// Contract:
///   1. One thread at a time: even the search for a node's links writes to work space of the graph.
///   2. Memory comes from the arena and is never moved: nodes lie in segments.
///   3. Nothing here asks for interrupts; callers do, between two rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>

#include "core/arena.hpp"
#include "core/graph/params.hpp"
#include "core/graph/select_neighbors.hpp"
#include "core/graph/space.hpp"
#include "core/random.hpp"

namespace nearest::core {

/// Where a row is; the graph only keeps it.
using RowId = std::uint64_t;

/// kMaxEntries: nodes at most where the searches for a new node's neighbors begin.
template <Arena A, std::size_t kMaxEntries = 256>
class MemoryGraph {
 public:
  /// What a record holds between a node's code, which begins it, and its links.
  struct Node {
    std::uint64_t hash;  ///< of the exact vector
    RowId row;
    ScalarCode code;
    PointTraits traits;
    float added;  ///< the coordinate that inner product adds
    std::uint32_t n_links;
    std::uint32_t more_rows;  ///< 1 + index of the next row of an equal vector, or 0
    std::uint32_t n_rows;
  };

  struct ExtraRow {
    RowId row;
    std::uint32_t next;  ///< as Node::more_rows
  };

  void prepare(A arena, const GraphSpace& space, int m, int ef_construction) {
    arena_ = arena;
    space_ = space;
    max_links_ = links_of(m);
    link_capacity_ = max_links_ + static_cast<std::size_t>(m);
    ef_ = static_cast<std::size_t>(ef_construction);
    code_bytes_ = round_up_to_line(space.dim);
    node_bytes_ = round_up_to_line(code_bytes_ + sizeof(Node) + link_capacity_ * sizeof(Neighbor));
    unseen_.reserve(arena, link_capacity_ + 1);
    beam_.reserve(arena, ef_ + 1);
    found_.reserve(arena, ef_ + 1);
    passed_.reserve(arena, std::max(ef_, link_capacity_) + 1);
    factor_ = space.metric == Metric::kL1 ? kPruneFactor : kPruneFactorSquared;
  }

  std::size_t size() const { return size_; }
  std::size_t node_bytes() const { return node_bytes_ + sizeof(std::uint32_t); }
  /// What the graph has taken so far, but for work space that does not grow.
  std::size_t bytes() const {
    return segments_.size() * kSegmentNodes * node_bytes_ + seen_.capacity_bytes() +
           extra_rows_.capacity_bytes();
  }
  /// What the next addition may take at once: arrays grow by taking their next size as a whole.
  std::size_t next_addition_bytes() const {
    const std::size_t segment = needs_segment() ? kSegmentNodes * node_bytes_ : 0;
    const std::size_t seen = seen_.size() == size_ ? seen_.next_growth_bytes() : 0;
    return segment + seen + extra_rows_.next_growth_bytes();
  }

  const Node& node(NodeId id) const { return *record(id); }
  std::span<const std::int8_t> code(NodeId id) const { return {code_of(record(id)), space_.dim}; }
  std::span<const Neighbor> links(NodeId id) const {
    const Node* const n = record(id);
    return {links_of_record(n), n->n_links};
  }
  /// Where searches begin: a uniform sample of the nodes, about as many as their square root.
  std::span<const NodeId> entries() const { return {entries_, n_entries_}; }
  const ExtraRow& extra_row(std::uint32_t more_rows) const { return extra_rows_[more_rows - 1]; }

  /// Adds a row. z: (dim) its code. Equal vectors share a node.
  void add(RowId row, std::uint64_t hash, const PlacedPoint& point, const std::int8_t* z) {
    const auto id = static_cast<NodeId>(size_);
    Node* const added = append();
    added->hash = hash;
    added->row = row;
    added->code = point.code;
    added->traits = point.traits;
    added->added = space_.metric == Metric::kInnerProduct
                       ? static_cast<float>(std::sqrt(added_square(space_, point.traits.norm)))
                       : 0;
    added->n_links = 0;
    added->more_rows = 0;
    added->n_rows = 1;
    std::memcpy(code_of(added), z, space_.dim);

    const std::size_t found = find_neighbors(id);
    for (std::size_t i = 0; i < found; ++i) {
      Node* const equal = record(found_[i].id);
      if (equal->hash == hash && equal->code.scale == point.code.scale &&
          std::memcmp(code_of(equal), z, space_.dim) == 0) {
        remove_last();
        join(equal, row, point.code.error);
        return;
      }
    }
    link(id, found);
    remember_entry(id);
  }

  /// Cuts every node's links to their final number. To be called once, by slices, at the end.
  void finish(NodeId begin, NodeId end) {
    for (NodeId id = begin; id < end; ++id) prune(record(id));
  }

  /// Links `from` to `to`, in place of its farthest link that may go if it has no room. False if
  /// none may. Only after finish. may_go: bool(NodeId target)
  template <class MayGo>
  bool force_link(NodeId from, NodeId to, MayGo&& may_go) {
    Node* const node = record(from);
    Neighbor* const links = links_of_record(node);
    Neighbor* const end = links + node->n_links;
    Neighbor* gone = end;
    if (node->n_links == max_links_) {
      do {
        if (gone == links) return false;
        --gone;
      } while (!may_go(gone->id));
      std::move(gone + 1, end, gone);
      node->n_links -= 1;
    }
    const Neighbor added{distance(node, record(to)), to};
    Neighbor* const last = links + node->n_links;
    Neighbor* const place = std::upper_bound(links, last, added);
    std::move_backward(place, last, last + 1);
    *place = added;
    node->n_links += 1;
    return true;
  }

  /// Between two nodes, as the graph sees it: squared, or L1.
  float distance(const Node* a, const Node* b) const {
    if (space_.metric == Metric::kL1) {
      return kernels().l1_i8(code_of(a), a->code.scale, code_of(b), b->code.scale, space_.dim);
    }
    double squared = l2_squared_between(code_of(a), a->code.scale, a->code.square, code_of(b),
                                        b->code.scale, b->code.square, space_.dim);
    const double added = static_cast<double>(a->added) - b->added;
    squared += added * added;
    return static_cast<float>(squared);
  }

 private:
  static constexpr std::size_t kSegmentNodes = 1024;

  struct BeamEntry {
    Neighbor neighbor;
    bool visited;
  };

  static constexpr std::size_t kCacheLine = 64;
  static constexpr std::size_t round_up_to_line(std::size_t bytes) {
    return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
  }

  Node* record(NodeId id) const {
    return reinterpret_cast<Node*>(segments_[id / kSegmentNodes] +
                                   id % kSegmentNodes * node_bytes_ + code_bytes_);
  }
  std::int8_t* code_of(const Node* node) const {
    return reinterpret_cast<std::int8_t*>(const_cast<Node*>(node)) - code_bytes_;
  }
  Neighbor* links_of_record(const Node* node) const {
    return reinterpret_cast<Neighbor*>(const_cast<Node*>(node) + 1);
  }

  bool needs_segment() const { return size_ == segments_.size() * kSegmentNodes; }

  Node* append() {
    if (needs_segment()) {
      segments_.push_back(arena_, static_cast<char*>(arena_.allocate(kSegmentNodes * node_bytes_)));
    }
    if (seen_.size() == size_) seen_.push_back(arena_, 0);
    return record(static_cast<NodeId>(size_++));
  }
  void remove_last() { --size_; }

  void join(Node* equal, RowId row, float error) {
    extra_rows_.push_back(arena_, {row, equal->more_rows});
    equal->more_rows = static_cast<std::uint32_t>(extra_rows_.size());
    equal->n_rows += 1;
    equal->code.error = std::max(equal->code.error, error);  // equal hashes, not surely equal rows
  }

  /// Best-first search with exact distances of codes; found_: up to ef nearest, sorted.
  std::size_t find_neighbors(NodeId id) {
    const Node* const target = record(id);
    const std::uint32_t mark = ++mark_;
    seen_[id] = mark;
    beam_.clear();
    std::size_t first_open = 0;
    const auto consider = [&](NodeId other) {
      const Neighbor neighbor{distance(record(other), target), other};
      std::size_t size = beam_.size();
      if (size == ef_ && !(neighbor < beam_[size - 1].neighbor)) return;
      std::size_t low = 0, high = size;
      while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (beam_[middle].neighbor < neighbor) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      if (size < ef_) beam_.set_size(++size);
      std::memmove(static_cast<void*>(beam_.begin() + low + 1), beam_.begin() + low,
                   (size - 1 - low) * sizeof(BeamEntry));
      beam_[low] = {neighbor, false};
      first_open = std::min(first_open, low);
    };
    // All that is new first, so that their codes can be asked for while others are compared.
    const auto consider_unseen = [&] {
      for (std::size_t i = 0; i < unseen_.size(); ++i) {
        if (i + kPrefetchAhead < unseen_.size()) prefetch(unseen_[i + kPrefetchAhead]);
        consider(unseen_[i]);
      }
      unseen_.clear();
    };
    const auto notice = [&](NodeId other) {
      if (seen_[other] == mark) return;
      seen_[other] = mark;
      if (unseen_.size() < kPrefetchAhead) prefetch(other);
      unseen_.push_back(arena_, other);
    };
    for (std::size_t i = 0; i < n_entries_; ++i) notice(entries_[i]);
    consider_unseen();
    while (first_open < beam_.size()) {
      if (beam_[first_open].visited) {
        ++first_open;
        continue;
      }
      beam_[first_open].visited = true;
      const Node* const visited = record(beam_[first_open].neighbor.id);
      const Neighbor* const links = links_of_record(visited);
      for (std::size_t i = 0; i < visited->n_links; ++i) notice(links[i].id);
      consider_unseen();
    }
    found_.clear();
    for (const BeamEntry& entry : beam_) found_.push_back(arena_, entry.neighbor);
    return found_.size();
  }

  static constexpr std::size_t kPrefetchAhead = 4;
  /// A node's code and what lies behind it.
  void prefetch(NodeId id) const {
    const auto* const bytes = reinterpret_cast<const char*>(code_of(record(id)));
    for (std::size_t i = 0; i <= code_bytes_; i += kCacheLine) __builtin_prefetch(bytes + i);
  }

  void link(NodeId id, std::size_t found) {
    Node* const node = record(id);
    const std::size_t n =
        select_neighbors(found_.begin(), found, max_links_, factor_, passed_.begin(),
                         [this](NodeId a, NodeId b) { return distance(record(a), record(b)); });
    node->n_links = static_cast<std::uint32_t>(n);
    std::copy(found_.begin(), found_.begin() + n, links_of_record(node));
    for (std::size_t i = 0; i < n; ++i) link_back(found_[i].id, {found_[i].distance, id});
  }

  /// Nodes may have m links too many until they are cut, so that most additions cost no pruning.
  void link_back(NodeId at, const Neighbor& neighbor) {
    Node* const node = record(at);
    if (node->n_links == link_capacity_) prune(node);
    Neighbor* const links = links_of_record(node);
    Neighbor* const place = std::upper_bound(links, links + node->n_links, neighbor);
    std::move_backward(place, links + node->n_links, links + node->n_links + 1);
    *place = neighbor;
    node->n_links += 1;
  }

  void prune(Node* node) {
    node->n_links = static_cast<std::uint32_t>(
        select_neighbors(links_of_record(node), node->n_links, max_links_, factor_, passed_.begin(),
                         [this](NodeId a, NodeId b) { return distance(record(a), record(b)); }));
  }

  /// A node comes in with the probability that a sample of this size gives it, then takes a place
  /// that is new or that of any other. Between entrances and growth the sample stays uniform: late
  /// rows begin their search near early ones too, in whatever order rows come.
  void remember_entry(NodeId id) {
    const std::uint64_t n = std::uint64_t{id} + 1;
    const auto root = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(n)));
    const std::uint64_t wanted = std::min<std::uint64_t>(root, kMaxEntries);
    const std::uint64_t random = mix_bits(n * kRandomStep);
    if ((random >> 32) * n >= wanted << 32) return;
    const std::size_t place =
        n_entries_ < wanted ? n_entries_++ : (random & 0xFFFF'FFFFU) * n_entries_ >> 32;
    entries_[place] = id;
  }

  A arena_{};
  GraphSpace space_{};
  std::size_t max_links_ = 0, link_capacity_ = 0, ef_ = 0, code_bytes_ = 0, node_bytes_ = 0;
  float factor_ = 1;

  ArenaArray<char*> segments_;
  std::size_t size_ = 0;
  ArenaArray<ExtraRow> extra_rows_;

  // Work space of one search.
  ArenaArray<std::uint32_t> seen_;
  std::uint32_t mark_ = 0;
  ArenaArray<BeamEntry> beam_;
  ArenaArray<Neighbor> found_, passed_;
  ArenaArray<NodeId> unseen_;

  NodeId entries_[kMaxEntries] = {};
  std::size_t n_entries_ = 0;
};

}  // namespace nearest::core
