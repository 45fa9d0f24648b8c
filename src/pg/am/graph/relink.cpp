#include "pg/am/graph/relink.hpp"

extern "C" {
#include "access/table.h"
#include "access/transam.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

#include <algorithm>
#include <limits>
#include <span>

#include "core/graph/params.hpp"
#include "core/graph/select_neighbors.hpp"
#include "format/chain.hpp"
#include "format/verify.hpp"
#include "pg/am/graph/back_link.hpp"
#include "pg/am/graph/entry_table.hpp"
#include "pg/am/graph/node_copy.hpp"
#include "pg/am/graph/page_space.hpp"
#include "pg/am/graph/tid_chain.hpp"
#include "pg/compat.hpp"

namespace nearest::pg::graph {
namespace {

/// A set of node ids of a range.
class NodeSet {
 public:
  void prepare(core::NodeId begin, std::size_t n) {
    begin_ = begin;
    n_ = n;
    size_ = 0;
    words_ = allocate_in<std::uint64_t>(CurrentMemoryContext, n / 64 + 1);
  }
  bool has(core::NodeId id) const {
    const std::size_t i = id - begin_;
    return i < n_ && (words_[i / 64] >> (i % 64) & 1) != 0;
  }
  void add(core::NodeId id) {
    const std::size_t i = id - begin_;
    words_[i / 64] |= std::uint64_t{1} << (i % 64);
    ++size_;
  }
  std::size_t size() const { return size_; }

 private:
  core::NodeId begin_ = 0;
  std::size_t n_ = 0, size_ = 0;
  std::uint64_t* words_ = nullptr;
};

/// A node that may take the place of one that leaves.
struct Candidate {
  core::NodeId id;
  float estimate;  ///< of its squared distance
};

class Remover {
 public:
  Remover(const IndexVacuumInfo* info, const GraphState& state, Relation heap)
      : info_(info),
        index_(info->index),
        state_(state),
        shape_(state.shape),
        coder_(&state),
        room_(make_query_room(state)),
        other_room_(make_query_room(state)),
        work_context_(
            AllocSetContextCreate(CurrentMemoryContext, "hnsw relink", ALLOCSET_DEFAULT_SIZES)) {
    page_ = static_cast<Page>(palloc(BLCKSZ));
    node_ = {static_cast<std::byte*>(palloc(shape_.node_bytes)), &shape_};
    other_ = {static_cast<std::byte*>(palloc(shape_.node_bytes)), &shape_};
    GetOldestNonRemovableTransactionId(heap);  // brings the horizon up to date
    horizon_ = GlobalVisTestFor(heap);
  }

  void run(IndexBulkDeleteResult* stats) {
    n_blocks_ = RelationGetNumberOfBlocks(index_);
    drop_empty_pages(index_, shape_, {format::kNullRowsOwner, 0});
    drop_empty_pages(index_, shape_, {format::kZeroRowsOwner, 0});
    // One bit a node; an index whose nodes do not fit at once is gone through in ranges.
    const std::size_t bytes = static_cast<std::size_t>(maintenance_work_mem) * 1024;
    const auto blocks_at_once = static_cast<BlockNumber>(
        std::min<std::size_t>(n_blocks_, 8 * bytes / shape_.nodes_per_page + 1));
    for (BlockNumber begin = kMetaBlock + 1; begin < n_blocks_; begin += blocks_at_once) {
      remove_range(begin, std::min(n_blocks_, begin + blocks_at_once), stats);
      if (n_blocks_ - begin <= blocks_at_once) break;
    }
    if (!is_pending_) set_has_emptied(index_, false);
    ereport(info_->message_level,
            (errmsg("index \"%s\": removed %zu emptied nodes, replaced %zu links to them, added "
                    "%zu entries",
                    RelationGetRelationName(index_), n_removed_, n_replaced_, n_new_entries_),
             is_pending_ ? errdetail("Further emptied nodes wait for transactions to end.") : 0));
  }

 private:
  void remove_range(BlockNumber begin, BlockNumber end, IndexBulkDeleteResult* stats) {
    MemoryContext before = MemoryContextSwitchTo(
        AllocSetContextCreate(work_context_, "hnsw emptied nodes", ALLOCSET_DEFAULT_SIZES));
    leaving_.prepare(shape_.node_id(begin, 0), std::size_t{end - begin} * shape_.nodes_per_page);
    for (BlockNumber block = begin; block < end; ++block) collect(block);
    range_arena_ = ContextArena{CurrentMemoryContext};
    if (leaving_.size() > 0) {
      replace_entries();
      // Before links to leaving nodes go: wherever this is interrupted, what keeps a live node can
      // itself be reached.
      for (BlockNumber block = begin; block < end; ++block) give_away_page(block);
      for (BlockNumber block = kMetaBlock + 1; block < n_blocks_; ++block) relink_page(block);
      for (BlockNumber block = begin; block < end; ++block) free_page_nodes(block);
      n_removed_ += leaving_.size();
      stats->pages_deleted = static_cast<BlockNumber>(n_removed_);
    }
    const MemoryContext range_context = MemoryContextSwitchTo(before);
    MemoryContextDelete(range_context);
  }

  // Reading ---------------------------------------------------------------------------------------

  /// For the passes over all pages; nodes met on the way are read as searches read them.
  Buffer read_next(BlockNumber block) const {
    return ReadBufferExtended(index_, MAIN_FORKNUM, block, RBM_NORMAL, info_->strategy);
  }

  /// Nodes of a page under its lock; 0 if it is of another kind.
  std::uint32_t n_nodes(BlockNumber block, Page page) const {
    if (!is_page_of_kind(page, format::PageKind::kNodes)) return 0;
    if (const char* const fault = node_page_fault(page, shape_)) {
      report_damaged(index_, block, fault);
    }
    return format::at<format::NodePageHeader>(content_of(page), 0)->n_nodes;
  }

  format::NodeView node(BlockNumber block, Page page, std::uint32_t slot) const {
    const format::NodeView view = format::node_at(content_of(page), shape_, slot);
    if (const char* const fault = format::node_fault(as_const(view))) {
      report_damaged(index_, block, fault);
    }
    return view;
  }

  static format::ConstNodeView as_const(const format::NodeView& node) {
    return {node.bytes, node.shape};
  }

  static core::NodeId link_of(const format::ConstNodeView& node, std::size_t i) {
    return node.group(i / core::kLinkGroup).ids[i % core::kLinkGroup];
  }

  bool links_to_leaving(const format::ConstNodeView& node) const {
    for (std::size_t i = 0; i < node.header().n_links; ++i) {
      if (leaving_.has(link_of(node, i))) return true;
    }
    return false;
  }

  /// Copies a node; to: (node_bytes). False if it is not there.
  bool read_node(core::NodeId id, std::byte* to) const {
    const BlockNumber block = shape_.block_of(id);
    if (block >= RelationGetNumberOfBlocks(index_)) {
      report_damaged(index_, block, "A link leads behind the index's end.");
    }
    const Buffer buffer = ReadBuffer(index_, block);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    const bool is_there = shape_.slot_of(id) < n_nodes(block, page);
    if (is_there) std::memcpy(to, node(block, page, shape_.slot_of(id)).bytes, shape_.node_bytes);
    UnlockReleaseBuffer(buffer);
    return is_there;
  }

  // Which nodes leave -----------------------------------------------------------------------------

  bool is_removable(std::uint64_t stamp) const {
    return GlobalVisTestIsRemovableFullXid(horizon_, FullTransactionIdFromU64(stamp));
  }

  void collect(BlockNumber block) {
    delay_vacuum();
    const Buffer buffer = read_next(block);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    if (PageIsNew(page) || is_page_of_kind(page, format::PageKind::kFree)) {
      record_free_page(block);
    }
    ChainOwner owners[format::kMostNodesPerPage];
    std::size_t n_owners = 0;
    for (std::uint32_t slot = 0; slot < n_nodes(block, page); ++slot) {
      const format::NodeHeader& header = node(block, page, slot).header();
      if (header.more_tids == format::kNoBlock || n_owners == format::kMostNodesPerPage) continue;
      owners[n_owners++] = {shape_.node_id(block, slot), header.version};
    }
    if (n_owners > 0) {
      LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
      for (std::size_t i = 0; i < n_owners; ++i) drop_chain(owners[i]);
      LockBuffer(buffer, BUFFER_LOCK_SHARE);
    }
    bool has_room = false;
    const std::uint32_t n = n_nodes(block, page);
    for (std::uint32_t slot = 0; slot < n; ++slot) {
      const format::NodeHeader& header = node(block, page, slot).header();
      has_room |= header.state == format::NodeState::kFree;
      if (header.state == format::NodeState::kLive) some_live_ = shape_.node_id(block, slot);
      if (header.state != format::NodeState::kEmptied) continue;
      if (is_removable(header.hash)) {
        leaving_.add(shape_.node_id(block, slot));
      } else {
        is_pending_ = true;
      }
    }
    has_room |= n > 0 && n < shape_.nodes_per_page;
    UnlockReleaseBuffer(buffer);
    if (has_room) record_room(index_, block, Room::kNode);
  }

  void record_free_page(BlockNumber block) const { record_room(index_, block, Room::kPage); }

  /// Gives a chain's empty pages back, and empties its node if there is nothing left.
  void drop_chain(const ChainOwner& owner) {
    if (drop_empty_pages(index_, shape_, owner)) return;
    const BlockNumber block = shape_.block_of(owner.id);
    with_exclusive_page(index_, block, format::PageKind::kNodes, [&](Page page) {
      if (shape_.slot_of(owner.id) >= n_nodes(block, page)) return false;
      format::NodeHeader& header = node(block, page, shape_.slot_of(owner.id)).header();
      const bool is_empty = header.version == owner.version && header.n_tids == 0 &&
                            header.more_tids == format::kNoBlock &&
                            header.state == format::NodeState::kLive;
      if (is_empty) mark_emptied(header, emptied_stamp());
      return is_empty;
    });
  }

  // Entries ---------------------------------------------------------------------------------------

  /// Entries that leave give way to nodes near them. Leaves all entries that stay in entries_.
  ///
  /// An insert may add a node to the table that is chosen here just now. Both then stay, which does
  /// searches no harm, until the next time.
  void replace_entries() {
    entries_ = {};
    format::ChainGuard guard;
    for (BlockNumber block = state_.meta.entry_block; block != format::kNoBlock;) {
      delay_vacuum();
      if (guard.is_ring(block)) report_damaged(index_, block, "The entry table is not a chain.");
      const EntryPage page = read_entry_page(index_, state_, block);
      for (std::size_t i = 0; i < page.n; ++i) entries_.push_back(range_arena_, page.ids[i]);
      block = page.next;
    }
    std::sort(entries_.begin(), entries_.end());
    core::ArenaArray<core::NodeId> doubles = take_doubles();
    const std::size_t wanted =
        core::entry_count(std::size_t{n_blocks_} * shape_.nodes_per_page - leaving_.size());
    std::size_t n_left = entries_.size();
    for (BlockNumber block = state_.meta.entry_block; block != format::kNoBlock;) {
      const EntryPage page = read_entry_page(index_, state_, block);
      for (std::size_t i = 0; i < page.n; ++i) {
        delay_vacuum();
        if (core::NodeId* const again = std::find(doubles.begin(), doubles.end(), page.ids[i]);
            again != doubles.end()) {
          *again = core::kNoNode;
          replace_entry(block, page.ids[i], core::kNoNode);
          continue;
        }
        if (!leaving_.has(page.ids[i])) continue;
        const bool is_spare =
            n_left > kMostEntriesTimes * wanted || (n_left > wanted && links_to_entry(page.ids[i]));
        const core::NodeId next = is_spare ? core::kNoNode : successor(page.ids[i]);
        if (next == core::kNoNode) --n_left;
        replace_entry(block, page.ids[i], next);
        if (next != core::kNoNode) note_entry(next);
      }
      block = page.next;
    }
  }

  /// Takes out of entries_, and returns, what is there once more.
  core::ArenaArray<core::NodeId> take_doubles() {
    core::ArenaArray<core::NodeId> doubles;
    std::size_t n = 0;
    for (const core::NodeId id : entries_) {
      if (n > 0 && entries_[n - 1] == id) {
        doubles.push_back(range_arena_, id);
      } else {
        entries_[n++] = id;
      }
    }
    entries_.set_size(n);
    return doubles;
  }

  bool is_entry(core::NodeId id) const {
    return std::binary_search(entries_.begin(), entries_.end(), id);
  }

  void note_entry(core::NodeId id) {
    const std::ptrdiff_t place =
        std::lower_bound(entries_.begin(), entries_.end(), id) - entries_.begin();
    entries_.push_back(range_arena_, id);
    std::rotate(entries_.begin() + place, entries_.end() - 1, entries_.end());
  }

  void replace_entry(BlockNumber block, core::NodeId from, core::NodeId to) {
    CodedLink link{};
    if (to != core::kNoNode && !read_node(to, node_.bytes)) to = core::kNoNode;
    if (to != core::kNoNode) {
      const format::NodeHeader& header = node_.header();
      link = coder_.encode_entry(
          coder_.decode(node_.code(), header.code.scale, header.traits.norm, room_.y));
    }
    graph::replace_entry(index_, state_, block, from, to, link);
    if (to != core::kNoNode) lower_rank(to);
  }

  /// Lets an entry keep what its predecessor kept. Entries need none that keeps them, and whom they
  /// keep already has a higher rank all the same.
  void lower_rank(core::NodeId id) {
    const BlockNumber block = shape_.block_of(id);
    with_exclusive_page(index_, block, format::PageKind::kNodes, [&](Page page) {
      if (shape_.slot_of(id) >= n_nodes(block, page)) return false;
      format::NodeHeader& header = node(block, page, shape_.slot_of(id)).header();
      if (header.state == format::NodeState::kFree) return false;
      header.set_rank(0);
      return true;
    });
  }

  /// Whether a search that begins at an entry beside would come by here.
  bool links_to_entry(core::NodeId id) {
    if (!read_node(id, node_.bytes)) return true;
    for (std::size_t i = 0; i < node_.header().n_links; ++i) {
      const core::NodeId other = link_of(as_const(node_), i);
      if (!leaving_.has(other) && is_entry(other)) return true;
    }
    return false;
  }

  /// The nearest live node that one that leaves links to, else one that is some links away; any
  /// live node if there is none near.
  core::NodeId successor(core::NodeId id) {
    core::NodeId around[kMostLeavingRead];
    std::size_t n = 0;
    around[n++] = id;
    for (std::size_t i = 0; i < n; ++i) {
      if (!read_node(around[i], node_.bytes)) continue;
      core::NodeId nearest = core::kNoNode;
      float least = std::numeric_limits<float>::infinity();
      for (std::size_t j = 0; j < node_.header().n_links; ++j) {
        const core::NodeId other = link_of(as_const(node_), j);
        if (leaving_.has(other)) {
          if (n < kMostLeavingRead && std::find(around, around + n, other) == around + n) {
            around[n++] = other;
          }
          continue;
        }
        // B is in proportion to the link's length.
        const float b = node_.group(j / core::kLinkGroup).b(j % core::kLinkGroup);
        if (b < least && !is_entry(other) && is_live(other)) {
          nearest = other;
          least = b;
        }
      }
      if (nearest != core::kNoNode) return nearest;
    }
    const bool use_any = some_live_ != core::kNoNode && !is_entry(some_live_);
    return use_any ? some_live_ : core::kNoNode;
  }

  bool is_live(core::NodeId id) const {
    return read_node(id, other_.bytes) && other_.header().state == format::NodeState::kLive;
  }

  // Links -----------------------------------------------------------------------------------------

  /// What is to become of one link that leads to a node that leaves.
  struct Replacement {
    std::uint32_t slot;
    std::uint32_t version;  ///< of the node that holds it
    core::NodeId from, to;  ///< to: kNoNode if nothing takes its place
    core::LinkFactors factors;
    float norm;
    std::uint64_t* words;
  };

  void relink_page(BlockNumber block) {
    delay_vacuum();
    const Buffer buffer = read_next(block);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    bool has_any = false;
    for (std::uint32_t slot = 0; slot < n_nodes(block, page) && !has_any; ++slot) {
      const format::NodeView view = node(block, page, slot);
      has_any = !leaving_.has(shape_.node_id(block, slot)) && links_to_leaving(as_const(view));
    }
    if (has_any) std::memcpy(page_, page, BLCKSZ);
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    if (has_any) {
      const MemoryContext before = MemoryContextSwitchTo(work_context_);
      core::ArenaArray<Replacement> replacements;
      for (std::uint32_t slot = 0; slot < n_nodes(block, page_); ++slot) {
        const format::NodeView view = node(block, page_, slot);
        if (leaving_.has(shape_.node_id(block, slot))) continue;
        if (links_to_leaving(as_const(view))) {
          plan_node(shape_.node_id(block, slot), as_const(view), replacements);
        }
      }
      apply(block, buffer, replacements);
      MemoryContextSwitchTo(before);
      MemoryContextResetOnly(work_context_);
    }
    ReleaseBuffer(buffer);
  }

  /// Chooses what takes the places of a node's links to nodes that leave: among what those link to,
  /// by the estimates that their pages give, as a build would choose.
  void plan_node(core::NodeId id, const format::ConstNodeView& view,
                 core::ArenaArray<Replacement>& replacements) {
    const format::NodeHeader& header = view.header();
    const std::size_t dim = shape_.link_code.dim;
    const ContextArena arena{work_context_};
    auto* const z = static_cast<std::int8_t*>(palloc(dim));
    const NodeCopy own = copy_node(id, view, z);
    const PreparedQuery query = prepare_code(state_, own.z, own.code.scale, own.traits.norm, room_);

    core::NodeId leaving[kMostLeavingRead];
    std::size_t n_leaving = 0, n_places = 0;
    for (std::size_t i = 0; i < header.n_links; ++i) {
      const core::NodeId other = link_of(view, i);
      if (!leaving_.has(other)) continue;
      ++n_places;
      if (n_leaving < kMostLeavingRead) leaving[n_leaving++] = other;
    }
    core::ArenaArray<Candidate> candidates;
    const std::size_t wanted = n_places + kSpareCandidates;
    for (std::size_t i = 0; i < n_leaving; ++i) {
      gather(id, view, query, leaving[i], arena, candidates);
      if (i + 1 < n_leaving || candidates.size() >= wanted) continue;
      // Where a whole region leaves, what it links to in turn.
      n_leaving = more_leaving(leaving, n_leaving, i);
    }
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
      return a.estimate < b.estimate || (a.estimate == b.estimate && a.id < b.id);
    });
    choose(own, view, query, candidates, n_places, replacements);
  }

  /// Appends what the node that was read last, leaving[last], links to and leaves too.
  std::size_t more_leaving(core::NodeId* leaving, std::size_t n, std::size_t last) const {
    if (!read_node(leaving[last], other_.bytes)) return n;
    for (std::size_t i = 0; i < other_.header().n_links && n < kMostLeavingRead; ++i) {
      const core::NodeId other = link_of(as_const(other_), i);
      if (leaving_.has(other) && std::find(leaving, leaving + n, other) == leaving + n) {
        leaving[n++] = other;
      }
    }
    return n;
  }

  /// Adds what a leaving node links to, with estimates of the distance to the query.
  void gather(core::NodeId id, const format::ConstNodeView& view, const PreparedQuery& query,
              core::NodeId from, ContextArena arena, core::ArenaArray<Candidate>& candidates) {
    if (!read_node(from, other_.bytes)) return;
    const format::ConstNodeView gone = as_const(other_);
    const format::NodeHeader& header = gone.header();
    const double squared = core::l2_squared_to(query.point.code, gone.code(), header.code.scale,
                                               header.code.square, shape_.link_code.dim);
    const HeldLinks held(state_, gone, query, squared);
    for (std::size_t i = 0; i < header.n_links; ++i) {
      const core::NodeId other = link_of(gone, i);
      if (other == id || leaving_.has(other) || is_linked(view, other)) continue;
      Candidate* const known = std::find_if(candidates.begin(), candidates.end(),
                                            [&](const Candidate& c) { return c.id == other; });
      if (known != candidates.end()) {
        known->estimate = (known->estimate + held.to_new(i)) / 2;
      } else {
        candidates.push_back(arena, {other, held.to_new(i)});
      }
    }
  }

  static bool is_linked(const format::ConstNodeView& view, core::NodeId id) {
    for (std::size_t i = 0; i < view.header().n_links; ++i) {
      if (link_of(view, i) == id) return true;
    }
    return false;
  }

  /// Candidates whose pages are read: those not covered by a link first, then the nearest.
  void choose(const NodeCopy& own, const format::ConstNodeView& view, const PreparedQuery& query,
              const core::ArenaArray<Candidate>& candidates, std::size_t n_places,
              core::ArenaArray<Replacement>& replacements) {
    const std::size_t dim = shape_.link_code.dim;
    const std::size_t most = std::min(candidates.size(), n_places + kSpareCandidates);
    auto* const read = static_cast<NodeCopy*>(palloc((most + 1) * sizeof(NodeCopy)));
    auto* const distances = static_cast<float*>(palloc((most + 1) * sizeof(float)));
    auto* const chosen = static_cast<std::size_t*>(palloc((most + 1) * sizeof(std::size_t)));
    auto* const passed = static_cast<std::size_t*>(palloc((most + 1) * sizeof(std::size_t)));
    std::size_t n_read = 0, n_chosen = 0, n_passed = 0;
    for (std::size_t i = 0; i < most && n_chosen < n_places; ++i) {
      if (!is_live(candidates[i].id)) continue;  // leaves it in other_
      read[n_read] =
          copy_node(candidates[i].id, as_const(other_), static_cast<std::int8_t*>(palloc(dim)));
      distances[n_read] = static_cast<float>(squared_between(state_, own, read[n_read]));
      const bool is_covered =
          is_covered_by_links(own, view, read[n_read], distances[n_read]) ||
          std::any_of(chosen, chosen + n_chosen, [&](std::size_t j) {
            return distances[j] < distances[n_read] &&
                   core::kPruneFactorSquared *
                           static_cast<float>(squared_between(state_, read[j], read[n_read])) <
                       distances[n_read];
          });
      (is_covered ? passed[n_passed++] : chosen[n_chosen++]) = n_read;
      ++n_read;
    }
    for (std::size_t i = 0; i < n_passed && n_chosen < n_places; ++i)
      chosen[n_chosen++] = passed[i];

    const LinkPoint point{query.link_point, own.traits.norm};
    std::size_t next = 0;
    for (std::size_t i = 0; i < view.header().n_links; ++i) {
      if (!leaving_.has(link_of(view, i))) continue;
      Replacement replacement{
          shape_.slot_of(own.id), own.version, link_of(view, i), core::kNoNode, {}, 0, nullptr};
      if (next < n_chosen) encode(point, read[chosen[next++]], &replacement);
      replacements.push_back(ContextArena{work_context_}, replacement);
    }
  }

  /// Whether the links of a node that stay lead nearer to another than the node itself does.
  bool is_covered_by_links(const NodeCopy& own, const format::ConstNodeView& view,
                           const NodeCopy& other, float distance) {
    const PreparedQuery query =
        prepare_code(state_, other.z, other.code.scale, other.traits.norm, other_room_);
    const double squared =
        core::l2_squared_between(own.z, own.code.scale, own.code.square, other.z, other.code.scale,
                                 other.code.square, shape_.link_code.dim);
    const HeldLinks held(state_, view, query, squared);
    for (std::size_t i = 0; i < view.header().n_links; ++i) {
      if (!leaving_.has(link_of(view, i)) && held.covers(i, distance)) return true;
    }
    return false;
  }

  void encode(const LinkPoint& from, const NodeCopy& to, Replacement* replacement) {
    const std::size_t n_words = shape_.link_code.code_words() * core::kLinkGroup;
    const LinkPoint point = coder_.decode(to.z, to.code.scale, to.traits.norm, other_room_.y);
    const CodedLink link = coder_.encode(from, point);
    replacement->to = to.id;
    replacement->factors = link.factors;
    replacement->norm = link.norm;
    replacement->words = static_cast<std::uint64_t*>(palloc(n_words * sizeof(std::uint64_t)));
    std::copy(link.words, link.words + n_words, replacement->words);
  }

  void apply(BlockNumber block, Buffer buffer, const core::ArenaArray<Replacement>& replacements) {
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    change_page(index_, buffer, 0, [&](Page page) {
      std::size_t n_changed = 0;
      for (const Replacement& replacement : replacements) {
        if (replacement.slot >= n_nodes(block, page)) continue;
        const format::NodeView view = node(block, page, replacement.slot);
        if (view.header().version == replacement.version) n_changed += apply_one(view, replacement);
      }
      n_replaced_ += n_changed;
      return n_changed > 0;
    });
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
  }

  /// Changes a link if it is still there; returns how many were changed.
  std::size_t apply_one(const format::NodeView& view, const Replacement& replacement) {
    format::NodeHeader& header = view.header();
    const format::ConstNodeView before = as_const(view);
    std::size_t place = 0;
    while (place < header.n_links && link_of(before, place) != replacement.from) ++place;
    if (place == header.n_links) return 0;
    format::LinkGroup& group = view.group(place / core::kLinkGroup);
    if (replacement.to != core::kNoNode && !is_linked(before, replacement.to)) {
      const CodedLink link{replacement.factors, replacement.norm, replacement.words};
      store_link(shape_, group, place % core::kLinkGroup, replacement.to, link);
    } else {
      const std::size_t last = header.n_links - std::size_t{1};
      format::copy_link(shape_, view.group(last / core::kLinkGroup), last % core::kLinkGroup, group,
                        place % core::kLinkGroup);
      header.n_links -= 1;
    }
    return 1;
  }

  // Freeing ---------------------------------------------------------------------------------------

  void free_page_nodes(BlockNumber block) {
    delay_vacuum();
    if (!has_leaving(block)) return;
    with_exclusive_page(index_, block, format::PageKind::kNodes, [&](Page page) {
      for (std::uint32_t slot = 0; slot < n_nodes(block, page); ++slot) {
        format::NodeHeader& header = node(block, page, slot).header();
        const bool leaves = leaving_.has(shape_.node_id(block, slot)) &&
                            header.state == format::NodeState::kEmptied;
        if (!leaves) continue;
        header.state = format::NodeState::kFree;
        header.n_links = 0;
        header.hash = 0;
      }
      return true;
    });
    record_room(index_, block, Room::kNode);
  }

  bool has_leaving(BlockNumber block) const {
    for (std::uint32_t slot = 0; slot < shape_.nodes_per_page; ++slot) {
      if (leaving_.has(shape_.node_id(block, slot))) return true;
    }
    return false;
  }

  // Kept links ------------------------------------------------------------------------------------

  void give_away_page(BlockNumber block) {
    delay_vacuum();
    for (std::uint32_t slot = 0; slot < shape_.nodes_per_page; ++slot) {
      const core::NodeId id = shape_.node_id(block, slot);
      if (!leaving_.has(id)) continue;
      const MemoryContext before = MemoryContextSwitchTo(work_context_);
      give_away_kept(id);
      MemoryContextSwitchTo(before);
      MemoryContextResetOnly(work_context_);
    }
  }

  /// Gives the nodes that a leaving one keeps reachable to others.
  void give_away_kept(core::NodeId id) {
    if (!read_node(id, node_.bytes)) return;
    core::NodeId kept[format::kMostLinks], others[format::kMostLinks];
    std::size_t n_kept = 0, n_others = 0;
    for (std::size_t i = 0; i < node_.header().n_links; ++i) {
      const core::NodeId other = link_of(as_const(node_), i);
      if (leaving_.has(other)) continue;
      others[n_others++] = other;
      const bool is_kept = node_.group(i / core::kLinkGroup).is_kept(i % core::kLinkGroup);
      if (is_kept && !is_entry(other)) kept[n_kept++] = other;
    }
    for (std::size_t i = 0; i < n_kept; ++i) adopt(kept[i], {others, n_others});
  }

  /// Makes one of a node's neighbors keep a link to it, else one of others that are near.
  void adopt(core::NodeId id, std::span<const core::NodeId> others) {
    if (!read_node(id, node_.bytes)) return;
    if (node_.header().state == format::NodeState::kFree) return;
    const NodeCopy child =
        copy_node(id, as_const(node_), static_cast<std::int8_t*>(palloc(shape_.link_code.dim)));
    const PreparedQuery query =
        prepare_code(state_, child.z, child.code.scale, child.traits.norm, room_);
    for (std::size_t i = 0; i < node_.header().n_links; ++i) {
      const core::NodeId other = link_of(as_const(node_), i);
      if (!leaving_.has(other) && keep_link(other, child, query)) return;
    }
    for (const core::NodeId other : others) {
      if (other != id && keep_link(other, child, query)) return;
    }
    add_entry(index_, state_, id, coder_.encode_entry({query.link_point, child.traits.norm}));
    lower_rank(id);
    note_entry(id);
    n_new_entries_ += 1;
  }

  /// Makes node `from` keep a link to the child, a new one if it has none. False if it cannot.
  bool keep_link(core::NodeId from, const NodeCopy& child, const PreparedQuery& query) {
    if (!read_node(from, other_.bytes) || !can_keep(as_const(other_), child.rank)) return false;
    const NodeCopy parent =
        copy_node(from, as_const(other_), static_cast<std::int8_t*>(palloc(shape_.link_code.dim)));
    const CodedLink link =
        coder_.encode(coder_.decode(parent.z, parent.code.scale, parent.traits.norm, other_room_.y),
                      {query.link_point, child.traits.norm});
    const double squared =
        core::l2_squared_between(parent.z, parent.code.scale, parent.code.square, child.z,
                                 child.code.scale, child.code.square, shape_.link_code.dim);
    const auto distance = static_cast<float>(squared_between(state_, parent, child));
    const BlockNumber block = shape_.block_of(from);
    bool is_kept = false;
    with_exclusive_page(index_, block, format::PageKind::kNodes, [&](Page page) {
      if (shape_.slot_of(from) >= n_nodes(block, page)) return false;
      const format::NodeView to = node(block, page, shape_.slot_of(from));
      is_kept = to.header().version == parent.version &&
                to.header().state == format::NodeState::kLive &&
                keep_link_on(to, child, link, query, squared, distance);
      return is_kept;
    });
    return is_kept;
  }

  bool keep_link_on(const format::NodeView& to, const NodeCopy& child, const CodedLink& link,
                    const PreparedQuery& query, double squared, float distance) {
    const format::NodeHeader& header = to.header();
    const format::ConstNodeView before = as_const(to);
    if (!can_keep(before, child.rank)) return false;
    std::size_t place = 0;
    while (place < header.n_links && link_of(before, place) != child.id) ++place;
    const bool is_new = place == header.n_links;
    if (is_new && header.n_links == shape_.max_links) {
      place = HeldLinks(state_, before, query, squared).place_for(distance, true);
      if (place == kNoPlace) return false;
    }
    if (is_new) put_link(to, place, child.id, link);
    to.group(place / core::kLinkGroup).set_kept(place % core::kLinkGroup, true);
    return true;
  }

  const IndexVacuumInfo* info_;
  Relation index_;
  const GraphState& state_;
  const format::GraphShape& shape_;
  LinkCoder coder_;
  QueryRoom room_, other_room_;
  MemoryContext work_context_;
  Page page_;                      ///< a copy
  format::NodeView node_, other_;  ///< copies
  GlobalVisState* horizon_;
  BlockNumber n_blocks_ = 0;
  ContextArena range_arena_{};  ///< for what follows
  NodeSet leaving_;
  core::ArenaArray<core::NodeId> entries_;  ///< sorted
  core::NodeId some_live_ = core::kNoNode;
  bool is_pending_ = false;
  std::size_t n_removed_ = 0, n_replaced_ = 0, n_new_entries_ = 0;

  static constexpr std::size_t kMostLeavingRead = 64, kSpareCandidates = 4;
  /// Where regions are far apart, so many times more entries than otherwise.
  static constexpr std::size_t kMostEntriesTimes = 4;
};
static_assert(std::is_trivially_destructible_v<Remover>);

}  // namespace

std::uint64_t emptied_stamp() { return U64FromFullTransactionId(ReadNextFullTransactionId()) - 1; }

void set_has_emptied(Relation index, bool has_emptied) {
  with_exclusive_page(index, kMetaBlock, format::PageKind::kMeta, [&](Page page) {
    auto* const meta = format::at<format::GraphMeta>(content_of(page), 0);
    if ((meta->has_emptied != 0) == has_emptied) return false;
    meta->has_emptied = has_emptied ? 1 : 0;
    return true;
  });
}

void remove_emptied_nodes(const IndexVacuumInfo* info, const GraphState& state,
                          IndexBulkDeleteResult* stats) {
  const Relation heap = table_open(info->index->rd_index->indrelid, NoLock);
  auto* const remover = new (palloc(sizeof(Remover))) Remover(info, state, heap);
  remover->run(stats);
  table_close(heap, NoLock);
}

}  // namespace nearest::pg::graph
