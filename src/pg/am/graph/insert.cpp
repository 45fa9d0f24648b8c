#include "pg/am/graph/insert.hpp"

extern "C" {
#include "miscadmin.h"
#include "storage/freespace.h"
#include "storage/indexfsm.h"
#include "utils/memutils.h"
}

#include <algorithm>
#include <cmath>

#include "core/graph/params.hpp"
#include "core/graph/select_neighbors.hpp"
#include "pg/am/graph/link_writer.hpp"
#include "pg/am/graph/page_graph.hpp"
#include "pg/am/graph/tid_chain.hpp"

namespace nearest::pg::graph {
namespace {

/// A visited node that may become a neighbor: a copy of what its page says.
struct Met {
  core::NodeId id;
  std::uint64_t hash;
  core::ScalarCode code;
  core::PointTraits traits;
  float distance;  ///< to the new row, as the graph sees it
  const std::int8_t* z;
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
    std::memcpy(codes, node.code(), dim);
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
    met[n] = {id, header.hash, header.code, header.traits, static_cast<float>(between), codes};
    codes += dim;
    --room;
  }

 private:
  std::size_t met_capacity_ = 0;
};

/// Between two nodes that were met, as the graph sees it.
float distance_between(const GraphState& state, const Met& a, const Met& b) {
  const std::size_t dim = state.shape.link_code.dim;
  if (state.space.metric == core::Metric::kL1) {
    return core::kernels().l1_i8(a.z, a.code.scale, b.z, b.code.scale, dim);
  }
  double squared = core::l2_squared_between(a.z, a.code.scale, a.code.square, b.z, b.code.scale,
                                            b.code.square, dim);
  if (state.space.metric == core::Metric::kInnerProduct) {
    const double difference = std::sqrt(core::added_square(state.space, a.traits.norm)) -
                              std::sqrt(core::added_square(state.space, b.traits.norm));
    squared += difference * difference;
  }
  return static_cast<float>(squared);
}

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

  void run() {
    const std::size_t dim = state_->shape.link_code.dim;
    auto* const y = static_cast<float*>(palloc(dim * sizeof(float)));
    z_ = static_cast<std::int8_t*>(palloc(dim));
    point_ = core::place_point(state_->space, row_.x, y, z_);
    auto* const link_y = static_cast<float*>(palloc(dim * sizeof(float)));
    link_point_ = coder_.decode(z_, point_.code.scale, point_.traits.norm, link_y);
    query_ = prepare_query(*state_, row_.x, true);
    if (!search()) return;  // an equal vector's node took the row
    choose_links();
    const core::NodeId id = write_node();
    if (is_first_ || becomes_entry(id)) add_entry(id);
    for (std::size_t i = 0; i < n_links_; ++i) link_back(id, i);
  }

 private:
  /// Finds near nodes. False if one of them is of an equal vector and has taken the row.
  bool search() {
    SearchCounts counts;
    sink_.arena = arena_;
    sink_.state = state_;
    sink_.added = query_.added;
    auto* const view = new (palloc(sizeof(PageGraph<MetSink>)))
        PageGraph<MetSink>(index_, state_, &query_, &sink_, &counts, arena_);
    core::GraphSearch<PageGraph<MetSink>, ContextArena> search{};
    search.begin(*view, arena_, state_->meta.ef_construction, state_->shape.max_links);
    search.run(*view, arena_);
    is_first_ = search.heard_of() == 0;
    std::sort(sink_.met.begin(), sink_.met.end(), [](const Met& a, const Met& b) {
      return a.distance < b.distance || (a.distance == b.distance && a.id < b.id);
    });
    for (const Met& met : sink_.met) {
      const bool is_equal = met.hash == row_.hash && met.code.scale == point_.code.scale &&
                            std::memcmp(met.z, z_, state_->shape.link_code.dim) == 0;
      if (is_equal && join(met.id)) return false;
    }
    return true;
  }

  /// Adds the row to the node of an equal vector. False if that is not possible after all.
  bool join(core::NodeId id) {
    const format::GraphShape& shape = state_->shape;
    BlockNumber chain = format::kNoBlock;
    bool is_full = false, joined = false;
    BlockNumber new_chain = format::kNoBlock;
    do {
      const char* fault = nullptr;
      joined =
          with_exclusive_page(index_, shape.block_of(id), format::PageKind::kNodes, [&](Page page) {
            const format::NodeView node =
                format::node_at(content_of(page), shape, shape.slot_of(id));
            fault = node_page_fault(page, shape);
            if (fault == nullptr) {
              fault = format::node_fault(format::ConstNodeView{node.bytes, node.shape});
            }
            if (fault != nullptr) return false;
            format::NodeHeader& header = node.header();
            if (header.n_tids < shape.inline_tids) {
              node.tids()[header.n_tids++] = tid_;
              header.code.error = std::max(header.code.error, point_.code.error);
              return true;
            }
            is_full = true;
            chain = header.more_tids;
            if (chain != format::kNoBlock || new_chain == format::kNoBlock) return false;
            header.more_tids = new_chain;  // which holds the row already
            header.code.error = std::max(header.code.error, point_.code.error);
            return true;
          });
      if (fault != nullptr) report_damaged(index_, shape.block_of(id), fault);
      if (joined) return true;
      if (!is_full) return false;
      if (chain != format::kNoBlock) {
        add_to_tid_chain(index_, shape, chain, id, tid_);
        return true;
      }
      new_chain = new_tid_page(index_, id, tid_);
    } while (true);
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
    n_links_ =
        core::select_neighbors(candidates, n, state_->shape.max_links, factor, passed,
                               [&](core::NodeId a, core::NodeId b) {
                                 return distance_between(*state_, sink_.met[a], sink_.met[b]);
                               });
    links_ = candidates;
  }

  /// Fills a node that is all zeros.
  void fill_node(const format::NodeView& node) {
    const format::GraphShape& shape = state_->shape;
    format::NodeHeader& header = node.header();
    header.hash = row_.hash;
    header.code = point_.code;
    header.traits = point_.traits;
    header.n_tids = 1;
    header.n_links = static_cast<std::uint8_t>(n_links_);
    node.tids()[0] = tid_;
    std::memcpy(node.code(), z_, shape.link_code.dim);
    auto* const other = static_cast<float*>(palloc(shape.link_code.dim * sizeof(float)));
    float largest_a = 0, largest_b = 0;
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t i = 0; i < n_links_; ++i) {
        const Met& met = sink_.met[links_[i].id];
        const CodedLink link = coder_.encode(
            link_point_, coder_.decode(met.z, met.code.scale, met.traits.norm, other));
        if (pass == 0) {
          largest_a = std::max(largest_a, std::fabs(link.factors.a));
          largest_b = std::max(largest_b, link.factors.b);
        } else {
          store_link(shape, *state_, node.group(i / core::kLinkGroup), i % core::kLinkGroup, met.id,
                     link, header.a_scale, header.b_scale);
        }
      }
      header.a_scale = scale_for_a(largest_a);
      header.b_scale = scale_for_b(largest_b);
    }
  }

  /// Writes the new node to a page with room; returns its id.
  core::NodeId write_node() {
    const format::GraphShape& shape = state_->shape;
    // Composed before any page is locked.
    auto* const bytes = static_cast<std::byte*>(palloc0(shape.node_bytes));
    fill_node({bytes, &shape});

    BlockNumber block = RelationGetTargetBlock(index_);
    if (block == InvalidBlockNumber) block = GetFreeIndexPage(index_);
    while (block != InvalidBlockNumber && block < RelationGetNumberOfBlocks(index_)) {
      core::NodeId id = core::kNoNode;
      if (try_page(block, bytes, &id)) return id;
      RelationSetTargetBlock(index_, InvalidBlockNumber);
      block = GetFreeIndexPage(index_);
    }
    const Buffer buffer = extend_index(index_);
    block = BufferGetBlockNumber(buffer);
    change_page(index_, buffer, GENERIC_XLOG_FULL_IMAGE, [&](Page page) {
      init_page(page, format::PageKind::kNodes);
      *format::at<format::NodePageHeader>(content_of(page), 0) = {1, {}};
      std::memcpy(content_of(page).data() + shape.node_offset(0), bytes, shape.node_bytes);
      set_used_bytes(page, shape.node_offset(1));
      return true;
    });
    UnlockReleaseBuffer(buffer);
    if (shape.nodes_per_page > 1) {
      RelationSetTargetBlock(index_, block);
      RecordFreeIndexPage(index_, block);
    }
    return shape.node_id(block, 0);
  }

  bool try_page(BlockNumber block, const std::byte* bytes, core::NodeId* id) {
    const format::GraphShape& shape = state_->shape;
    const Buffer buffer = ReadBuffer(index_, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    // The free space map is a hint: it may name any page.
    const Page old_page = BufferGetPage(buffer);
    bool has_room = is_page_of_kind(old_page, format::PageKind::kNodes) &&
                    node_page_fault(old_page, shape) == nullptr;
    std::uint16_t slot = 0;
    if (has_room) {
      slot = format::at<format::NodePageHeader>(content_of(old_page), 0)->n_nodes;
      has_room = slot < shape.nodes_per_page;
    }
    if (has_room) {
      change_page(index_, buffer, 0, [&](Page page) {
        const format::PageBytes content = content_of(page);
        std::memcpy(content.data() + shape.node_offset(slot), bytes, shape.node_bytes);
        format::at<format::NodePageHeader>(content, 0)->n_nodes = slot + 1;
        set_used_bytes(page, shape.node_offset(slot + 1U));
        return true;
      });
      *id = shape.node_id(block, slot);
    }
    UnlockReleaseBuffer(buffer);
    if (has_room)
      RelationSetTargetBlock(index_, slot + 1U < shape.nodes_per_page ? block : InvalidBlockNumber);
    return has_room;
  }

  /// About one node in twice the square root of all becomes an entry, so that the table grows as
  /// the square root does.
  bool becomes_entry(core::NodeId id) const {
    constexpr double kMostEntries = 1024;
    const double nodes =
        static_cast<double>(RelationGetNumberOfBlocks(index_)) * state_->shape.nodes_per_page;
    const double one_in = nodes < kMostEntries * kMostEntries ? 2 * std::sqrt(nodes) : nodes;
    const std::uint64_t mixed = (row_.hash ^ id) * 0x9E37'79B9'7F4A'7C15U;
    return static_cast<double>(mixed >> 11) * 0x1p-53 * one_in < 1;
  }

  void add_entry(core::NodeId id) {
    const format::GraphShape& shape = state_->shape;
    const CodedLink link = coder_.encode_entry(link_point_);
    BlockNumber block = state_->meta.entry_block;
    BlockNumber spare = format::kNoBlock;
    format::ChainGuard guard;
    bool is_again = false;  // the page that was the last one, once more
    while (true) {
      CHECK_FOR_INTERRUPTS();
      if (block >= RelationGetNumberOfBlocks(index_) || (!is_again && guard.is_ring(block))) {
        report_damaged(index_, block, "The entry table is not a chain.");
      }
      const char* fault = nullptr;
      BlockNumber next = format::kNoBlock;
      const bool changed =
          with_exclusive_page(index_, block, format::PageKind::kEntries, [&](Page page) {
            const auto* header = format::at<format::EntryPageHeader>(content_of(page), 0);
            fault = format::entry_page_fault(content_of(page), used_bytes(page), shape);
            if (fault != nullptr) return false;
            next = trailer_of(page)->next;
            if (spare == format::kNoBlock && header->n_entries < shape.entries_per_page()) {
              append_entry(page, id, link);
              return true;
            }
            if (next != format::kNoBlock || spare == format::kNoBlock) return false;
            trailer_of(page)->next = spare;
            return true;
          });
      if (fault != nullptr) report_damaged(index_, block, fault);
      if (changed) return;
      is_again = next == format::kNoBlock;
      if (next != format::kNoBlock) {
        block = next;
        continue;
      }
      const Buffer buffer = extend_index(index_);
      spare = BufferGetBlockNumber(buffer);
      change_page(index_, buffer, GENERIC_XLOG_FULL_IMAGE, [&](Page page) {
        init_page(page, format::PageKind::kEntries);
        *format::at<format::EntryPageHeader>(content_of(page), 0) = {0, 0, 0, 0, 0};
        append_entry(page, id, link);
        return true;
      });
      UnlockReleaseBuffer(buffer);
    }
  }

  void append_entry(Page page, core::NodeId id, const CodedLink& link) {
    const format::GraphShape& shape = state_->shape;
    const format::PageBytes content = content_of(page);
    auto* const header = format::at<format::EntryPageHeader>(content, 0);
    if (header->n_entries == 0) {
      // The first one sets the scales, with room for points much farther from the center.
      constexpr float kRoom = 8;
      header->a_scale = scale_for_a(kRoom * std::fabs(link.factors.a));
      header->b_scale = scale_for_b(kRoom * link.factors.b);
    }
    const std::size_t group = header->n_entries / core::kLinkGroup;
    const std::size_t column = header->n_entries % core::kLinkGroup;
    if (column == 0) {
      std::memset(static_cast<void*>(&format::entry_group(content, shape, group)), 0,
                  shape.group_bytes);
    }
    store_link(shape, *state_, format::entry_group(content, shape, group), column, id, link,
               header->a_scale, header->b_scale);
    header->n_entries += 1;
    set_used_bytes(page, sizeof *header + (group + 1) * shape.group_bytes);
  }

  /// Makes the i-th chosen neighbor link back to the new node, if that makes its links better.
  /// The nearest one always does, so that the new node can be reached.
  void link_back(core::NodeId id, std::size_t i) {
    CHECK_FOR_INTERRUPTS();
    const format::GraphShape& shape = state_->shape;
    const Met& met = sink_.met[links_[i].id];
    auto* const y = static_cast<float*>(palloc(shape.link_code.dim * sizeof(float)));
    const LinkPoint from = coder_.decode(met.z, met.code.scale, met.traits.norm, y);
    const CodedLink link = coder_.encode(from, link_point_);
    const char* fault = nullptr;
    with_exclusive_page(index_, shape.block_of(met.id), format::PageKind::kNodes, [&](Page page) {
      fault = node_page_fault(page, shape);
      if (fault != nullptr) return false;
      const format::NodeView node = format::node_at(content_of(page), shape, shape.slot_of(met.id));
      fault = format::node_fault(format::ConstNodeView{node.bytes, node.shape});
      if (fault != nullptr) return false;
      format::NodeHeader& header = node.header();
      std::size_t place = header.n_links;
      if (place == shape.max_links) {
        place = place_for(node, links_[i].distance, i == 0);
        if (place == shape.max_links) return false;
      } else {
        if (place == 0) {
          header.a_scale = scale_for_a(2 * std::fabs(link.factors.a));
          header.b_scale = scale_for_b(2 * link.factors.b);
        }
        header.n_links += 1;
      }
      store_link(shape, *state_, node.group(place / core::kLinkGroup), place % core::kLinkGroup, id,
                 link, header.a_scale, header.b_scale);
      return true;
    });
    if (fault != nullptr) report_damaged(index_, shape.block_of(met.id), fault);
    pfree(y);
  }

  /// Which link of a full node gives way to the new node x, by what the page itself knows: the
  /// lengths of its links and estimates of their distances to x. A link gives way if x lies between
  /// (it is nearer to x than to the node); the farthest such, or the farthest of all if x is nearer
  /// than that. max_links if none does.
  std::size_t place_for(const format::NodeView& node, float distance, bool must) const {
    const format::GraphShape& shape = state_->shape;
    const format::NodeHeader& header = node.header();
    const double unit_added = state_->space.longest / state_->space.unit;
    const double own_added = std::sqrt(core::added_square(state_->space, header.traits.norm));
    const core::PointDistance own =
        core::distance_to(state_->space, query_.point, node.code(), header.code, header.traits);
    // L1 distances and the squares of link codes do not compare: links are weighed by squares.
    const double to_node = state_->space.metric == core::Metric::kL1 ? own.squared : distance;
    std::size_t farthest = shape.max_links, covered = shape.max_links;
    double farthest_length = -1, covered_length = -1;
    for (std::size_t i = 0; i < shape.max_links; ++i) {
      const format::LinkGroup& group = node.group(i / core::kLinkGroup);
      const std::size_t column = i % core::kLinkGroup;
      float sums[core::kLinkGroup];
      core::score_link_group(shape.link_code, query_.link_query, group.words(shape), sums);
      const double b = static_cast<double>(header.b_scale) * group.b[column];
      double length = core::link_length_squared(shape.link_code, b);
      double to_new =
          own.squared + static_cast<double>(header.a_scale) * group.a[column] - b * sums[column];
      if (shape.has_added) {
        const double added = unit_added * std::sqrt(static_cast<double>(group.added()[column]) /
                                                    format::kLargestAdded);
        length += (added - own_added) * (added - own_added);
        to_new += (added - query_.added) * (added - query_.added);
      }
      if (length > farthest_length) {
        farthest_length = length;
        farthest = i;
      }
      if (core::kPruneFactorSquared * to_new < length && to_node < length &&
          length > covered_length) {
        covered_length = length;
        covered = i;
      }
    }
    if (covered != shape.max_links) return covered;
    return must || to_node < farthest_length ? farthest : shape.max_links;
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
  bool is_first_ = false;
  core::Neighbor* links_ = nullptr;  ///< chosen: places in sink_.met
  std::size_t n_links_ = 0;
};
static_assert(std::is_trivially_destructible_v<Inserter>);

/// Adds a row to one of the metapage's chains.
void insert_side_row(Relation index, const GraphState& state,
                     format::BlockId format::GraphMeta::*chain, core::NodeId owner,
                     const format::Tid& tid) {
  BlockNumber first = read_meta(index).*chain;
  if (first == format::kNoBlock) {
    const BlockNumber page_block = new_tid_page(index, owner, tid);
    const bool changed =
        with_exclusive_page(index, kMetaBlock, format::PageKind::kMeta, [&](Page page) {
          auto* const meta = format::at<format::GraphMeta>(content_of(page), 0);
          first = meta->*chain;
          if (first != format::kNoBlock) return false;
          meta->*chain = page_block;
          return true;
        });
    if (changed) return;
    // Another backend began the chain meanwhile; our page stays empty of meaning.
  }
  add_to_tid_chain(index, state.shape, first, owner, tid);
}

/// An index without nodes takes its sizes from the first row. Loads the state anew.
void settle_by_row(Relation index, GraphState** state, const RowVector& row) {
  const double norm = core::norm_of(row.x);
  const double length = norm > 1e-300 && norm <= core::kLongestCoded ? norm : 1;
  with_exclusive_page(index, kMetaBlock, format::PageKind::kMeta, [&](Page page) {
    auto* const meta = format::at<format::GraphMeta>(content_of(page), 0);
    if (meta->is_settled != 0) return false;
    // Later rows may be longer: more room than a build gives, which has seen them.
    constexpr double kRoom = 2;
    meta->unit = meta->metric == core::Metric::kCosine ? 1 : core::unit_near(length);
    meta->longest = kRoom * length;
    meta->query_norm = length;
    meta->is_settled = 1;
    return true;
  });
  *state = load_state(index);
}

}  // namespace

void insert_row(Relation index, GraphState** state, const RowVector& row, ItemPointer heap_tid) {
  switch (row.place) {
    case RowPlace::kNullRows:
      insert_side_row(index, **state, &format::GraphMeta::null_rows, format::kNullRowsOwner,
                      to_tid(*heap_tid));
      return;
    case RowPlace::kZeroRows:
      insert_side_row(index, **state, &format::GraphMeta::zero_rows, format::kZeroRowsOwner,
                      to_tid(*heap_tid));
      return;
    case RowPlace::kGraph:
      break;
  }
  if ((*state)->meta.is_settled == 0) settle_by_row(index, state, row);
  Inserter(index, *state, row, heap_tid).run();
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
  insert_row(index, &state, row, heap_tid);
  if (state != cache->state) {
    MemoryContextSwitchTo(info->ii_Context);
    cache->state = load_state(index);
  }
  MemoryContextSwitchTo(before);
  MemoryContextReset(cache->row_context);
  return false;
}

}  // namespace nearest::pg::graph
