#include "pg/am/graph/entry_table.hpp"

extern "C" {
#include "miscadmin.h"
}

#include <algorithm>
#include <cmath>

#include "format/chain.hpp"
#include "format/verify.hpp"
#include "pg/am/graph/page_space.hpp"
#include "pg/buffer.hpp"

namespace nearest::pg::graph {
namespace {

format::EntryPageHeader* entry_header(Page page) {
  return format::at<format::EntryPageHeader>(content_of(page), 0);
}

const char* page_fault(Page page, const format::GraphShape& shape) {
  return format::entry_page_fault(content_of(page), used_bytes(page), shape);
}

void set_entry_count(Page page, const format::GraphShape& shape, std::uint32_t n) {
  entry_header(page)->n_entries = static_cast<std::uint16_t>(n);
  set_used_bytes(
      page, sizeof(format::EntryPageHeader) + std::size_t{shape.n_groups(n)} * shape.group_bytes);
}

void append_entry(Page page, const GraphState& state, core::NodeId id, const CodedLink& link) {
  const format::GraphShape& shape = state.shape;
  format::EntryPageHeader* const header = entry_header(page);
  const std::size_t n = header->n_entries;
  format::LinkGroup& group = format::entry_group(content_of(page), shape, n / core::kLinkGroup);
  const std::size_t column = n % core::kLinkGroup;
  if (column == 0) std::memset(static_cast<void*>(&group), 0, shape.group_bytes);
  store_link(shape, group, column, id, link);
  set_entry_count(page, shape, static_cast<std::uint32_t>(n + 1));
}

/// Removes entry i: the last one takes its place.
void remove_entry(Page page, const format::GraphShape& shape, std::size_t i) {
  const std::size_t last = entry_header(page)->n_entries - std::size_t{1};
  const format::PageBytes content = content_of(page);
  format::LinkGroup& to = format::entry_group(content, shape, i / core::kLinkGroup);
  format::LinkGroup& from = format::entry_group(content, shape, last / core::kLinkGroup);
  format::copy_link(shape, from, last % core::kLinkGroup, to, i % core::kLinkGroup);
  set_entry_count(page, shape, static_cast<std::uint32_t>(last));
}

/// A new page with one entry that nothing leads to yet.
BlockNumber write_new_page(Relation index, const GraphState& state, core::NodeId id,
                           const CodedLink& link) {
  while (true) {
    const BlockNumber block = find_page(index);
    const Buffer buffer = ReadBuffer(index, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    const bool is_free = is_free_page(BufferGetPage(buffer));
    if (is_free) {
      change_page(index, buffer, GENERIC_XLOG_FULL_IMAGE, [&](Page page) {
        init_page(page, format::PageKind::kEntries);
        *entry_header(page) = {};
        append_entry(page, state, id, link);
        return true;
      });
    }
    UnlockReleaseBuffer(buffer);
    if (is_free) return block;
  }
}

}  // namespace

void add_entry(Relation index, const GraphState& state, core::NodeId id, const CodedLink& link) {
  const format::GraphShape& shape = state.shape;
  BlockNumber block = state.meta.entry_block;
  BlockNumber spare = format::kNoBlock;
  format::ChainGuard guard;
  bool is_again = false;  // the page that was the last one, once more
  while (true) {
    CHECK_FOR_INTERRUPTS();
    if (block >= RelationGetNumberOfBlocks(index) || (!is_again && guard.is_ring(block))) {
      report_damaged(index, block, "The entry table is not a chain.");
    }
    const char* fault = nullptr;
    BlockNumber next = format::kNoBlock;
    const bool changed =
        with_exclusive_page(index, block, format::PageKind::kEntries, [&](Page page) {
          fault = page_fault(page, shape);
          if (fault != nullptr) return false;
          next = trailer_of(page)->next;
          if (spare == format::kNoBlock &&
              entry_header(page)->n_entries < shape.entries_per_page()) {
            append_entry(page, state, id, link);
            return true;
          }
          if (next != format::kNoBlock || spare == format::kNoBlock) return false;
          trailer_of(page)->next = spare;
          return true;
        });
    if (fault != nullptr) report_damaged(index, block, fault);
    if (changed) return;
    is_again = next == format::kNoBlock;
    if (next != format::kNoBlock) {
      block = next;
    } else {
      spare = write_new_page(index, state, id, link);
    }
  }
}

EntryPage read_entry_page(Relation index, const GraphState& state, BlockNumber block) {
  auto* const ids = static_cast<core::NodeId*>(
      palloc((state.shape.entries_per_page() + core::kLinkGroup) * sizeof(core::NodeId)));
  EntryPage result{ids, 0, format::kNoBlock};
  const char* fault = nullptr;
  if (block >= RelationGetNumberOfBlocks(index)) {
    report_damaged(index, block, "The entry table is not a chain.");
  }
  with_shared_page(index, block, format::PageKind::kEntries, [&](Page page) {
    fault = page_fault(page, state.shape);
    if (fault != nullptr) return;
    result.n = entry_header(page)->n_entries;
    for (std::size_t i = 0; i < result.n; ++i) {
      ids[i] = format::entry_group(content_of(page), state.shape, i / core::kLinkGroup)
                   .ids[i % core::kLinkGroup];
    }
    result.next = trailer_of(page)->next;
  });
  if (fault != nullptr) report_damaged(index, block, fault);
  return result;
}

void replace_entry(Relation index, const GraphState& state, BlockNumber block, core::NodeId from,
                   core::NodeId to, const CodedLink& link) {
  const char* fault = nullptr;
  with_exclusive_page(index, block, format::PageKind::kEntries, [&](Page page) {
    fault = page_fault(page, state.shape);
    if (fault != nullptr) return false;
    const format::EntryPageHeader& header = *entry_header(page);
    for (std::size_t i = 0; i < header.n_entries; ++i) {
      format::LinkGroup& group =
          format::entry_group(content_of(page), state.shape, i / core::kLinkGroup);
      const std::size_t column = i % core::kLinkGroup;
      if (group.ids[column] != from) continue;
      if (to == core::kNoNode) {
        remove_entry(page, state.shape, i);
      } else {
        store_link(state.shape, group, column, to, link);
      }
      return true;
    }
    return false;
  });
  if (fault != nullptr) report_damaged(index, block, fault);
}

}  // namespace nearest::pg::graph
