#include "pg/am/inverted/page_copy.hpp"

extern "C" {
#include "miscadmin.h"
}

#include <algorithm>
#include <cstring>

#include "pg/am/inverted/list_row.hpp"

namespace nearest::pg::inverted {

PageCopy::PageCopy(Relation index, const InvertedState& state) : index_(index) {
  page_ = static_cast<Page>(palloc(BLCKSZ));
  for (std::uint32_t i = 0; i < state.shape.n_cold; ++i) {
    cold_pages_[i] = static_cast<Page>(palloc(BLCKSZ));
  }
}

std::uint32_t PageCopy::copy(BlockNumber block, const format::ListShape& shape) {
  shape_ = &shape;
  with_shared_page(index_, block, format::PageKind::kList,
                   [&](Page page) { std::memcpy(page_, page, BLCKSZ); });
  const std::uint32_t n_slots = this->n_slots();
  if (n_slots > shape.slots) report_damaged(index_, block, "It says that it has too many rows.");
  const std::uint32_t n_cold = shape.cold_pages_of(n_slots);
  for (std::uint32_t i = 0; i < n_cold; ++i) {
    CHECK_FOR_INTERRUPTS();
    const BlockNumber cold = page().cold_pages()[i];
    if (cold == format::kNoBlock || cold >= RelationGetNumberOfBlocks(index_)) {
      report_damaged(index_, block, "It leads to a page that is not there.");
    }
    with_shared_page(index_, cold, format::PageKind::kCold,
                     [&](Page copied) { std::memcpy(cold_pages_[i], copied, BLCKSZ); });
    const format::ConstPageBytes content = content_of(cold_pages_[i]);
    const std::uint32_t first_slot = i * shape.cold_per_page;
    const char* fault =
        format::cold_page_fault(content, used_bytes(cold_pages_[i]), shape, block, first_slot);
    const std::uint32_t n = std::min<std::uint32_t>(n_slots - first_slot, shape.cold_per_page);
    if (fault == nullptr && format::at<format::ColdPageHeader>(content, 0)->n_slots < n) {
      fault = "A page that refines a list's rows has not all of them.";
    }
    if (fault != nullptr) report_damaged(index_, cold, fault);
  }
  return n_cold;
}

void PageCopy::read(std::uint32_t slot, std::byte* record) const {
  const RecordShape shape(*shape_);
  std::memset(record, 0, shape.bytes);
  get_hot_row(page(), shape, slot, record);
  if (shape_->n_cold == 0) return;
  get_cold_row(content_of(cold_pages_[slot / shape_->cold_per_page]), *shape_, slot, record);
}

std::uint32_t count_rows(const format::ConstListPage& page) {
  std::uint32_t rows = 0;
  for (std::uint32_t slot = 0; slot < page.header().n_slots; ++slot) {
    rows += format::is_dead(page.tids()[slot]) ? 0 : 1;
  }
  return rows;
}

std::uint32_t close_page(Relation index, const format::ListShape& shape, BlockNumber block) {
  CHECK_FOR_INTERRUPTS();
  std::uint32_t rows = 0;
  with_exclusive_page(index, block, format::PageKind::kList, [&](Page page) {
    rows = count_rows(list_page(page, shape));
    if (!list_header(page)->is_open()) return false;
    list_header(page)->set_page_use(format::PageUse::kClosed);
    return true;
  });
  return rows;
}

}  // namespace nearest::pg::inverted
