/// Is a page of a graph index consistent in itself, and if not, why?
///
/// Two depths: the faults of the first part are looked for whenever a page is used, so they are
/// cheap and find whatever would make reading or changing it unsafe. verify_page looks at every
/// field that has a checkable meaning. What needs several pages (links, chains, entries) is the
/// business of who can read them.
///
/// Any bytes may come in; nothing is read outside of the page. Faults are sentences.
#pragma once

#include "format/graph_page.hpp"

namespace nearest::format {

// On each use -------------------------------------------------------------------------------------

/// What is wrong with a metapage's content, or null. Its magic and version are known to be right.
const char* meta_fault(const GraphMeta& meta, std::size_t block_bytes) noexcept;

/// used: content bytes in use, as the page's header says; changing a page clears what lies behind.
inline const char* node_page_fault(ConstPageBytes content, std::size_t used,
                                   const GraphShape& shape) {
  const std::uint32_t n_nodes = at<NodePageHeader>(content, 0)->n_nodes;
  if (n_nodes > shape.nodes_per_page) return "A page says that it has too many nodes.";
  if (used != shape.node_offset(n_nodes)) return "A page of nodes has not the length of its nodes.";
  return nullptr;
}

/// What factors and codes are multiples of; NaN is none.
inline bool is_scale(float scale) {
  constexpr float kMost = 1e30F;
  return scale >= 0 && scale < kMost;
}

/// As far as reading a node would be unsafe or senseless.
inline const char* node_fault(const ConstNodeView& node) {
  const NodeHeader& header = node.header();
  if (header.n_links > node.shape->max_links) return "A node has too many links.";
  if (header.n_tids > node.shape->inline_tids) return "A node has too many rows.";
  if (header.state != NodeState::kLive &&
      (header.state > NodeState::kFree || header.n_tids > 0 || header.more_tids != kNoBlock)) {
    return "A node is in a state that cannot be.";
  }
  // NaN fails all of these. Errors and lengths may be infinite.
  const bool has_sizes = is_scale(header.code.scale) && header.code.error >= 0 &&
                         header.traits.norm >= 0 &&
                         header.traits.center_product > -std::numeric_limits<float>::infinity() &&
                         header.traits.center_product < std::numeric_limits<float>::infinity();
  return has_sizes ? nullptr : "A node has sizes that cannot be.";
}

inline const char* entry_page_fault(ConstPageBytes content, std::size_t used,
                                    const GraphShape& shape) {
  const auto* header = at<EntryPageHeader>(content, 0);
  if (header->n_entries > shape.entries_per_page()) {
    return "A page of the entry table says that it has too many entries.";
  }
  if (used != sizeof *header + std::size_t{shape.n_groups(header->n_entries)} * shape.group_bytes) {
    return "A page of the entry table has not the length of its entries.";
  }
  return nullptr;
}

inline const char* tid_page_fault(ConstPageBytes content, std::size_t used,
                                  const GraphShape& shape) {
  const auto* header = at<TidPageHeader>(content, 0);
  if (header->n_tids > shape.tids_per_page()) return "A page says that it has too many rows.";
  if (used != sizeof *header + header->n_tids * sizeof(Tid)) {
    return "A page of rows has not the length of its rows.";
  }
  return nullptr;
}

/// True if a table could have a row there: the server reads invalid blocks as orders to add one.
inline bool is_possible(const Tid& tid) {
  return tid.offset != 0 && (tid.block_high != 0xFFFF || tid.block_low != 0xFFFF);
}

// In full -----------------------------------------------------------------------------------------

/// The server's header of a page.
struct ServerPageHeader {
  std::uint64_t lsn;
  std::uint16_t checksum, flags;
  std::uint16_t lower, upper, special;  ///< offsets in the page
  std::uint16_t size_and_version;
  std::uint32_t prune_xid;
};
static_assert(sizeof(ServerPageHeader) == kServerHeaderBytes);

/// What is known of an index before its pages are looked at.
struct PageExpectations {
  const GraphMeta* meta;
  const GraphShape* shape;
  std::uint32_t most_row_offset;  ///< of a row in a block of the table
};

struct Fault {
  const char* what = nullptr;
  std::int32_t slot = -1;  ///< of the node on the page, if it is about one

  explicit operator bool() const { return what != nullptr; }
};

/// The server's header and our trailer. page: the whole page, aligned as a float64.
const char* frame_fault(std::span<const std::byte> page) noexcept;

/// Metapage, whole page.
Fault verify_meta_page(std::span<const std::byte> page) noexcept;

/// Any other page, whole; frame_fault included.
Fault verify_page(std::span<const std::byte> page, const PageExpectations& expected) noexcept;

/// A drift page of an index of any kind; lists: its lists, 0 for a graph.
Fault verify_drift_page(std::span<const std::byte> page, std::uint32_t lists) noexcept;

/// center: (dim), as put together of its pages, or null for none.
const char* center_fault(const GraphMeta& meta, const float* center) noexcept;

inline const PageTrailer& trailer_of(std::span<const std::byte> page) {
  return *reinterpret_cast<const PageTrailer*>(page.data() + page.size() - sizeof(PageTrailer));
}
inline ConstPageBytes content_of(std::span<const std::byte> page) {
  return page.subspan(kServerHeaderBytes, content_bytes(page.size()));
}

}  // namespace nearest::format
