#include "pg/am/graph/insert.hpp"

extern "C" {
#include "miscadmin.h"
#include "utils/memutils.h"
}

#include <algorithm>
#include <cmath>

#include "core/graph/keep_links.hpp"
#include "core/graph/params.hpp"
#include "core/graph/select_neighbors.hpp"
#include "core/graph/settle_space.hpp"
#include "pg/am/common/drift_sample.hpp"
#include "pg/am/graph/back_link.hpp"
#include "pg/am/graph/entry_table.hpp"
#include "pg/am/graph/link_writer.hpp"
#include "pg/am/graph/node_copy.hpp"
#include "pg/am/graph/node_place.hpp"
#include "pg/am/graph/page_graph.hpp"
#include "pg/am/graph/row_figures.hpp"
#include "pg/am/graph/tid_chain.hpp"

namespace nearest::pg::graph {
namespace {

/// A visited node that may become a neighbor.
struct Met {
  NodeCopy node;
  float distance;  ///< to the new row, as the graph sees it
};

struct MetSink {
  ContextArena arena;
  const GraphState* state;
  double added;  ///< of the new row
  core::ArenaArray<Met> met;
  std::int8_t* codes = nullptr;  ///< room for the codes of the next visits
  std::size_t room = 0;

  void make_room(std::size_t nodes) {
    met.reserve(arena, met.size() + nodes > met_capacity_ ? met_capacity_ = 2 * (met.size() + nodes)
                                                          : met_capacity_);
    if (room < nodes) {
      room = std::max<std::size_t>(nodes, 32);
      codes = static_cast<std::int8_t*>(arena.allocate(room * state->shape.link_code.dim));
    }
  }

  void visited(core::NodeId id, const format::ConstNodeView& node,
               const core::PointDistance& distance) {
    const std::size_t dim = state->shape.link_code.dim;
    const format::NodeHeader& header = node.header();
    if (header.state != format::NodeState::kLive) return;  // nothing new links to it
    double between = distance.squared;
    if (state->space.metric == core::Metric::kL1) {
      between = distance.value / state->space.unit;
    } else if (state->space.metric == core::Metric::kInnerProduct) {
      const double difference =
          added - std::sqrt(core::added_square(state->space, header.traits.norm));
      between += difference * difference;
    }
    const std::size_t n = met.size();
    met.set_size(n + 1);
    met[n] = {copy_node(id, node, codes), static_cast<float>(between)};
    codes += dim;
    --room;
  }

 private:
  std::size_t met_capacity_ = 0;
};

/// One insertion: what it knows, in one place.
class Inserter {
 public:
  Inserter(Relation index, const GraphState* state, const RowVector& row, ItemPointer heap_tid)
      : index_(index),
        state_(state),
        row_(row),
        tid_(to_tid(*heap_tid)),
        arena_{CurrentMemoryContext},
        coder_(state) {}

  /// figures: of the row, if asked.
  void run(core::RowFigures* figures) {
    const std::size_t dim = state_->shape.link_code.dim;
    auto* const y = static_cast<float*>(palloc(dim * sizeof(float)));
    z_ = static_cast<std::int8_t*>(palloc(dim));
    point_ = core::place_point(state_->space, row_.x, y, z_);
    auto* const link_y = static_cast<float*>(palloc(dim * sizeof(float)));
    link_point_ = coder_.decode(z_, point_.code.scale, point_.traits.norm, link_y);
    query_ = prepare_query(*state_, row_.x, true);
    if (figures != nullptr) *figures = figures_of(state_->space, row_.x, y, point_);
    if (!search()) return;  // an equal vector's node took the row
    choose_links();
    decode_links();
    choose_rank();
    const core::NodeId id = place_node(index_, state_->shape, compose_node());
    const bool is_linked = link_back(id);
    if (!is_linked || becomes_entry(id)) {
      add_entry(index_, *state_, id, coder_.encode_entry(link_point_));
    }
    if (figures != nullptr && point_.is_coded && !sink_.met.empty()) {
      figures->set(core::Figure::kNeighborDistance,
                   length_of(state_->space, sink_.met[0].distance));
    }
  }

 private:
  using View = PageGraph<MetSink>;

  /// Finds near nodes. False if one of them is of an equal vector and has taken the row.
  bool search() {
    // An equal vector is found by a short search; only if there is none, the search goes on.
    constexpr std::size_t kShortWidth = 8;
    const std::size_t width = state_->meta.ef_construction;
    SearchCounts counts;
    sink_.arena = arena_;
    sink_.state = state_;
    sink_.added = query_.added;
    auto* const view =
        new (palloc(sizeof(View))) View(index_, state_, &query_, &sink_, &counts, arena_);
    core::GraphSearch<View, ContextArena> search{};
    search.begin(*view, arena_, std::min(kShortWidth, width), state_->shape.max_links);
    search.run(*view, arena_);
    if (join_equal(0)) return false;
    const std::size_t met = sink_.met.size();
    // Further if nodes that VACUUM emptied fill the beam: they cannot become neighbors.
    constexpr std::size_t kMostTimes = 4;
    for (std::size_t wider = width; wider > kShortWidth && wider <= kMostTimes * width;
         wider += width) {
      if (wider > width && sink_.met.size() >= width) break;
      if (!search.widen(arena_, wider)) break;
      search.run(*view, arena_);
    }
    if (join_equal(met)) return false;
    n_entries_ = view->n_entries();
    std::sort(sink_.met.begin(), sink_.met.end(), [](const Met& a, const Met& b) {
      return a.distance < b.distance || (a.distance == b.distance && a.node.id < b.node.id);
    });
    return true;
  }

  /// Gives the row to a node of an equal vector, if there is one from the begin-th met on.
  bool join_equal(std::size_t begin) {
    for (std::size_t i = begin; i < sink_.met.size(); ++i) {
      const NodeCopy& met = sink_.met[i].node;
      const bool is_equal = met.hash == row_.hash && met.code.scale == point_.code.scale &&
                            std::memcmp(met.z, z_, state_->shape.link_code.dim) == 0;
      if (is_equal && join(met)) return true;
    }
    return false;
  }

  /// Adds the row to the node of an equal vector. False if the node is not there any more.
  bool join(const NodeCopy& met) {
    const format::GraphShape& shape = state_->shape;
    bool is_there = false;
    const bool joined = change_node(met, [&](const format::NodeView& node) {
      format::NodeHeader& header = node.header();
      is_there = true;
      const bool has_room = header.n_tids < shape.inline_tids;
      // Equal hashes, not surely equal rows.
      const bool is_worse = header.code.error < point_.code.error;
      if (is_worse) header.code.error = point_.code.error;
      if (has_room) node.tids()[header.n_tids++] = tid_;
      row_is_in_ = has_room;
      return has_room || is_worse;
    });
    if (joined && row_is_in_) return true;
    return is_there && add_to_tid_chain(index_, shape, {met.id, met.version}, tid_);
  }

  /// Changes a live node of the version that was met, as one WAL record. change(NodeView) works on
  /// a copy and returns whether to keep it. False if nothing was changed.
  template <class Change>
  bool change_node(const NodeCopy& met, Change&& change) {
    const format::GraphShape& shape = state_->shape;
    const BlockNumber block = shape.block_of(met.id);
    const std::uint32_t slot = shape.slot_of(met.id);
    const char* fault = nullptr;
    const bool changed =
        with_exclusive_page(index_, block, format::PageKind::kNodes, [&](Page page) {
          fault = node_page_fault(page, shape);
          if (fault != nullptr) return false;
          const format::PageBytes content = content_of(page);
          if (slot >= format::at<format::NodePageHeader>(content, 0)->n_nodes) return false;
          const format::NodeView node = format::node_at(content, shape, slot);
          fault = format::node_fault(format::ConstNodeView{node.bytes, node.shape});
          if (fault != nullptr) return false;
          const format::NodeHeader& header = node.header();
          if (header.version != met.version || header.state != format::NodeState::kLive) {
            return false;
          }
          return change(node);
        });
    if (fault != nullptr) report_damaged(index_, block, fault);
    return changed;
  }

  void choose_links() {
    const std::size_t n = sink_.met.size();
    auto* const candidates = static_cast<core::Neighbor*>(palloc((n + 1) * sizeof(core::Neighbor)));
    auto* const passed = static_cast<core::Neighbor*>(palloc((n + 1) * sizeof(core::Neighbor)));
    for (std::size_t i = 0; i < n; ++i) {
      candidates[i] = {sink_.met[i].distance, static_cast<core::NodeId>(i)};  // ids are places here
    }
    const float factor =
        state_->space.metric == core::Metric::kL1 ? core::kPruneFactor : core::kPruneFactorSquared;
    n_links_ = core::select_neighbors(candidates, n, state_->shape.max_links, factor, passed,
                                      [&](core::NodeId a, core::NodeId b) {
                                        return distance_between(*state_, sink_.met[a].node,
                                                                sink_.met[b].node);
                                      });
    links_ = candidates;
  }

  const NodeCopy& chosen(std::size_t i) const { return sink_.met[links_[i].id].node; }

  /// The chosen nodes' points, which the links in both directions are coded from.
  void decode_links() {
    const std::size_t dim = state_->shape.link_code.dim;
    auto* const y = static_cast<float*>(palloc((n_links_ * dim + 1) * sizeof(float)));
    points_ = static_cast<LinkPoint*>(palloc((n_links_ + 1) * sizeof(LinkPoint)));
    for (std::size_t i = 0; i < n_links_; ++i) {
      const NodeCopy& met = chosen(i);
      points_[i] = coder_.decode(met.z, met.code.scale, met.traits.norm, y + i * dim);
    }
  }

  /// A rank that lets the nearest neighbor keep the new node; where ranks have become very high, as
  /// after millions of rows that follow each other, the lowest of the neighbors.
  void choose_rank() {
    if (n_links_ == 0) return;
    const NodeCopy* parent = &chosen(0);
    for (std::size_t i = 1; i < n_links_ && chosen(0).rank > core::kMostRank / 2; ++i) {
      if (chosen(i).rank < parent->rank) parent = &chosen(i);
    }
    rank_ = core::rank_after(parent->rank, row_.hash);
  }

  /// The new node as it will lie on its page.
  const std::byte* compose_node() {
    const format::GraphShape& shape = state_->shape;
    auto* const bytes = static_cast<std::byte*>(palloc0(shape.node_bytes));
    const format::NodeView node{bytes, &shape};
    format::NodeHeader& header = node.header();
    header.hash = row_.hash;
    header.code = point_.code;
    header.traits = point_.traits;
    header.n_tids = 1;
    header.set_rank(rank_);
    node.tids()[0] = tid_;
    std::memcpy(node.code(), z_, shape.link_code.dim);
    for (std::size_t i = 0; i < n_links_; ++i) {
      put_link(node, i, chosen(i).id, coder_.encode(link_point_, points_[i]));
    }
    return bytes;
  }

  bool becomes_entry(core::NodeId id) const {
    const std::size_t nodes =
        std::size_t{RelationGetNumberOfBlocks(index_)} * state_->shape.nodes_per_page;
    const std::uint64_t mixed = (row_.hash ^ id) * 0x9E37'79B9'7F4A'7C15U;
    return static_cast<double>(mixed >> 11) * 0x1p-53 < core::entry_chance(nodes, n_entries_);
  }

  /// Makes chosen neighbors link back. The nearest one that can keeps its link for good, so that
  /// the new node can be reached; the others link back if that makes their links better. False if
  /// none keeps it.
  bool link_back(core::NodeId id) {
    bool is_kept = false;
    for (std::size_t i = 0; i < n_links_; ++i) {
      CHECK_FOR_INTERRUPTS();
      is_kept |= link_back_from(i, id, !is_kept);
    }
    return is_kept;
  }

  /// Whether the i-th now keeps the new node, which it is only asked for if `keep`.
  bool link_back_from(std::size_t i, core::NodeId id, bool keep) {
    const format::GraphShape& shape = state_->shape;
    const NodeCopy& met = chosen(i);
    const CodedLink link = coder_.encode(points_[i], link_point_);
    bool is_kept = false;
    const bool is_linked = change_node(met, [&](const format::NodeView& node) {
      is_kept = keep && can_keep({node.bytes, node.shape}, rank_);
      std::size_t place = node.header().n_links;
      if (place == shape.max_links) place = place_for(node, links_[i].distance, is_kept);
      if (place == kNoPlace) return false;
      put_link(node, place, id, link);
      node.group(place / core::kLinkGroup).set_kept(place % core::kLinkGroup, is_kept);
      return true;
    });
    return is_linked && is_kept;
  }

  std::size_t place_for(const format::NodeView& node, float distance, bool keep) const {
    const format::NodeHeader& header = node.header();
    const double own_squared =
        core::distance_to(state_->space, query_.point, node.code(), header.code, header.traits)
            .squared;
    const HeldLinks held(*state_, {node.bytes, node.shape}, query_, own_squared);
    // L1 distances and the squares of link codes do not compare: links are weighed by squares.
    const bool is_l1 = state_->space.metric == core::Metric::kL1;
    return held.place_for(is_l1 ? static_cast<float>(own_squared) : distance, keep);
  }

  Relation index_;
  const GraphState* state_;
  const RowVector& row_;
  format::Tid tid_;
  ContextArena arena_;
  LinkCoder coder_;
  std::int8_t* z_ = nullptr;
  core::PlacedPoint point_{};
  LinkPoint link_point_{};
  PreparedQuery query_{};
  MetSink sink_{};
  bool row_is_in_ = false;
  std::size_t n_entries_ = 0;        ///< of the graph
  core::Neighbor* links_ = nullptr;  ///< chosen: places in sink_.met
  std::size_t n_links_ = 0;
  LinkPoint* points_ = nullptr;  ///< of the chosen
  std::uint32_t rank_ = 0;
};
static_assert(std::is_trivially_destructible_v<Inserter>);

/// An index without nodes takes its sizes from the first row, and inner product goes on with those
/// of rows that are longer. Loads the state anew if they change.
void settle_by_row(Relation index, GraphState** state, const RowVector& row) {
  const format::GraphMeta& known = (*state)->meta;
  if (known.has_constant_sizes()) return;
  const double norm = core::norm_of(row.x);
  if (known.settled != format::Settled::kNot && !core::outgrows(norm, known.longest, known.unit)) {
    return;
  }
  with_exclusive_page(index, kMetaBlock, format::PageKind::kMeta, [&](Page page) {
    auto* const meta = format::at<format::GraphMeta>(content_of(page), 0);
    const bool is_first = meta->settled == format::Settled::kNot;
    if (!is_first && !core::outgrows(norm, meta->longest, meta->unit)) return false;
    const core::SpaceSizes sizes = core::sizes_by_row(meta->metric, norm);
    if (is_first) meta->unit = sizes.unit;  // codes are in units
    meta->longest = sizes.longest;
    meta->query_norm = sizes.query_norm;
    meta->settled = format::Settled::kByRow;
    return true;
  });
  *state = load_state(index);
}

}  // namespace

bool insert_row(Relation index, GraphState** state, const RowVector& row, ItemPointer heap_tid,
                core::RowFigures* figures) {
  switch (row.place) {
    case RowPlace::kNullRows:
      add_to_tid_chain(index, (*state)->shape, {format::kNullRowsOwner, 0}, to_tid(*heap_tid));
      return false;
    case RowPlace::kZeroRows:
      add_to_tid_chain(index, (*state)->shape, {format::kZeroRowsOwner, 0}, to_tid(*heap_tid));
      return false;
    case RowPlace::kGraph:
      break;
  }
  settle_by_row(index, state, row);
  Inserter(index, *state, row, heap_tid).run(figures);
  return true;
}

bool insert(Relation index, Datum* values, bool* is_null, ItemPointer heap_tid, Relation /*heap*/,
            IndexUniqueCheck /*check_unique*/, bool /*index_unchanged*/, IndexInfo* info) {
  // The state is kept for the statement; what one row needs is not.
  struct Cache {
    GraphState* state;
    MemoryContext row_context;
  };
  auto* cache = static_cast<Cache*>(info->ii_AmCache);
  if (cache == nullptr) {
    const MemoryContext before = MemoryContextSwitchTo(info->ii_Context);
    cache = allocate_in<Cache>(info->ii_Context);
    cache->row_context =
        AllocSetContextCreate(info->ii_Context, "hnsw insert", ALLOCSET_DEFAULT_SIZES);
    cache->state = load_state(index);
    info->ii_AmCache = cache;
    MemoryContextSwitchTo(before);
  }
  const MemoryContext before = MemoryContextSwitchTo(cache->row_context);
  const RowVector row =
      read_row_vector(cache->state->meta.metric, cache->state->meta.dim, values[0], is_null[0]);
  GraphState* state = cache->state;
  const bool is_sampled = format::is_drift_sampled(to_tid(*heap_tid));
  core::RowFigures figures;
  if (insert_row(index, &state, row, heap_tid, is_sampled ? &figures : nullptr) && is_sampled) {
    add_drift_row(index, state->meta.drift_block, 0, {figures, 0});
  }
  if (state != cache->state) {
    MemoryContextSwitchTo(info->ii_Context);
    cache->state = load_state(index);
  }
  MemoryContextSwitchTo(before);
  MemoryContextReset(cache->row_context);
  return false;
}

}  // namespace nearest::pg::graph
