/// Heap rows that an index scan is about to return, asked for ahead.
///
/// Rows come from all over the heap, so each costs the executor a look-up in the table of buffers
/// and three waits for memory: the page's header, its line pointer, the row. The scan knows which
/// rows come next and, by the buffers that earlier scans of this backend ended in, where they are.
///
/// Only for tables of the server's own heap: the buffer that the executor's fetch ended in is taken
/// from, and put into, the heap's part of the scan.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/heapam.h"
#include "access/relscan.h"
#include "access/tableam.h"
}

#include <cstring>

#include "pg/buffer_hints.hpp"

namespace nearest::pg {

class HeapAhead {
 public:
  /// Call once the scan knows its heap.
  void begin(IndexScanDesc scan) {
    heap_ = scan->heapRelation;
    hints_ = nullptr;
    block_ = InvalidBlockNumber;
    if (heap_ != nullptr && scan->xs_heapfetch != nullptr && !RelationUsesLocalBuffers(heap_) &&
        heap_->rd_tableam == GetHeapamTableAmRoutine()) {
      hints_ = BufferHints::of(heap_);
    }
  }

  /// Remembers where the row returned last was found.
  void learn(IndexScanDesc scan) {
    if (hints_ == nullptr || block_ == InvalidBlockNumber) return;
    const Buffer buffer = fetch_of(scan)->xs_cbuf;
    if (BufferIsValid(buffer)) hints_->learn(block_, buffer);
  }

  /// Asks for the page of a row.
  void fetch_page(const ItemPointerData& tid) const {
    if (hints_ != nullptr) hints_->prefetch(ItemPointerGetBlockNumberNoCheck(&tid), 0, 1);
  }

  /// Asks for the row itself, which its page's line pointer tells; a wrong guess costs nothing
  /// else.
  void fetch_row(const ItemPointerData& tid) const {
    if (hints_ == nullptr) return;
    const char* const page = hints_->peek(ItemPointerGetBlockNumberNoCheck(&tid));
    const OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(&tid);
    if (page == nullptr || offset < 1 || offset > MaxHeapTuplesPerPage) return;
    ItemIdData line;
    std::memcpy(&line, page + SizeOfPageHeaderData + (offset - 1U) * sizeof line, sizeof line);
    const std::size_t begin = line.lp_off, bytes = line.lp_len;
    if (begin + bytes > BLCKSZ) return;
    for (std::size_t i = 0; i < bytes; i += BufferHints::kCacheLine) {
      __builtin_prefetch(page + begin + i);
    }
  }

  /// Pins the page of the row that the scan returns now, if it is where it was: the executor then
  /// finds it at hand. Now and then it is left to look for itself, which is also when the server
  /// prunes pages.
  void pin(IndexScanDesc scan) {
    if (hints_ == nullptr) return;
    block_ = ItemPointerGetBlockNumberNoCheck(&scan->xs_heaptid);
    constexpr std::uint32_t kLeft = 16;
    if (++rows_ % kLeft == 0) return;
    IndexFetchHeapData* const fetch = fetch_of(scan);
    const Buffer hint = hints_->at(block_);
    if (hint <= 0 || hint == fetch->xs_cbuf) return;
    if (!read_recent_buffer(heap_, block_, hint)) return;
    if (BufferIsValid(fetch->xs_cbuf)) ReleaseBuffer(fetch->xs_cbuf);
    fetch->xs_cbuf = hint;
  }

 private:
  static IndexFetchHeapData* fetch_of(IndexScanDesc scan) {
    return reinterpret_cast<IndexFetchHeapData*>(scan->xs_heapfetch);
  }

  Relation heap_;
  BufferHints* hints_;
  BlockNumber block_;  ///< of the row returned last
  std::uint32_t rows_;
};

}  // namespace nearest::pg
