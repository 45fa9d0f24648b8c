#include "pg/am/graph/tid_chain.hpp"

extern "C" {
#include "miscadmin.h"
}

#include "format/chain.hpp"
#include "format/verify.hpp"

namespace nearest::pg::graph {
namespace {

constexpr std::size_t kTidsOffset = sizeof(format::TidPageHeader);

const char* tid_page_fault(Page page, const format::GraphShape& shape, core::NodeId owner) {
  const format::ConstPageBytes content = content_of(page);
  if (format::at<format::TidPageHeader>(content, 0)->owner != owner) {
    return "A page of rows belongs to another node.";
  }
  return format::tid_page_fault(content, used_bytes(page), shape);
}

void append_tid(Page page, const format::Tid& tid) {
  const format::PageBytes content = content_of(page);
  auto* const header = format::at<format::TidPageHeader>(content, 0);
  *format::at<format::Tid>(content, kTidsOffset + header->n_tids * sizeof(format::Tid)) = tid;
  header->n_tids += 1;
  set_used_bytes(page, kTidsOffset + header->n_tids * sizeof(format::Tid));
}

}  // namespace

std::int64_t read_tid_chain(Relation index, const format::GraphShape& shape, BlockNumber block,
                            core::NodeId owner, ContextArena arena,
                            core::ArenaArray<format::Tid>& tids) {
  std::int64_t pages = 0;
  format::ChainGuard guard;
  BlockNumber n_blocks = 0;
  while (block != format::kNoBlock) {
    CHECK_FOR_INTERRUPTS();
    if (block >= n_blocks) n_blocks = RelationGetNumberOfBlocks(index);
    if (block >= n_blocks || guard.is_ring(block)) {
      report_damaged(index, block, "The pages of rows are not a chain.");
    }
    tids.reserve(arena, tids.size() + shape.tids_per_page());
    const char* fault = nullptr;
    BlockNumber next = format::kNoBlock;
    with_shared_page(index, block, format::PageKind::kTids, [&](Page page) {
      const format::ConstPageBytes content = content_of(page);
      const auto* header = format::at<format::TidPageHeader>(content, 0);
      fault = tid_page_fault(page, shape, owner);
      if (fault != nullptr) return;
      const std::size_t before = tids.size();
      tids.set_size(before + header->n_tids);
      if (header->n_tids > 0) {
        std::memcpy(tids.begin() + before, content.data() + kTidsOffset,
                    header->n_tids * sizeof(format::Tid));
      }
      next = trailer_of(page)->next;
    });
    if (fault != nullptr) report_damaged(index, block, fault);
    ++pages;
    block = next;
  }
  return pages;
}

BlockNumber new_tid_page(Relation index, core::NodeId owner, const format::Tid& tid) {
  const Buffer buffer = extend_index(index);
  const BlockNumber block = BufferGetBlockNumber(buffer);
  change_page(index, buffer, GENERIC_XLOG_FULL_IMAGE, [&](Page page) {
    init_page(page, format::PageKind::kTids);
    *format::at<format::TidPageHeader>(content_of(page), 0) = {owner, 0, 0};
    append_tid(page, tid);
    return true;
  });
  UnlockReleaseBuffer(buffer);
  return block;
}

void add_to_tid_chain(Relation index, const format::GraphShape& shape, BlockNumber first,
                      core::NodeId owner, const format::Tid& tid) {
  BlockNumber block = first;
  BlockNumber spare = format::kNoBlock;  // a new page that holds the row already
  format::ChainGuard guard;
  bool is_again = false;  // the page that was the last one, once more
  while (true) {
    CHECK_FOR_INTERRUPTS();
    if (block >= RelationGetNumberOfBlocks(index) || (!is_again && guard.is_ring(block))) {
      report_damaged(index, block, "The pages of rows are not a chain.");
    }
    const char* fault = nullptr;
    BlockNumber next = format::kNoBlock;
    const bool changed = with_exclusive_page(index, block, format::PageKind::kTids, [&](Page page) {
      const auto* header = format::at<format::TidPageHeader>(content_of(page), 0);
      fault = tid_page_fault(page, shape, owner);
      if (fault != nullptr) return false;
      next = trailer_of(page)->next;
      if (spare == format::kNoBlock && header->n_tids < shape.tids_per_page()) {
        append_tid(page, tid);
        return true;
      }
      if (next != format::kNoBlock || spare == format::kNoBlock) return false;
      trailer_of(page)->next = spare;
      return true;
    });
    if (fault != nullptr) report_damaged(index, block, fault);
    if (changed) return;
    if (next != format::kNoBlock) {
      block = next;
      is_again = false;
    } else {
      // The end: a new page, then this page once more, which may have got a next one meanwhile.
      spare = new_tid_page(index, owner, tid);
      is_again = true;
    }
  }
}

}  // namespace nearest::pg::graph
