/// A graph on pages, as a search sees it (core/graph/search.hpp).
///
/// Contract:
///   1. A visit pins and share-locks one page, computes all it needs there and lets go: no lock is
///      held while the search thinks, and nothing is allocated under one. A page of another kind is
///      an error under the lock, which the server releases; other faults are raised after it.
///   2. What is read is checked first: a damaged page is an error, never a wild read.
///   3. The sink is told of each visited node under the lock, and only copies.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "miscadmin.h"
}

#include "core/graph/search.hpp"
#include "format/chain.hpp"
#include "format/verify.hpp"
#include "pg/am/graph/state.hpp"
#include "pg/buffer.hpp"
#include "pg/buffer_hints.hpp"
#include "pg/memory.hpp"

namespace nearest::pg::graph {

/// What a search touched.
struct SearchCounts {
  std::int64_t pages = 0;       ///< pins of index pages
  std::int64_t nodes = 0;       ///< visited
  std::int64_t link_codes = 0;  ///< scored
};

/// A query prepared for an index: borrowed by views.
struct PreparedQuery {
  core::QueryPoint point;
  core::LinkQuery link_query;
  const float* link_point;  ///< (dim) as links are coded from: rotated for all metrics
  /// For vectors that are to be inserted: the coordinate that inner product adds. Queries have 0.
  double added = 0;
};

/// Prepares a query in the current memory context. q must not be the zero vector under cosine.
PreparedQuery prepare_query(const GraphState& state, core::VectorView<float> q, bool for_insert);

/// Work space of a prepared query, which can be used again for another one.
struct QueryRoom {
  float* y;
  std::int16_t* z;
  std::uint64_t* planes;
  float* rotated;
};

/// Allocates in the current memory context.
QueryRoom make_query_room(const GraphState& state);

/// Prepares what a node's own code stands for; there are no bounds for it. code: (dim)
PreparedQuery prepare_code(const GraphState& state, const std::int8_t* code, float scale,
                           float norm, const QueryRoom& room);

/// What is wrong with a node page as a whole, or null.
inline const char* node_page_fault(Page page, const format::GraphShape& shape) {
  return format::node_page_fault(content_of(page), used_bytes(page), shape);
}

/// Sink: void visited(NodeId, const format::ConstNodeView&, const core::PointDistance&), called
/// under the page's lock; void make_room(std::size_t nodes), called before.
template <class Sink>
class PageGraph {
 public:
  PageGraph(Relation index, const GraphState* state, const PreparedQuery* query, Sink* sink,
            SearchCounts* counts, ContextArena arena)
      : index_(index), state_(state), query_(query), sink_(sink), counts_(counts), arena_(arena) {
    links_.reserve(
        arena, core::kMaxVisitsPerPage * (std::size_t{state->shape.max_links} + core::kLinkGroup));
    hints_ = BufferHints::of(index);
  }

  core::NodeRange page_of(core::NodeId id) const {
    const format::GraphShape& shape = state_->shape;
    return {id - shape.slot_of(id), shape.nodes_per_page};
  }

  /// Asks for a node that is likely to be visited soon.
  void prefetch(core::NodeId id) const {
    const format::GraphShape& shape = state_->shape;
    hints_->prefetch(shape.block_of(id),
                     format::kServerHeaderBytes + shape.node_offset(shape.slot_of(id)),
                     shape.node_bytes);
  }

  std::span<const core::Visit> visit(std::span<const core::NodeId> ids) {
    CHECK_FOR_INTERRUPTS();
    const format::GraphShape& shape = state_->shape;
    const BlockNumber block = shape.block_of(ids[0]);
    if (!hints_->has_block(index_, block)) {
      report_damaged(index_, block, "A link leads behind the index's end.");
    }
    sink_->make_room(ids.size());
    links_.clear();
    const char* fault = nullptr;
    const Buffer buffer = hints_->read(index_, block);
    with_shared_buffer(index_, buffer, block, format::PageKind::kNodes, [&](Page page) {
      fault = node_page_fault(page, shape);
      if (fault != nullptr) return;
      const format::ConstPageBytes content = content_of(page);
      const std::uint32_t n_nodes = format::at<format::NodePageHeader>(content, 0)->n_nodes;
      for (std::size_t i = 0; i < ids.size() && fault == nullptr; ++i) {
        const std::uint32_t slot = shape.slot_of(ids[i]);
        fault = slot >= n_nodes ? "A link leads to a node that is not there."
                                : visit_node(ids[i], format::node_at(content, shape, slot), i);
      }
    });
    if (fault != nullptr) report_damaged(index_, block, fault);
    counts_->pages += 1;
    counts_->nodes += static_cast<std::int64_t>(ids.size());
    return {visits_, ids.size()};
  }

  /// As of the last search.
  std::size_t n_entries() const { return entries_.size(); }

  std::span<const core::LinkEstimate> entries() {
    const format::GraphShape& shape = state_->shape;
    entries_.clear();
    BlockNumber block = state_->meta.entry_block;
    format::ChainGuard guard;
    while (block != format::kNoBlock) {
      CHECK_FOR_INTERRUPTS();
      if (!hints_->has_block(index_, block) || guard.is_ring(block)) {
        report_damaged(index_, block, "The entry table is not a chain.");
      }
      entries_.reserve(arena_, entries_.size() + shape.entries_per_page() + core::kLinkGroup);
      const char* fault = nullptr;
      BlockNumber next = format::kNoBlock;
      const Buffer buffer = hints_->read(index_, block);
      with_shared_buffer(index_, buffer, block, format::PageKind::kEntries, [&](Page page) {
        const format::ConstPageBytes content = content_of(page);
        const auto* header = format::at<format::EntryPageHeader>(content, 0);
        fault = format::entry_page_fault(content, used_bytes(page), shape);
        if (fault != nullptr) return;
        // Entries are links of the center, whose distance to the query is the query's length.
        const double from_center = query_->point.code.square;
        for (std::size_t i = 0; i * core::kLinkGroup < header->n_entries; ++i) {
          score_group(
              format::entry_group(content, shape, i),
              std::min<std::size_t>(core::kLinkGroup, header->n_entries - i * core::kLinkGroup),
              from_center, stretch(center_steering(), from_center), entries_);
        }
        next = trailer_of(page)->next;
      });
      if (fault != nullptr) report_damaged(index_, block, fault);
      counts_->pages += 1;
      block = next;
    }
    return {entries_.begin(), entries_.size()};
  }

 private:
  /// Under the lock. Returns a fault or null.
  const char* visit_node(core::NodeId id, const format::ConstNodeView& node, std::size_t place) {
    if (const char* const fault = format::node_fault(node)) return fault;
    const format::NodeHeader& header = node.header();
    const core::PointDistance distance =
        core::distance_to(state_->space, query_->point, node.code(), header.code, header.traits);
    double steering = distance.steering;
    if (query_->added > 0) {
      // |added of x - added of the node|² in place of the node's square alone.
      steering -=
          2 * query_->added * std::sqrt(core::added_square(state_->space, header.traits.norm));
      steering += query_->added * query_->added;
    }
    const std::size_t begin = links_.size();
    for (std::size_t i = 0; i * core::kLinkGroup < header.n_links; ++i) {
      score_group(node.group(i),
                  std::min<std::size_t>(core::kLinkGroup, header.n_links - i * core::kLinkGroup),
                  distance.squared, stretch(distance.steering, distance.squared), links_);
    }
    visits_[place] = {
        id, static_cast<float>(steering), {links_.begin() + begin, links_.size() - begin}};
    sink_->visited(id, node, distance);
    return nullptr;
  }

  /// What L1 searches steer by is the square of the L1 distance, link codes estimate that of the
  /// Euclidean one. The ratio of the two hardly differs between a node and its neighbors.
  float stretch(double steering, double squared) const {
    if (state_->space.metric != core::Metric::kL1) return 1;
    constexpr double kSquareOfMean = 0.6366;  // of a Gaussian's absolute value: 2 / π
    const double ratio = squared > 0 ? steering / squared : kSquareOfMean * state_->space.dim;
    return static_cast<float>(ratio);
  }

  /// Of the center.
  double center_steering() const {
    if (state_->space.metric != core::Metric::kL1) return query_->point.code.square;
    const double sum = core::absolute_norm_of({query_->point.y, state_->space.dim});
    return sum * sum;
  }

  /// Appends the estimates of a group's first n links; room was made before.
  /// squared: |q - v|² of the node v that holds the links; times: what estimates are multiplied by.
  void score_group(const format::LinkGroup& group, std::size_t n, double squared, float times,
                   core::ArenaArray<core::LinkEstimate>& out) {
    const format::GraphShape& shape = state_->shape;
    float sums[core::kLinkGroup], estimates[core::kLinkGroup], weights[core::kLinkGroup];
    core::score_link_group(shape.link_code, query_->link_query, group.words(shape), sums);
    const auto from_node = static_cast<float>(squared);
    constexpr float kLeast = 1e-30F;  // so that weights stay finite and above zero
#pragma omp simd
    for (std::size_t j = 0; j < core::kLinkGroup; ++j) {
      const float b = group.b(j);
      estimates[j] = from_node + group.a(j) - b * sums[j];
      weights[j] = 1.0F / (b * b * from_node + kLeast) + kLeast;
    }
    if (shape.has_norms) add_added(group, estimates);
    const std::size_t begin = out.size();
    out.set_size(begin + n);
    for (std::size_t j = 0; j < n; ++j) {
      out[begin + j] = {group.ids[j], estimates[j] * times, weights[j]};
    }
    counts_->link_codes += static_cast<std::int64_t>(n);
  }

  void add_added(const format::LinkGroup& group, float* estimates) const {
    for (std::size_t j = 0; j < core::kLinkGroup; ++j) {
      const double square = core::added_square(state_->space, group.norm(j));
      const double difference = std::sqrt(square) - query_->added;
      estimates[j] += static_cast<float>(query_->added > 0 ? difference * difference : square);
    }
  }

  Relation index_;
  const GraphState* state_;
  const PreparedQuery* query_;
  Sink* sink_;
  SearchCounts* counts_;
  ContextArena arena_;
  BufferHints* hints_;
  core::ArenaArray<core::LinkEstimate> links_, entries_;
  core::Visit visits_[core::kMaxVisitsPerPage];
};

}  // namespace nearest::pg::graph
