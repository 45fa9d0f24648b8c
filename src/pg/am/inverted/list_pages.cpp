#include "pg/am/inverted/list_pages.hpp"

extern "C" {
#include "miscadmin.h"
}

#include <cstring>

namespace nearest::pg::inverted {

void init_centroid_page(Page page, std::uint32_t dim, std::uint32_t n,
                        const format::CentroidHeader* headers, const std::int8_t* z) {
  init_page(page, format::PageKind::kCentroids);
  const format::PageBytes content = content_of(page);
  std::memset(content.data(), 0, content.size());
  *format::at<format::CentroidPageHeader>(content, 0) = {static_cast<std::uint16_t>(n), {}};
  for (std::uint32_t i = 0; i < n; ++i) {
    *format::at<format::CentroidHeader>(content, format::centroid_header_offset(i)) = headers[i];
    std::memcpy(content.data() + format::centroid_code_offset(dim, n, i), z + std::size_t{i} * dim,
                dim);
  }
  set_used_bytes(page, format::centroid_code_offset(dim, n, n));
}

format::ListEntry* init_directory_page(Page page, std::uint32_t n) {
  init_page(page, format::PageKind::kDirectory);
  const format::PageBytes content = content_of(page);
  *format::at<format::DirectoryPageHeader>(content, 0) = {static_cast<std::uint16_t>(n), {}};
  set_used_bytes(page, sizeof(format::DirectoryPageHeader) + n * sizeof(format::ListEntry));
  return format::at<format::ListEntry>(content, sizeof(format::DirectoryPageHeader));
}

void init_list_page(Page page, const InvertedState& state, std::uint32_t list,
                    std::uint32_t version) {
  const format::ListShape& shape = shape_of(state, list);
  init_page(page, format::PageKind::kList);
  std::memset(content_of(page).data(), 0, shape.used_bytes);
  set_used_bytes(page, shape.used_bytes);
  *format::at<format::ListPageHeader>(content_of(page), 0) = {
      format::number_on_pages(state.meta, list), version, 0, {}};
}

void init_cold_page(Page page, BlockNumber hot, std::uint32_t first_slot) {
  init_page(page, format::PageKind::kCold);
  *format::at<format::ColdPageHeader>(content_of(page), 0) = {
      hot, static_cast<std::uint16_t>(first_slot), 0};
  set_used_bytes(page, sizeof(format::ColdPageHeader));
}

format::ListEntry* entry_on(Relation index, const format::InvertedMeta& meta, Page page,
                            std::uint32_t list) {
  const std::uint32_t per_page = format::entries_per_page(BLCKSZ);
  const std::uint32_t begin = list / per_page * per_page;
  const std::uint32_t n = std::min(per_page, format::directory_entries(meta) - begin);
  if (!is_page_of_kind(page, format::PageKind::kDirectory)) {
    report_damaged(index, directory_page(meta, list), "The page is not of its kind.");
  }
  if (const char* const fault = format::directory_page_fault(content_of(page), n)) {
    report_damaged(index, directory_page(meta, list), fault);
  }
  return format::at<format::ListEntry>(content_of(page), sizeof(format::DirectoryPageHeader)) +
         (list - begin);
}

format::ListEntry read_entry(Relation index, const format::InvertedMeta& meta, std::uint32_t list,
                             bool* is_in_use) {
  BufferHints* const hints = BufferHints::of(index);
  const BlockNumber block = directory_page(meta, list);
  if (!hints->has_block(index, block)) {
    report_damaged(index, kMetaBlock, "Its directory lies behind the index's end.");
  }
  format::ListEntry entry{};
  with_shared_buffer(index, hints->read(index, block), block, format::PageKind::kDirectory,
                     [&](Page page) {
                       entry = *entry_on(index, meta, page, list);
                       if (is_in_use != nullptr) *is_in_use = directory_header(page)->use.is_open();
                     });
  return entry;
}

void ListWalk::check_block() {
  CHECK_FOR_INTERRUPTS();
  if (!hints_->has_block(index_, next_)) {
    report_damaged(index_, kMetaBlock, "A list leads behind the index's end.");
  }
  if (guard_.is_ring(next_)) report_damaged(index_, next_, "The pages of a list are a ring.");
}

}  // namespace nearest::pg::inverted
