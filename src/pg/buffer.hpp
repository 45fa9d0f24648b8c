/// Pages of our indexes in shared buffers: reading with a share lock, changing as one WAL record.
///
/// Locks are scopes of functions, not guard objects: an ereport in between drops lock and pin by
/// itself, and nothing has to be destroyed.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/generic_xlog.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
}

#include "format/page.hpp"

namespace nearest::pg {

/// Raises INDEX_CORRUPTED about a block; fault: a phrase for the detail.
[[noreturn]] void report_damaged(Relation index, BlockNumber block, const char* fault);

/// The bytes of a page that are ours.
inline format::PageBytes content_of(Page page) {
  return {reinterpret_cast<std::byte*>(page) + format::kServerHeaderBytes,
          format::content_bytes(BLCKSZ)};
}

/// Where a page of ours has it, whatever its header says.
inline format::PageTrailer* trailer_of(Page page) {
  return reinterpret_cast<format::PageTrailer*>(page + BLCKSZ - sizeof(format::PageTrailer));
}

/// True if the page is one of ours, as far as reading and changing it asks: the server copies and
/// clears what its header names.
inline bool is_own_page(Page page) {
  constexpr std::size_t kSpecial = BLCKSZ - sizeof(format::PageTrailer);
  const auto* header = reinterpret_cast<PageHeader>(page);
  return header->pd_special == kSpecial && header->pd_upper == kSpecial &&
         header->pd_lower >= format::kServerHeaderBytes && header->pd_lower <= kSpecial &&
         trailer_of(page)->page_id == format::kGraphPageId &&
         trailer_of(page)->kind >= format::PageKind::kMeta &&
         trailer_of(page)->kind <= format::kLastKind;
}

/// True if the page is one of ours and of this kind, so that its content can be looked at.
inline bool is_page_of_kind(Page page, format::PageKind kind) {
  return is_own_page(page) && trailer_of(page)->kind == kind;
}

/// Makes an empty page of ours.
inline void init_page(Page page, format::PageKind kind) {
  PageInit(page, BLCKSZ, sizeof(format::PageTrailer));
  format::PageTrailer* const trailer = trailer_of(page);
  trailer->next = format::kNoBlock;
  trailer->kind = kind;
  trailer->reserved = 0;
  trailer->page_id = format::kGraphPageId;
}

/// Says how many content bytes are in use; the rest is free for the server to clear.
inline void set_used_bytes(Page page, std::size_t bytes) {
  reinterpret_cast<PageHeader>(page)->pd_lower =
      static_cast<LocationIndex>(format::kServerHeaderBytes + bytes);
}

/// Content bytes in use of a page of ours, as its header says.
inline std::size_t used_bytes(Page page) {
  return reinterpret_cast<PageHeader>(page)->pd_lower - format::kServerHeaderBytes;
}

/// Share-locks a page of this kind that is pinned, calls read(Page), and lets go of lock and pin.
template <class Read>
void with_shared_buffer(Relation index, Buffer buffer, BlockNumber block, format::PageKind kind,
                        Read&& read) {
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  const Page page = BufferGetPage(buffer);
  if (!is_page_of_kind(page, kind)) report_damaged(index, block, "The page is not of its kind.");
  read(page);
  UnlockReleaseBuffer(buffer);
}

/// Pins and share-locks a page of this kind, calls read(Page), and lets go.
/// read must not raise, except through report_damaged.
template <class Read>
void with_shared_page(Relation index, BlockNumber block, format::PageKind kind, Read&& read) {
  with_shared_buffer(index, ReadBuffer(index, block), block, kind, read);
}

/// Changes a page as one WAL record: change(Page) works on a copy and returns whether to keep it.
template <class Change>
bool change_page(Relation index, Buffer buffer, int flags, Change&& change) {
  GenericXLogState* const state = GenericXLogStart(index);
  const Page page = GenericXLogRegisterBuffer(state, buffer, flags);
  if (change(page)) {
    GenericXLogFinish(state);
    return true;
  }
  GenericXLogAbort(state);
  return false;
}

/// Pins and exclusive-locks a page of this kind and changes it as one WAL record.
template <class Change>
bool with_exclusive_page(Relation index, BlockNumber block, format::PageKind kind,
                         Change&& change) {
  const Buffer buffer = ReadBuffer(index, block);
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  if (!is_page_of_kind(BufferGetPage(buffer), kind)) {
    report_damaged(index, block, "The page is not of its kind.");
  }
  const bool changed = change_page(index, buffer, 0, change);
  UnlockReleaseBuffer(buffer);
  return changed;
}

/// Logs the init fork of an unlogged index, which is logged whatever the relation says.
void log_init_fork(Relation index);

/// A new page at the end of the index, pinned and exclusive-locked; not initialized.
Buffer extend_index(Relation index, ForkNumber fork = MAIN_FORKNUM);

}  // namespace nearest::pg
