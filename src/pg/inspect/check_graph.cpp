#include "pg/inspect/check_graph.hpp"

extern "C" {
#include "miscadmin.h"
}

#include <algorithm>
#include <cstring>

#include "format/chain.hpp"
#include "format/drift_page.hpp"
#include "pg/am/graph/state.hpp"
#include "pg/am/graph/tid_chain.hpp"
#include "pg/inspect/check_pages.hpp"

namespace nearest::pg {
namespace {

using core::NodeId;
using format::Fault;
using format::PageKind;

class Checker {
 public:
  Checker(Relation heap, Relation index) : index_(index), reader_(index), rows_(heap) {
    page_ = static_cast<std::byte*>(palloc(BLCKSZ));
    other_page_ = static_cast<std::byte*>(palloc(BLCKSZ));
    third_page_ = static_cast<std::byte*>(palloc(BLCKSZ));
  }

  void run() {
    check_meta();
    n_blocks_ = std::max<BlockNumber>(RelationGetNumberOfBlocks(index_), 1);  // read one just now
    kinds_ = allocate_in<PageKind>(CurrentMemoryContext, n_blocks_);
    counts_ = allocate_in<std::uint16_t>(CurrentMemoryContext, n_blocks_);
    queue_ = allocate_in<BlockNumber>(CurrentMemoryContext, n_blocks_);
    led_to_.prepare(n_blocks_);
    queued_.prepare(n_blocks_);
    reached_.prepare(std::size_t{n_blocks_} * shape_.nodes_per_page);
    expanded_.prepare(std::size_t{n_blocks_} * shape_.nodes_per_page);

    check_center();
    check_drift();
    for (BlockNumber block = graph::kMetaBlock + 1; block < n_blocks_; ++block) note_page(block);
    check_entries();
    // After the pages: both chains as they are now.
    const format::GraphMeta now = graph::read_meta(index_);
    found_.null_rows = check_rows(graph::kMetaBlock, {}, now.null_rows, null_rows_owner());
    found_.zero_rows = check_rows(graph::kMetaBlock, {}, now.zero_rows, zero_rows_owner());
    for (BlockNumber block = graph::kMetaBlock + 1; block < n_blocks_; ++block) {
      if (kinds_[block] == PageKind::kNodes) check_nodes(block);
    }
    walk_links();
    check_unused();
    if (static_cast<std::uint64_t>(found_.nodes) < meta_.built_nodes) {
      raise(graph::kMetaBlock, {"There are fewer nodes than the index was built with."});
    }
    found_.nodes -= found_.free_nodes;
    found_.unreachable_nodes = found_.nodes - n_reached_;
  }

  GraphFindings findings() const {
    GraphFindings found = found_;
    found.blocks = n_blocks_;
    found.shape = shape_;
    return found;
  }

 private:
  [[noreturn]] void raise(BlockNumber block, const Fault& fault) const {
    reader_.raise(block, fault);
  }
  WholePage read(BlockNumber block, std::byte* to) const { return reader_.read(block, to); }

  /// Copies a page that something leads to, and verifies it.
  WholePage read_kind(BlockNumber from, Fault at, BlockNumber block, PageKind kind,
                      std::byte* to) const {
    if (block == format::kNoBlock || block >= RelationGetNumberOfBlocks(index_)) {
      raise(from, {"It leads to a page that is not there.", at.slot});
    }
    const WholePage page = read(block, to);
    if (const Fault fault = format::verify_page(page, expected_)) raise(block, fault);
    if (format::trailer_of(page).kind != kind) {
      raise(from, {"It leads to a page of another kind.", at.slot});
    }
    return page;
  }

  void check_meta() {
    const WholePage page = read(graph::kMetaBlock, page_);
    if (const Fault fault = format::verify_meta_page(page)) raise(graph::kMetaBlock, fault);
    meta_ = graph::read_meta(index_);  // also compares it with the catalogs
    shape_ = format::shape_of(meta_, BLCKSZ);
    expected_ = {&meta_, &shape_, rows_.most_offset()};
  }

  void check_center() {
    float* center = nullptr;
    std::uint32_t have = 0;
    BlockNumber from = graph::kMetaBlock, block = meta_.center_block;
    if (block != format::kNoBlock) center = allocate_in<float>(CurrentMemoryContext, meta_.dim);
    while (block != format::kNoBlock) {
      const WholePage page = read_kind(from, {}, block, PageKind::kCenter, page_);
      const format::ConstPageBytes content = format::content_of(page);
      const std::uint32_t n = format::at<format::CenterPageHeader>(content, 0)->n_floats;
      if (n > meta_.dim - have) raise(block, {"The center has too many dimensions."});
      std::memcpy(center + have, content.data() + sizeof(format::CenterPageHeader),
                  n * sizeof(float));
      have += n;
      if (block < n_blocks_) led_to_.add(block);
      from = block;
      block = format::trailer_of(page).next;
    }
    if (center != nullptr && have != meta_.dim) raise(from, {"The center is not complete."});
    if (const char* const fault = format::center_fault(meta_, center)) {
      raise(center == nullptr ? graph::kMetaBlock : meta_.center_block, {fault});
    }
  }

  void check_drift() {
    const WholePage page =
        read_kind(graph::kMetaBlock, {}, meta_.drift_block, PageKind::kDrift, page_);
    if (format::at<format::DriftPage>(format::content_of(page), 0)->built_rows <
        meta_.built_nodes) {
      raise(meta_.drift_block, {"It knows fewer rows than the index was built with."});
    }
  }

  /// Verifies a page by itself and notes what it is.
  void note_page(BlockNumber block) {
    const WholePage page = read(block, page_);
    if (is_unused(reader_, block, page)) {
      found_.unused_blocks += 1;
      return;
    }
    if (const Fault fault = format::verify_page(page, expected_)) raise(block, fault);
    kinds_[block] = format::trailer_of(page).kind;
    const format::ConstPageBytes content = format::content_of(page);
    switch (kinds_[block]) {
      case PageKind::kNodes:
        if (meta_.settled == format::Settled::kNot) {
          // The first node came after the metapage was read, or there should be none.
          meta_ = graph::read_meta(index_);
          if (meta_.settled == format::Settled::kNot)
            raise(block, {"A node is in an index without nodes."});
        }
        counts_[block] = format::at<format::NodePageHeader>(content, 0)->n_nodes;
        found_.node_blocks += 1;
        found_.nodes += counts_[block];
        break;
      case PageKind::kTids:
        counts_[block] = format::at<format::TidPageHeader>(content, 0)->n_tids;
        break;
      case PageKind::kEntries:
        counts_[block] = format::at<format::EntryPageHeader>(content, 0)->n_entries;
        break;
      case PageKind::kCenter:
        found_.center_blocks += 1;
        if (!led_to_.has(block)) raise(block, {"A part of the center is not in its chain."});
        break;
      case PageKind::kDrift:
        if (block != meta_.drift_block) raise(block, {"Nothing leads to the page."});
        break;
      case PageKind::kFree:
        found_.unused_blocks += 1;
        break;
      case PageKind::kMeta:  // and those of inverted files: not verified above
      case PageKind::kFloats:
      case PageKind::kCentroids:
      case PageKind::kDirectory:
      case PageKind::kList:
      case PageKind::kCold:
        break;
    }
  }

  bool is_node(NodeId id) {
    const BlockNumber block = shape_.block_of(id);
    const std::uint32_t slot = shape_.slot_of(id);
    if (block < n_blocks_ && kinds_[block] == PageKind::kNodes && slot < counts_[block])
      return true;
    if (block == graph::kMetaBlock || block >= RelationGetNumberOfBlocks(index_)) return false;
    // Inserted after its page was noted, or not there.
    const WholePage page = read(block, other_page_);
    return !format::verify_page(page, expected_) &&
           format::trailer_of(page).kind == PageKind::kNodes &&
           slot < format::at<format::NodePageHeader>(format::content_of(page), 0)->n_nodes;
  }

  void check_entries() {
    format::ChainGuard guard;
    BlockNumber from = graph::kMetaBlock, block = meta_.entry_block;
    do {
      const WholePage page = read_kind(from, {}, block, PageKind::kEntries, page_);
      if (guard.is_ring(block)) raise(from, {"The entry table is not a chain."});
      const format::ConstPageBytes content = format::content_of(page);
      const std::uint32_t n = format::at<format::EntryPageHeader>(content, 0)->n_entries;
      for (std::uint32_t i = 0; i < n; ++i) {
        const NodeId id =
            format::entry_group(content, shape_, i / core::kLinkGroup).ids[i % core::kLinkGroup];
        if (!is_node(id)) raise(block, {"An entry names a node that is not there."});
        // An insert and a VACUUM that choose the same node at once name it twice.
        if (!is_noted(id) || reach(id)) found_.entries += 1;
      }
      found_.entry_blocks += 1;
      if (block < n_blocks_) led_to_.add(block);
      from = block;
      block = format::trailer_of(page).next;
    } while (block != format::kNoBlock);
  }

  void check_row_places(BlockNumber block, Fault at, const format::Tid* tids, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      if (!rows_.has(tids[i])) raise(block, {"A row is behind the table's end.", at.slot});
    }
  }

  static graph::ChainOwner null_rows_owner() { return {format::kNullRowsOwner, 0}; }
  static graph::ChainOwner zero_rows_owner() { return {format::kZeroRowsOwner, 0}; }

  /// Where the chain of an owner begins now; kNoBlock if there is none.
  BlockNumber first_row_page(graph::ChainOwner owner) {
    if (owner.id == format::kNullRowsOwner) return graph::read_meta(index_).null_rows;
    if (owner.id == format::kZeroRowsOwner) return graph::read_meta(index_).zero_rows;
    if (!is_node(owner.id)) return format::kNoBlock;
    const WholePage page = read(shape_.block_of(owner.id), other_page_);
    const format::NodeHeader& header =
        format::node_at(format::content_of(page), shape_, shape_.slot_of(owner.id)).header();
    return header.version == owner.version ? header.more_tids : format::kNoBlock;
  }

  /// What is wrong with a page as the next one of a chain, whose serials fall; copies it.
  const char* row_page_fault(BlockNumber block, graph::ChainOwner owner, std::uint32_t below,
                             std::byte* to) const {
    if (block >= RelationGetNumberOfBlocks(index_)) return "It leads to a page that is not there.";
    const WholePage page = read(block, to);
    if (const Fault fault = format::verify_page(page, expected_)) raise(block, fault);
    if (format::trailer_of(page).kind != PageKind::kTids) {
      return "It leads to a page of another kind.";
    }
    const auto* header = format::at<format::TidPageHeader>(format::content_of(page), 0);
    if (header->owner != owner.id || header->version != owner.version) {
      return "It leads to a page of rows of another node.";
    }
    return header->serial < below ? nullptr : "The pages of rows are not a chain.";
  }

  /// Whether the chain still leads from one page, or from its owner, to another one.
  bool is_next(graph::ChainOwner owner, bool is_first, BlockNumber from, BlockNumber block) {
    if (is_first) return first_row_page(owner) == block;
    constexpr std::uint32_t kAny = std::numeric_limits<std::uint32_t>::max();
    return row_page_fault(from, owner, kAny, third_page_) == nullptr &&
           format::trailer_of(WholePage{third_page_, BLCKSZ}).next == block;
  }

  /// Follows the rows of an owner, which is in the page `from`; returns their number.
  std::int64_t check_rows(BlockNumber from, Fault at, BlockNumber block, graph::ChainOwner owner) {
    std::int64_t rows = 0;
    std::uint32_t below = std::numeric_limits<std::uint32_t>::max();
    for (bool is_first = true; block != format::kNoBlock; is_first = false) {
      if (const char* const fault = row_page_fault(block, owner, below, other_page_)) {
        if (is_next(owner, is_first, from, block)) raise(from, {fault, at.slot});
        break;  // VACUUM was here: what follows is not looked at
      }
      const WholePage page{other_page_, BLCKSZ};
      const format::ConstPageBytes content = format::content_of(page);
      const auto* header = format::at<format::TidPageHeader>(content, 0);
      if (block < n_blocks_) led_to_.add(block);
      below = header->serial;
      check_row_places(block, {}, format::at<format::Tid>(content, sizeof *header), header->n_tids);
      rows += header->n_tids;
      found_.row_blocks += 1;
      from = block;
      at = {};
      block = format::trailer_of(page).next;
    }
    return rows;
  }

  /// The second look at a page of nodes: what they lead to.
  void check_nodes(BlockNumber block) {
    const WholePage page = read_kind(block, {}, block, PageKind::kNodes, page_);
    const format::ConstPageBytes content = format::content_of(page);
    for (std::uint32_t slot = 0; slot < counts_[block]; ++slot) {
      const format::ConstNodeView node = format::node_at(content, shape_, slot);
      const format::NodeHeader& header = node.header();
      const NodeId id = shape_.node_id(block, slot);
      if (header.state == format::NodeState::kFree) {
        found_.free_nodes += 1;
        continue;
      }
      const Fault at{nullptr, static_cast<std::int32_t>(slot)};
      NodeId ids[format::kMostLinks];
      for (std::uint32_t i = 0; i < header.n_links; ++i) {
        ids[i] = node.group(i / core::kLinkGroup).ids[i % core::kLinkGroup];
        if (ids[i] == id) raise(block, {"A node links to itself.", at.slot});
        // Nodes stay where they are, whatever becomes of them.
        if (!is_node(ids[i])) raise(block, {"A link leads to a node that is not there.", at.slot});
      }
      std::sort(ids, ids + header.n_links);
      if (std::adjacent_find(ids, ids + header.n_links) != ids + header.n_links) {
        raise(block, {"A node links to another one twice.", at.slot});
      }
      check_row_places(block, at, node.tids(), header.n_tids);
      const std::int64_t rows =
          header.n_tids + check_rows(block, at, header.more_tids, {id, header.version});
      found_.rows += rows;
      found_.emptied_nodes += rows == 0 ? 1 : 0;
      found_.links += header.n_links;
    }
    expand(block, content);
  }

  bool is_noted(NodeId id) const {
    const BlockNumber block = shape_.block_of(id);
    return block < n_blocks_ && kinds_[block] == PageKind::kNodes &&
           shape_.slot_of(id) < counts_[block];
  }

  /// Marks a noted node as reached; false if it was already.
  bool reach(NodeId id) {
    if (!reached_.add(id)) return false;
    n_reached_ += 1;
    const BlockNumber block = shape_.block_of(id);
    if (queued_.add(block)) {
      queue_[(queue_begin_ + queue_size_) % n_blocks_] = block;
      queue_size_ += 1;
    }
    return true;
  }

  /// Reaches the neighbors of a page's reached nodes.
  void expand(BlockNumber block, format::ConstPageBytes content) {
    for (std::uint32_t slot = 0; slot < counts_[block]; ++slot) {
      const NodeId id = shape_.node_id(block, slot);
      if (!reached_.has(id) || !expanded_.add(id)) continue;
      const format::ConstNodeView node = format::node_at(content, shape_, slot);
      for (std::uint32_t i = 0; i < node.header().n_links; ++i) {
        const NodeId other = node.group(i / core::kLinkGroup).ids[i % core::kLinkGroup];
        if (is_noted(other)) reach(other);
      }
    }
  }

  bool has_open_nodes(BlockNumber block) const {
    for (std::uint32_t slot = 0; slot < counts_[block]; ++slot) {
      const NodeId id = shape_.node_id(block, slot);
      if (reached_.has(id) && !expanded_.has(id)) return true;
    }
    return false;
  }

  /// Goes on from what the pass in block order reached.
  void walk_links() {
    while (queue_size_ > 0) {
      const BlockNumber block = queue_[queue_begin_];
      queue_begin_ = (queue_begin_ + 1) % n_blocks_;
      queue_size_ -= 1;
      queued_.remove(block);
      if (!has_open_nodes(block)) continue;
      expand(block, format::content_of(read_kind(block, {}, block, PageKind::kNodes, page_)));
    }
  }

  /// An insert that was interrupted leaves a page with the one row or entry that it brought.
  void check_unused() {
    for (BlockNumber block = graph::kMetaBlock + 1; block < n_blocks_; ++block) {
      const bool is_chained =
          kinds_[block] == PageKind::kTids || kinds_[block] == PageKind::kEntries;
      if (!is_chained || led_to_.has(block)) continue;
      if (counts_[block] > 1 && is_lost(block)) raise(block, {"Nothing leads to the page."});
      found_.unused_blocks += 1;
    }
  }

  /// Whether a page is still one of a chain, but in none: it may have been in another one when that
  /// was followed, or be free by now.
  bool is_lost(BlockNumber block) {
    if (kinds_[block] == PageKind::kEntries) return true;  // these never leave their chain
    const WholePage page = read(block, page_);
    if (PageIsNew(reinterpret_cast<Page>(page_)) ||
        format::trailer_of(page).kind != PageKind::kTids) {
      return false;
    }
    const auto* header = format::at<format::TidPageHeader>(format::content_of(page), 0);
    const graph::ChainOwner owner{header->owner, header->version};
    std::uint32_t below = std::numeric_limits<std::uint32_t>::max();
    BlockNumber at = first_row_page(owner);
    while (at != format::kNoBlock && at != block &&
           row_page_fault(at, owner, below, other_page_) == nullptr) {
      const WholePage other{other_page_, BLCKSZ};
      below = format::at<format::TidPageHeader>(format::content_of(other), 0)->serial;
      at = format::trailer_of(other).next;
    }
    return at != block;
  }

  Relation index_;
  PageReader reader_;
  RowBlocks rows_;
  std::byte *page_, *other_page_, *third_page_;  ///< the others while page_ is in use
  format::GraphMeta meta_{};
  format::GraphShape shape_{};
  format::PageExpectations expected_{};
  BlockNumber n_blocks_ = 0;
  GraphFindings found_{};

  // By block, as noted.
  PageKind* kinds_ = nullptr;
  std::uint16_t* counts_ = nullptr;  ///< nodes, rows or entries
  Bits led_to_{};

  // Which nodes the entries lead to.
  Bits reached_{}, expanded_{}, queued_{};
  std::int64_t n_reached_ = 0;
  BlockNumber* queue_ = nullptr;  ///< a ring of blocks with nodes to expand, each once
  BlockNumber queue_begin_ = 0, queue_size_ = 0;
};
static_assert(std::is_trivially_destructible_v<Checker>);

}  // namespace

GraphFindings check_graph(Relation heap, Relation index) {
  auto* const checker = new (palloc(sizeof(Checker))) Checker(heap, index);
  checker->run();
  return checker->findings();
}

}  // namespace nearest::pg
