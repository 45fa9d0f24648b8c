/// The pages of a graph index.
///
/// Node page: slots of equal size, so that a node's id says where it is:
/// id = block · nodes_per_page + slot.
///
///     | NodePageHeader 8 | node 0 | node 1 | ...
///
///     node:  | NodeHeader 40 | TIDs, inline_tids x 6, aligned | own code, dim, aligned | groups |
///     group of 8 links:  | ids 8 x 4 | A 8 x 2 | B 8 x 2 | norms 8 x 2, inner product only |
///                        | code words, (planes · words) x 8 x 8 |
///
/// Links are the columns of groups: word w of link j is at words[w * 8 + j], which scores eight
/// links with the registers of one and lets an insert change one column. A and B, whose meaning is
/// in core/quantize/link_code.hpp, and norms are the upper halves of float32s. B is never negative:
/// in place of its sign is the mark of a link that is kept, the one by which its target can be
/// reached for sure. From the norms of the targets follows the coordinate that inner product adds
/// (core/graph/space.hpp), whatever M has become since.
///
/// A node is born with a row. Emptied by VACUUM it still leads searches on, but nothing new links
/// to it; once nothing links to it at all it is free, and its slot goes to another node, of the
/// next version.
///
/// Entry page: the same groups, seen from the center instead of a node.
///
///     | EntryPageHeader 8 | groups |
///
/// Row page: rows of one owner, which is a node or one of the chains of the metapage. New pages are
/// put in front, so that adding a row reads one page of a chain of any length.
///
///     | TidPageHeader 16 | TIDs |
///
/// Center page:
///
///     | CenterPageHeader 8 | float32 x n |
#pragma once

#include <algorithm>
#include <bit>

#include "core/graph/candidate_table.hpp"
#include "core/quantize/link_code.hpp"
#include "format/graph_meta.hpp"

namespace nearest::format {

using core::kLinkGroup;
using core::NodeId;

struct NodePageHeader {
  std::uint16_t n_nodes;  ///< slots in use, from the first on
  std::uint16_t reserved[3];
};
static_assert(sizeof(NodePageHeader) == 8);

/// Of a node, beside its rows.
enum class NodeState : std::uint8_t {
  kLive = 0,
  kEmptied = 1,  ///< without rows, never to get any
  kFree = 2,     ///< without links to it
};

struct NodeHeader {
  /// Of the exact vector. Of an emptied node: the last transaction that can still link to it.
  std::uint64_t hash;
  core::ScalarCode code;  ///< what belongs to the own code; error in units of the space
  core::PointTraits traits;
  BlockId more_tids;    ///< first row page, or kNoBlock
  std::uint8_t n_tids;  ///< in the node itself
  std::uint8_t n_links;
  NodeState state;
  std::uint8_t rank_bytes[3];
  std::uint16_t version;  ///< counts the nodes that the slot has held

  /// See core/graph/keep_links.hpp.
  std::uint32_t rank() const {
    return rank_bytes[0] | std::uint32_t{rank_bytes[1]} << 8 | std::uint32_t{rank_bytes[2]} << 16;
  }
  void set_rank(std::uint32_t rank) {
    for (int i = 0; i < 3; ++i) rank_bytes[i] = static_cast<std::uint8_t>(rank >> (8 * i));
  }
};
static_assert(sizeof(NodeHeader) == 40);

struct EntryPageHeader {
  std::uint16_t n_entries;
  std::uint16_t reserved[3];
};
static_assert(sizeof(EntryPageHeader) == 8);

/// Links of a node at most: their number is one byte.
inline constexpr std::uint32_t kMostLinks = 254;
/// Of the shortest vectors, on the largest pages.
inline constexpr std::uint32_t kMostNodesPerPage = 256;

/// Owners of row pages that are not nodes.
inline constexpr NodeId kNullRowsOwner = 0xFFFF'FFFEU;
inline constexpr NodeId kZeroRowsOwner = 0xFFFF'FFFDU;

struct TidPageHeader {
  NodeId owner;
  std::uint32_t version;  ///< of the owner
  std::uint32_t serial;   ///< 1 for a chain's last page, rising towards its first
  std::uint16_t n_tids;
  std::uint16_t reserved;
};
static_assert(sizeof(TidPageHeader) == 16);

struct CenterPageHeader {
  std::uint16_t n_floats;
  std::uint16_t reserved[3];
};
static_assert(sizeof(CenterPageHeader) == 8);

/// A float32 of which only the upper 16 bits are kept: 8 bits are left of the mantissa, the first
/// included. Of a link's factors, which are more than exact enough with two less.
inline std::uint16_t pack_half(float x) {
  constexpr std::uint32_t kHalf = 1U << 15;
  if (!(x == x)) return 0;
  return static_cast<std::uint16_t>((std::bit_cast<std::uint32_t>(x) + kHalf) >> 16);
}
inline float unpack_half(std::uint32_t half) { return std::bit_cast<float>(half << 16); }

inline constexpr std::uint16_t kKeptLink = 0x8000;  ///< in B

/// Where the parts of nodes and pages are. Follows from a few numbers of the metapage.
struct GraphShape {
  core::LinkCodeShape link_code;
  std::uint32_t max_links;
  std::uint32_t inline_tids;
  std::uint32_t nodes_per_page;
  std::uint32_t node_bytes;
  std::uint32_t code_offset, groups_offset, group_bytes;
  std::uint32_t words_offset;  ///< in a group
  bool has_norms;              ///< groups have the norms of the links' targets
  std::uint32_t content;       ///< bytes of a page that are ours

  std::uint32_t n_groups(std::size_t links) const {
    return static_cast<std::uint32_t>((links + kLinkGroup - 1) / kLinkGroup);
  }
  std::size_t node_offset(std::uint32_t slot) const {
    return sizeof(NodePageHeader) + std::size_t{slot} * node_bytes;
  }
  std::uint32_t entries_per_page() const {
    return (content - static_cast<std::uint32_t>(sizeof(EntryPageHeader))) / group_bytes *
           static_cast<std::uint32_t>(kLinkGroup);
  }
  std::uint32_t tids_per_page() const {
    return (content - static_cast<std::uint32_t>(sizeof(TidPageHeader))) /
           static_cast<std::uint32_t>(sizeof(Tid));
  }
  std::uint32_t floats_per_page() const {
    return (content - static_cast<std::uint32_t>(sizeof(CenterPageHeader))) / 4;
  }
  BlockId block_of(NodeId id) const { return id / nodes_per_page; }
  std::uint32_t slot_of(NodeId id) const { return id % nodes_per_page; }
  NodeId node_id(BlockId block, std::uint32_t slot) const { return block * nodes_per_page + slot; }
  /// Whether ids of nodes in that block are below those of other owners: no node may lie behind.
  bool has_ids_for(BlockId block) const { return block < kZeroRowsOwner / nodes_per_page; }
};

/// A group of eight links on a page.
struct LinkGroup {
  NodeId ids[kLinkGroup];
  std::uint16_t packed_a[kLinkGroup];
  std::uint16_t packed_b[kLinkGroup];
  // Then norms, if the shape has them, and the words.

  float a(std::size_t j) const { return unpack_half(packed_a[j]); }
  float b(std::size_t j) const { return unpack_half(packed_b[j] & ~std::uint32_t{kKeptLink}); }
  bool is_kept(std::size_t j) const { return (packed_b[j] & kKeptLink) != 0; }
  /// The link is not kept then.
  void set_factors(std::size_t j, const core::LinkFactors& factors) {
    packed_a[j] = pack_half(factors.a);
    packed_b[j] = pack_half(factors.b > 0 ? factors.b : 0);
  }
  void set_kept(std::size_t j, bool kept) {
    packed_b[j] = static_cast<std::uint16_t>(kept ? packed_b[j] | kKeptLink
                                                  : packed_b[j] & ~std::uint32_t{kKeptLink});
  }
  /// (kLinkGroup), if the shape has norms.
  std::uint16_t* packed_norms() { return reinterpret_cast<std::uint16_t*>(this + 1); }
  const std::uint16_t* packed_norms() const {
    return reinterpret_cast<const std::uint16_t*>(this + 1);
  }
  float norm(std::size_t j) const { return unpack_half(packed_norms()[j]); }
  /// (code_words, kLinkGroup)
  std::uint64_t* words(const GraphShape& shape) {
    return reinterpret_cast<std::uint64_t*>(reinterpret_cast<std::byte*>(this) +
                                            shape.words_offset);
  }
  const std::uint64_t* words(const GraphShape& shape) const {
    return reinterpret_cast<const std::uint64_t*>(reinterpret_cast<const std::byte*>(this) +
                                                  shape.words_offset);
  }
};
static_assert(sizeof(LinkGroup) == 64);

/// The shape of given numbers, without a check that it fits a page.
GraphShape make_shape(std::uint32_t dim, std::uint32_t m, std::uint32_t code_bits,
                      std::uint32_t code_words, std::uint32_t inline_tids,
                      std::uint32_t nodes_per_page, std::size_t block_bytes,
                      bool has_norms) noexcept;

/// Chooses code length and nodes per page for new indexes. nodes_per_page is 0 if not even the
/// shortest code fits.
GraphShape choose_shape(std::uint32_t dim, std::uint32_t m, core::Metric metric,
                        std::size_t block_bytes) noexcept;

/// The largest dimension that choose_shape finds room for.
std::uint32_t largest_dim(std::uint32_t m, core::Metric metric, std::size_t block_bytes) noexcept;

/// The shape that a metapage describes; nodes_per_page is 0 if the numbers do not fit together.
GraphShape shape_of(const GraphMeta& meta, std::size_t block_bytes) noexcept;

/// A node on a page; borrowed.
template <class Byte>
struct BasicNodeView {
  template <class T>
  using Maybe = std::conditional_t<std::is_const_v<Byte>, const T, T>;

  Byte* bytes;
  const GraphShape* shape;

  Maybe<NodeHeader>& header() const { return *reinterpret_cast<Maybe<NodeHeader>*>(bytes); }
  Maybe<Tid>* tids() const { return reinterpret_cast<Maybe<Tid>*>(bytes + sizeof(NodeHeader)); }
  Maybe<std::int8_t>* code() const {
    return reinterpret_cast<Maybe<std::int8_t>*>(bytes + shape->code_offset);
  }
  Maybe<LinkGroup>& group(std::size_t i) const {
    return *reinterpret_cast<Maybe<LinkGroup>*>(bytes + shape->groups_offset +
                                                i * shape->group_bytes);
  }
};
using NodeView = BasicNodeView<std::byte>;
using ConstNodeView = BasicNodeView<const std::byte>;

inline NodeView node_at(PageBytes page, const GraphShape& shape, std::uint32_t slot) {
  return {page.data() + shape.node_offset(slot), &shape};
}
inline ConstNodeView node_at(ConstPageBytes page, const GraphShape& shape, std::uint32_t slot) {
  return {page.data() + shape.node_offset(slot), &shape};
}

/// Group i of an entry page.
inline LinkGroup& entry_group(PageBytes page, const GraphShape& shape, std::size_t i) {
  return *at<LinkGroup>(page, sizeof(EntryPageHeader) + i * shape.group_bytes);
}
inline const LinkGroup& entry_group(ConstPageBytes page, const GraphShape& shape, std::size_t i) {
  return *at<LinkGroup>(page, sizeof(EntryPageHeader) + i * shape.group_bytes);
}

/// Copies one link.
inline void copy_link(const GraphShape& shape, const LinkGroup& from, std::size_t from_column,
                      LinkGroup& to, std::size_t to_column) {
  to.ids[to_column] = from.ids[from_column];
  to.packed_a[to_column] = from.packed_a[from_column];
  to.packed_b[to_column] = from.packed_b[from_column];
  if (shape.has_norms) to.packed_norms()[to_column] = from.packed_norms()[from_column];
  for (std::size_t w = 0; w < shape.link_code.code_words(); ++w) {
    to.words(shape)[w * kLinkGroup + to_column] = from.words(shape)[w * kLinkGroup + from_column];
  }
}

}  // namespace nearest::format
