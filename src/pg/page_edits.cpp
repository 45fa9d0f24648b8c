#include "pg/page_edits.hpp"

extern "C" {
#include "access/rmgr.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
}

#include <cstring>

namespace nearest::pg {
namespace {

/// What is before the bytes of a fragment.
struct FragmentHeader {
  OffsetNumber offset, length;
};
static_assert(sizeof(FragmentHeader) == 4);

}  // namespace

void PageEdits::begin() {
  if (is_logged_) XLogBeginInsert();
  START_CRIT_SECTION();
}

Page PageEdits::add(Buffer buffer, bool is_whole) {
  Assert(n_ < kMostPages);
  Edited& edited = pages_[n_++];
  edited.buffer = buffer;
  edited.page = BufferGetPage(buffer);
  edited.is_whole = is_whole;
  edited.bytes = 0;
  return edited.page;
}

PageEdits::Edited* PageEdits::edited(Page page) {
  Assert(n_ > 0 && (page == pages_[0].page || page == pages_[n_ - 1].page));
  return page == pages_[0].page ? &pages_[0] : &pages_[n_ - 1];
}

void PageEdits::fragment(Page page, const void* part, std::size_t bytes) {
  Edited* const on = edited(page);
  if (on->is_whole || !is_logged_) return;
  if (on->bytes + sizeof(FragmentHeader) + bytes > sizeof on->fragments) {
    on->is_whole = true;  // as long as the page
    return;
  }
  const FragmentHeader header = {
      static_cast<OffsetNumber>(static_cast<const char*>(part) - static_cast<const char*>(page)),
      static_cast<OffsetNumber>(bytes)};
  Assert(header.offset + bytes <= BLCKSZ);
  std::memcpy(on->fragments + on->bytes, &header, sizeof header);
  std::memcpy(on->fragments + on->bytes + sizeof header, part, bytes);
  on->bytes += sizeof header + bytes;
}

void PageEdits::compare(Page page, const void* part, const void* before, std::size_t bytes) {
  const auto* const now = static_cast<const std::byte*>(part);
  const auto* const then = static_cast<const std::byte*>(before);
  for (std::size_t i = 0; i < bytes; ++i) {
    if (now[i] == then[i]) continue;
    // As long as fewer bytes are the same than another fragment's header takes.
    std::size_t end = i + 1;
    for (std::size_t j = end; j < bytes && j - end < sizeof(FragmentHeader); ++j) {
      if (now[j] != then[j]) end = j + 1;
    }
    fragment(page, now + i, end - i);
    i = end;
  }
}

void PageEdits::finish() {
  for (int i = 0; i < n_; ++i) MarkBufferDirty(pages_[i].buffer);
  if (is_logged_) {
    for (int i = 0; i < n_; ++i) {
      Edited& edited = pages_[i];
      const auto block = static_cast<uint8>(i);
      XLogRegisterBuffer(block, edited.buffer,
                         edited.is_whole ? REGBUF_FORCE_IMAGE | REGBUF_STANDARD : REGBUF_STANDARD);
      if (edited.is_whole) continue;
      XLogRegisterBufData(block, reinterpret_cast<char*>(edited.fragments),
                          static_cast<uint32>(edited.bytes));
    }
    const XLogRecPtr end = XLogInsert(RM_GENERIC_ID, 0);
    for (int i = 0; i < n_; ++i) PageSetLSN(pages_[i].page, end);
  }
  END_CRIT_SECTION();
}

}  // namespace nearest::pg
