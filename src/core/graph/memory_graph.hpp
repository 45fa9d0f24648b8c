/// The graph of a build: codes and links in memory. A node takes a byte per dimension and, at m 16,
/// some 440 bytes: a third of the vector at 1,536 dimensions, half at 384, as much as it at 144.
///
/// Rows come in batches, for threads to share. The nodes of a batch are searched for in the graph
/// as it was before, each compared with the earlier ones of its batch as well, so that a batch
/// loses nothing; then all links back are made, those to one node by one thread.
///
/// Contract:
///   1. The graph is the same for the same rows in the same order, whatever the team.
///   2. Memory comes from the arena, never on a thread of the team, and is never moved: nodes lie
///      in segments.
///   3. Nothing here asks for interrupts but the team, whose calls may be left by a jump.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>

#include "core/arena.hpp"
#include "core/graph/params.hpp"
#include "core/graph/select_neighbors.hpp"
#include "core/graph/space.hpp"
#include "core/random.hpp"
#include "core/runner.hpp"

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

  /// threads: of the largest team that will work on it.
  void prepare(A arena, const GraphSpace& space, int m, int ef_construction, std::size_t threads) {
    arena_ = arena;
    space_ = space;
    max_links_ = links_of(m);
    link_capacity_ = max_links_ + static_cast<std::size_t>(m);
    ef_ = static_cast<std::size_t>(ef_construction);
    code_bytes_ = round_up_to_line(space.dim);
    node_bytes_ = round_up_to_line(code_bytes_ + sizeof(Node) + link_capacity_ * sizeof(Neighbor));
    found_ = allocate<Neighbor>(kBatchNodes * (ef_ + 1));
    n_found_ = allocate<std::size_t>(kBatchNodes);
    equal_to_ = allocate<NodeId>(kBatchNodes);
    back_links_ = allocate<BackLink>(kBatchNodes * max_links_);
    n_works_ = threads;
    works_ = allocate<Work>(threads);
    for (std::size_t i = 0; i < threads; ++i) {
      Work* const work = new (works_ + i) Work{};
      work->unseen.reserve(arena, std::max(link_capacity_, kMaxEntries) + 1);
      work->beam.reserve(arena, ef_ + 1);
      work->passed.reserve(arena, std::max(ef_, link_capacity_) + 1);
    }
    factor_ = space.metric == Metric::kL1 ? kPruneFactor : kPruneFactorSquared;
  }

  std::size_t size() const { return size_; }
  std::size_t node_bytes() const { return node_bytes_ + n_works_ * sizeof(std::uint32_t); }
  /// What the graph has taken so far, but for work space that does not grow.
  std::size_t bytes() const {
    const std::size_t seen = n_works_ == 0 ? 0 : n_works_ * works_[0].seen.capacity_bytes();
    return segments_.size() * kSegmentNodes * node_bytes_ + seen + extra_rows_.capacity_bytes();
  }
  /// What the next addition may take at once: arrays grow by taking their next size as a whole.
  std::size_t next_addition_bytes() const {
    const ArenaArray<std::uint32_t>& seen = works_[0].seen;
    const std::size_t segment = needs_segment() ? kSegmentNodes * node_bytes_ : 0;
    const std::size_t marks = seen.size() == size_ ? n_works_ * seen.next_growth_bytes() : 0;
    return segment + marks + extra_rows_.next_growth_bytes();
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

  /// Adds a row. z: (dim) its code. Equal vectors share a node. Every so many rows, the team links
  /// those that came last: only then are they among entries and links of others.
  template <Team T>
  void add(T& team, RowId row, std::uint64_t hash, const PlacedPoint& point, const std::int8_t* z) {
    for (std::size_t id = linked_; id < size_; ++id) {
      Node* const other = record(static_cast<NodeId>(id));
      if (is_equal(other, hash, point.code, z)) {
        join(other, row, point.code.error);
        return;
      }
    }
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
    if (size_ - linked_ == kBatchNodes) link_batch(team);
  }

  /// Links the nodes that were added since it was done last.
  template <Team T>
  void link_batch(T& team) {
    run_over_batch(team, [&](std::size_t i, Work* work) { find_linked(i, work); });
    join_equals();
    run_over_batch(team, [&](std::size_t i, Work* work) { select_links(i, work); });
    link_back_all(team);
    for (; linked_ < size_; ++linked_) remember_entry(static_cast<NodeId>(linked_));
  }

  /// Links what is left, and cuts every node's links to their final number. To be called once.
  template <Team T>
  void finish(T& team) {
    link_batch(team);
    team.run(chunk_count(size_, kChunkNodes), [&](std::size_t chunk) {
      const Chunk nodes = chunk_range(chunk, size_, kChunkNodes);
      Work* const work = works_ + team.thread();
      for (std::size_t id = nodes.begin; id < nodes.end; ++id) {
        prune(record(static_cast<NodeId>(id)), work);
      }
    });
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
  /// Enough for threads to be worth their start, few enough that comparing all of them costs
  /// little beside the searches.
  static constexpr std::size_t kBatchNodes = 256;
  static constexpr std::size_t kChunkNodes = 4;  ///< of a thread at a time: under a millisecond

  struct BeamEntry {
    Neighbor neighbor;
    bool visited;
  };

  /// Work space of one thread.
  struct Work {
    ArenaArray<std::uint32_t> seen;  ///< by node: the mark of the last search that noticed it
    std::uint32_t mark;
    ArenaArray<BeamEntry> beam;
    ArenaArray<Neighbor> passed;
    ArenaArray<NodeId> unseen;
  };

  struct BackLink {
    NodeId at;
    Neighbor to;

    friend bool operator<(const BackLink& a, const BackLink& b) {
      return a.at != b.at ? a.at < b.at : a.to.id < b.to.id;
    }
  };

  template <class T>
  T* allocate(std::size_t n) {
    return static_cast<T*>(arena_.allocate(n * sizeof(T)));
  }

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
    for (std::size_t i = 0; i < n_works_; ++i) {
      if (works_[i].seen.size() == size_) works_[i].seen.push_back(arena_, 0);
    }
    return record(static_cast<NodeId>(size_++));
  }

  bool is_equal(const Node* node, std::uint64_t hash, const ScalarCode& code,
                const std::int8_t* z) const {
    return node->hash == hash && node->code.scale == code.scale &&
           std::memcmp(code_of(node), z, space_.dim) == 0;
  }

  void join(Node* equal, RowId row, float error) {
    extra_rows_.push_back(arena_, {row, equal->more_rows});
    equal->more_rows = static_cast<std::uint32_t>(extra_rows_.size());
    equal->n_rows += 1;
    equal->code.error = std::max(equal->code.error, error);  // equal hashes, not surely equal rows
  }

  // A batch: nodes from linked_ on
  // ------------------------------------------------------------------

  template <Team T, class F>
  void run_over_batch(T& team, F&& f) {
    const std::size_t n = size_ - linked_;
    team.run(chunk_count(n, kChunkNodes), [&](std::size_t chunk) {
      const Chunk nodes = chunk_range(chunk, n, kChunkNodes);
      for (std::size_t i = nodes.begin; i < nodes.end; ++i) f(i, works_ + team.thread());
    });
  }

  NodeId batch_node(std::size_t i) const { return static_cast<NodeId>(linked_ + i); }
  Neighbor* found_of(std::size_t i) const { return found_ + i * (ef_ + 1); }

  /// Neighbors among the nodes before the batch, and which of them has an equal vector.
  void find_linked(std::size_t i, Work* work) {
    const Node* const node = record(batch_node(i));
    n_found_[i] = find_neighbors(batch_node(i), work, found_of(i));
    equal_to_[i] = kNoNode;
    for (std::size_t j = 0; j < n_found_[i] && equal_to_[i] == kNoNode; ++j) {
      const NodeId other = found_of(i)[j].id;
      if (is_equal(record(other), node->hash, node->code, code_of(node))) equal_to_[i] = other;
    }
  }

  /// Gives the rows of nodes that are equal to others to these, and closes the gaps.
  void join_equals() {
    const std::size_t n = size_ - linked_;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const Node* const node = record(batch_node(i));
      if (equal_to_[i] != kNoNode) {
        Node* const equal = record(equal_to_[i]);
        join(equal, node->row, node->code.error);
        for (std::uint32_t more = node->more_rows; more != 0;) {
          ExtraRow& extra = extra_rows_[more - 1];
          const std::uint32_t next = extra.next;
          extra.next = equal->more_rows;
          equal->more_rows = more;
          equal->n_rows += 1;
          more = next;
        }
        continue;
      }
      if (kept != i) {
        std::memcpy(code_of(record(batch_node(kept))), code_of(node), code_bytes_ + sizeof(Node));
        n_found_[kept] = n_found_[i];
        std::copy(found_of(i), found_of(i) + n_found_[i], found_of(kept));
      }
      ++kept;
    }
    size_ = linked_ + kept;
  }

  /// Adds the earlier nodes of the batch to what was found, and selects a node's links.
  void select_links(std::size_t i, Work* work) {
    const NodeId id = batch_node(i);
    Node* const node = record(id);
    Neighbor* const found = found_of(i);
    std::size_t n = n_found_[i];
    for (NodeId other = batch_node(0); other < id; ++other) {
      const Neighbor neighbor{distance(record(other), node), other};
      if (n == ef_ && !(neighbor < found[n - 1])) continue;
      if (n < ef_) ++n;
      Neighbor* const place = std::upper_bound(found, found + n - 1, neighbor);
      std::move_backward(place, found + n - 1, found + n);
      *place = neighbor;
    }
    n = select_neighbors(found, n, max_links_, factor_, work->passed.begin(), between());
    node->n_links = static_cast<std::uint32_t>(n);
    std::copy(found, found + n, links_of_record(node));
  }

  /// Links every new node's neighbors back to it: the same order for the same batch.
  template <Team T>
  void link_back_all(T& team) {
    std::size_t n = 0;
    for (NodeId id = batch_node(0); id < size_; ++id) {
      for (const Neighbor& link : links(id)) back_links_[n++] = {link.id, {link.distance, id}};
    }
    std::sort(back_links_, back_links_ + n);
    constexpr std::size_t kChunkLinks = 128;
    team.run(chunk_count(n, kChunkLinks), [&](std::size_t chunk) {
      const Chunk part = chunk_range(chunk, n, kChunkLinks);
      // Those to one node belong to the chunk where the first of them is.
      const auto is_first = [&](std::size_t i) {
        return i == 0 || back_links_[i].at != back_links_[i - 1].at;
      };
      std::size_t i = part.begin;
      while (i < part.end && !is_first(i)) ++i;
      if (i == part.end) return;
      for (; i < n && (i < part.end || !is_first(i)); ++i) {
        link_back(back_links_[i].at, back_links_[i].to, works_ + team.thread());
      }
    });
  }

  /// Best-first search with exact distances of codes. found: the nearest ones that were linked
  /// before, up to ef, sorted. Returns their number.
  std::size_t find_neighbors(NodeId id, Work* work, Neighbor* found) const {
    const Node* const target = record(id);
    ArenaArray<BeamEntry>& beam = work->beam;
    ArenaArray<NodeId>& unseen = work->unseen;
    std::uint32_t* const seen = work->seen.begin();
    const std::uint32_t mark = ++work->mark;
    beam.clear();
    unseen.clear();
    std::size_t first_open = 0;
    const auto consider = [&](NodeId other) {
      const Neighbor neighbor{distance(record(other), target), other};
      std::size_t size = beam.size();
      if (size == ef_ && !(neighbor < beam[size - 1].neighbor)) return;
      std::size_t low = 0, high = size;
      while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (beam[middle].neighbor < neighbor) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      if (size < ef_) beam.set_size(++size);
      std::memmove(static_cast<void*>(beam.begin() + low + 1), beam.begin() + low,
                   (size - 1 - low) * sizeof(BeamEntry));
      beam[low] = {neighbor, false};
      first_open = std::min(first_open, low);
    };
    // All that is new first, so that their codes can be asked for while others are compared.
    const auto consider_unseen = [&] {
      for (std::size_t i = 0; i < unseen.size(); ++i) {
        if (i + kPrefetchAhead < unseen.size()) prefetch(unseen[i + kPrefetchAhead]);
        consider(unseen[i]);
      }
      unseen.clear();
    };
    const auto notice = [&](NodeId other) {
      if (seen[other] == mark) return;
      seen[other] = mark;
      if (unseen.size() < kPrefetchAhead) prefetch(other);
      unseen.push_back(arena_, other);  // reserved
    };
    for (std::size_t i = 0; i < n_entries_; ++i) notice(entries_[i]);
    consider_unseen();
    while (first_open < beam.size()) {
      if (beam[first_open].visited) {
        ++first_open;
        continue;
      }
      beam[first_open].visited = true;
      const Node* const visited = record(beam[first_open].neighbor.id);
      const Neighbor* const links = links_of_record(visited);
      for (std::size_t i = 0; i < visited->n_links; ++i) notice(links[i].id);
      consider_unseen();
    }
    for (std::size_t i = 0; i < beam.size(); ++i) found[i] = beam[i].neighbor;
    return beam.size();
  }

  static constexpr std::size_t kPrefetchAhead = 4;
  /// A node's code and what lies behind it.
  void prefetch(NodeId id) const {
    const auto* const bytes = reinterpret_cast<const char*>(code_of(record(id)));
    for (std::size_t i = 0; i <= code_bytes_; i += kCacheLine) __builtin_prefetch(bytes + i);
  }

  auto between() const {
    return [this](NodeId a, NodeId b) { return distance(record(a), record(b)); };
  }

  /// Nodes may have m links too many until they are cut, so that most additions cost no pruning.
  void link_back(NodeId at, const Neighbor& neighbor, Work* work) {
    Node* const node = record(at);
    if (node->n_links == link_capacity_) prune(node, work);
    Neighbor* const links = links_of_record(node);
    Neighbor* const place = std::upper_bound(links, links + node->n_links, neighbor);
    std::move_backward(place, links + node->n_links, links + node->n_links + 1);
    *place = neighbor;
    node->n_links += 1;
  }

  void prune(Node* node, Work* work) {
    node->n_links = static_cast<std::uint32_t>(select_neighbors(links_of_record(node),
                                                                node->n_links, max_links_, factor_,
                                                                work->passed.begin(), between()));
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
  std::size_t size_ = 0, linked_ = 0;
  ArenaArray<ExtraRow> extra_rows_;

  Work* works_ = nullptr;
  std::size_t n_works_ = 0;

  // Of a batch, by its nodes.
  Neighbor* found_ = nullptr;  ///< (kBatchNodes, ef + 1)
  std::size_t* n_found_ = nullptr;
  NodeId* equal_to_ = nullptr;
  BackLink* back_links_ = nullptr;  ///< (kBatchNodes · max_links)

  NodeId entries_[kMaxEntries] = {};
  std::size_t n_entries_ = 0;
};

}  // namespace nearest::core
