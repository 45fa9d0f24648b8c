#include "pg/am/inverted/page_group.hpp"

extern "C" {
#include "miscadmin.h"
}

#include <algorithm>
#include <cstring>

#include "pg/am/graph/page_space.hpp"
#include "pg/am/inverted/list_row.hpp"

namespace nearest::pg::inverted {

PageGroup::PageGroup(Relation index, const InvertedState& state)
    : index_(index), state_(&state), record_(state.shape) {
  hot_ = static_cast<Page>(palloc(BLCKSZ));
  for (std::uint32_t i = 0; i < state.shape.n_cold; ++i) {
    images_[i] = static_cast<Page>(palloc(BLCKSZ));
  }
  std::fill(std::begin(blocks_), std::end(blocks_), InvalidBlockNumber);
}

void PageGroup::begin(std::uint32_t list, std::uint32_t version) {
  shape_ = &shape_of(*state_, list);
  record_ = RecordShape(*shape_);
  init_list_page(hot_, *state_, list, version);
  list_header(hot_)->set_page_use(format::PageUse::kClosed);
  n_cold_ = n_slots_ = 0;
}

void PageGroup::add(const format::Tid& tid, const std::byte* record) {
  put_hot_row({content_of(hot_), shape_}, record_, n_slots_, tid, record);
  if (shape_->n_cold > 0) {
    if (n_slots_ % shape_->cold_per_page == 0) {
      init_cold_page(images_[n_cold_++], format::kNoBlock, n_slots_);
    }
    put_cold_row(images_[n_cold_ - 1], *shape_, n_slots_, tid, record);
  }
  ++n_slots_;
}

BlockNumber PageGroup::write(BlockNumber next) {
  Page* const images = images_;
  Page const last_cold = images[n_cold_];  // its place is the list page's meanwhile
  images[n_cold_] = hot_;
  do {
    CHECK_FOR_INTERRUPTS();
    for (std::uint32_t i = 0; i <= n_cold_; ++i) {
      if (blocks_[i] == InvalidBlockNumber) blocks_[i] = graph::find_page(index_);
    }
  } while (!lock_free_pages());
  set_places(next);
  write_pages();
  unlock_pages();
  const BlockNumber block = blocks_[n_cold_];
  n_written_ += n_cold_ + 1;
  std::fill(blocks_, blocks_ + n_cold_ + 1, InvalidBlockNumber);
  images[n_cold_] = last_cold;
  return block;
}

/// Locks all pages. False, and none locked, if one is not free any more: another one has to be
/// found. Whoever waited for a lock here could wait forever.
bool PageGroup::lock_free_pages() {
  for (std::uint32_t i = 0; i <= n_cold_; ++i) {
    buffers_[i] = ReadBuffer(index_, blocks_[i]);
    bool is_free = ConditionalLockBuffer(buffers_[i]);
    if (is_free && !graph::is_free_page(BufferGetPage(buffers_[i]))) {
      LockBuffer(buffers_[i], BUFFER_LOCK_UNLOCK);
      is_free = false;
    }
    if (is_free) continue;
    ReleaseBuffer(buffers_[i]);
    blocks_[i] = InvalidBlockNumber;
    while (i > 0) UnlockReleaseBuffer(buffers_[--i]);
    return false;
  }
  return true;
}

void PageGroup::unlock_pages() {
  for (std::uint32_t i = 0; i <= n_cold_; ++i) UnlockReleaseBuffer(buffers_[i]);
}

/// Writes into the images where the pages are.
void PageGroup::set_places(BlockNumber next) {
  const format::ListPage page{content_of(hot_), shape_};
  for (std::uint32_t i = 0; i < n_cold_; ++i) {
    format::at<format::ColdPageHeader>(content_of(images_[i]), 0)->hot = blocks_[n_cold_];
    page.cold_pages()[i] = blocks_[i];
  }
  trailer_of(hot_)->next = next;
}

/// The list page is in the last record: what an interruption leaves before that belongs to nobody.
void PageGroup::write_pages() {
  for (std::uint32_t i = 0; i <= n_cold_;) {
    GenericXLogState* const log = GenericXLogStart(index_);
    for (int n = 0; n < MAX_GENERIC_XLOG_PAGES && i <= n_cold_; ++n, ++i) {
      std::memcpy(GenericXLogRegisterBuffer(log, buffers_[i], GENERIC_XLOG_FULL_IMAGE), images_[i],
                  BLCKSZ);
    }
    GenericXLogFinish(log);
  }
}

}  // namespace nearest::pg::inverted
