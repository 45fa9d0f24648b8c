#include "pg/am/graph/node_place.hpp"

#include "format/verify.hpp"
#include "pg/am/graph/page_space.hpp"
#include "pg/buffer.hpp"

namespace nearest::pg::graph {
namespace {

constexpr std::uint32_t kNoSlot = ~0U;

std::uint32_t used_slots(Page page) {
  return format::at<format::NodePageHeader>(content_of(page), 0)->n_nodes;
}

/// The first slot from `begin` on that is free or not used yet, or kNoSlot.
std::uint32_t find_slot(Page page, const format::GraphShape& shape, std::uint32_t begin) {
  const std::uint32_t used = used_slots(page);
  for (std::uint32_t slot = begin; slot < used; ++slot) {
    const format::NodeHeader& header = format::node_at(content_of(page), shape, slot).header();
    if (header.state == format::NodeState::kFree) return slot;
  }
  return used < shape.nodes_per_page ? used : kNoSlot;
}

/// Puts the node there; of the next version if the slot held another.
void fill_slot(Page page, const format::GraphShape& shape, std::uint32_t slot,
               const std::byte* bytes) {
  const format::PageBytes content = content_of(page);
  const bool is_reused = slot < used_slots(page);
  const format::NodeView node = format::node_at(content, shape, slot);
  const auto version = static_cast<std::uint16_t>(is_reused ? node.header().version + 1 : 0);
  std::memcpy(node.bytes, bytes, shape.node_bytes);
  node.header().version = version;
  if (is_reused) return;
  format::at<format::NodePageHeader>(content, 0)->n_nodes = static_cast<std::uint16_t>(slot + 1);
  set_used_bytes(page, shape.node_offset(slot + 1));
}

struct Placed {
  std::uint32_t slot = kNoSlot;  ///< kNoSlot: there was no room
  bool has_more_room = false;
};

/// Tries a page; the free space map may name any.
Placed try_page(Relation index, const format::GraphShape& shape, BlockNumber block,
                const std::byte* bytes) {
  Placed placed;
  const Buffer buffer = ReadBuffer(index, block);
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  const Page page = BufferGetPage(buffer);
  if (is_free_page(page)) {
    placed.slot = 0;
    change_page(index, buffer, GENERIC_XLOG_FULL_IMAGE, [&](Page copy) {
      init_page(copy, format::PageKind::kNodes);
      *format::at<format::NodePageHeader>(content_of(copy), 0) = {0, {}};
      fill_slot(copy, shape, 0, bytes);
      return true;
    });
  } else if (is_page_of_kind(page, format::PageKind::kNodes) &&
             format::node_page_fault(content_of(page), used_bytes(page), shape) == nullptr) {
    placed.slot = find_slot(page, shape, 0);
    if (placed.slot != kNoSlot) {
      change_page(index, buffer, 0, [&](Page copy) {
        fill_slot(copy, shape, placed.slot, bytes);
        return true;
      });
    }
  }
  placed.has_more_room =
      placed.slot != kNoSlot && find_slot(BufferGetPage(buffer), shape, placed.slot + 1) != kNoSlot;
  UnlockReleaseBuffer(buffer);
  return placed;
}

}  // namespace

core::NodeId place_node(Relation index, const format::GraphShape& shape, const std::byte* bytes) {
  BlockNumber block = RelationGetTargetBlock(index);
  bool is_target = block != InvalidBlockNumber;
  while (true) {
    if (!is_target) block = take_room(index, Room::kNode);
    if (block == InvalidBlockNumber) {
      const Buffer buffer = extend_by_page(index);
      block = BufferGetBlockNumber(buffer);
      UnlockReleaseBuffer(buffer);
    }
    const Placed placed = try_page(index, shape, block, bytes);
    if (placed.slot == kNoSlot) {
      is_target = false;
      continue;
    }
    // Others may use the page too, so that a backend that inserts once does not keep it for itself.
    if (placed.has_more_room && !is_target) record_room(index, block, Room::kNode);
    RelationSetTargetBlock(index, placed.has_more_room ? block : InvalidBlockNumber);
    return shape.node_id(block, placed.slot);
  }
}

}  // namespace nearest::pg::graph
