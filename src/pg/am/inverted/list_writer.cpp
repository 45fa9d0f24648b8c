#include "pg/am/inverted/list_writer.hpp"

#include <algorithm>
#include <cstring>

#include "pg/am/inverted/list_pages.hpp"
#include "pg/am/inverted/list_row.hpp"

namespace nearest::pg::inverted {

ListWriter::ListWriter(PageFile* file, const InvertedState* state, const std::uint64_t* sizes)
    : file_(file), state_(state), sizes_(sizes), record_(state->shape) {
  hot_page_ = static_cast<Page>(palloc(BLCKSZ));
  cold_page_ = static_cast<Page>(palloc(BLCKSZ));
}

void ListWriter::add(std::uint32_t list, const format::Tid& tid, const std::byte* record) {
  if (!is_begun_ || list != list_) {
    if (rows_left_ > 0 || (is_begun_ && list < list_)) elog(ERROR, "lists are not in order");
    list_ = list;
    is_begun_ = true;
    begin_list();
  }
  if (page_rows_ == 0) begin_hot_page();
  const format::ListShape& shape = this->shape();
  const format::ListPage page = hot();
  const std::uint32_t slot = page.header().n_slots;
  put_hot_row(page, record_, slot, tid, record);
  if (shape.cold_bytes > 0 && record != nullptr) {
    if (slot % shape.cold_per_page == 0) begin_cold_page(slot);
    put_cold_row(cold_page_, shape, slot, tid, record);
    const auto& header = *format::at<format::ColdPageHeader>(content_of(cold_page_), 0);
    if (header.n_slots == shape.cold_per_page || slot + 1 == page_rows_) put_cold_page();
  }
  if (slot + 1 == page_rows_) put_hot_page();
}

void ListWriter::finish() {
  if (rows_left_ > 0 || page_rows_ > 0) elog(ERROR, "a list has not all of its rows");
  pfree(cold_page_);
  pfree(hot_page_);
}

void ListWriter::begin_list() {
  rows_left_ = sizes_[list_];
  const ListPages pages = ListPages::of(shape(), rows_left_);
  next_hot_ = file_->next();
  next_cold_ = next_hot_ + static_cast<BlockNumber>(pages.hot);
  file_->reserve(pages.hot + pages.cold);
}

void ListWriter::begin_hot_page() {
  page_rows_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(rows_left_, shape().slots));
  if (page_rows_ == 0) elog(ERROR, "list %u has too many rows", list_);
  rows_left_ -= page_rows_;
  hot_block_ = next_hot_++;
  init_page(hot_page_, format::PageKind::kList);
  std::memset(content_of(hot_page_).data(), 0, content_of(hot_page_).size());
  hot().header().list = format::number_on_pages(state_->meta, list_);
  set_used_bytes(hot_page_, shape().used_bytes);
  if (rows_left_ > 0) trailer_of(hot_page_)->next = next_hot_;
}

void ListWriter::begin_cold_page(std::uint32_t slot) {
  cold_block_ = next_cold_++;
  init_cold_page(cold_page_, hot_block_, slot);
  hot().cold_pages()[slot / shape().cold_per_page] = cold_block_;
}

void ListWriter::put_hot_page() {
  file_->put(hot_block_, hot_page_);
  page_rows_ = 0;
}

void ListWriter::put_cold_page() { file_->put(cold_block_, cold_page_); }

}  // namespace nearest::pg::inverted
