#include "pg/am/inverted/list_row.hpp"

#include <algorithm>
#include <cstring>

namespace nearest::pg::inverted {
namespace {

/// Where a cold page has what refines a slot.
std::size_t cold_offset(const format::ColdPageHeader& header, const format::ListShape& shape,
                        std::uint32_t slot) {
  return sizeof header + std::size_t{slot - header.first_slot} * shape.cold_bytes;
}

}  // namespace

void put_hot_row(const format::ListPage& page, const RecordShape& shape, std::uint32_t slot,
                 const format::Tid& tid, const std::byte* record) {
  core::CodeFactors factors{};
  const std::uint8_t* code = nullptr;
  if (record != nullptr) {
    std::memcpy(&factors, record + shape.factors_offset, sizeof factors);
    code = reinterpret_cast<const std::uint8_t*>(record + shape.code_offset);
  }
  format::put_row(page, slot, tid, factors, code);
}

void put_cold_row(Page page, const format::ListShape& shape, std::uint32_t slot,
                  const format::Tid& tid, const std::byte* record) {
  auto& header = *format::at<format::ColdPageHeader>(content_of(page), 0);
  std::byte* const place = content_of(page).data() + cold_offset(header, shape, slot);
  std::memcpy(place, record, shape.cold_bytes);
  reinterpret_cast<format::ColdHeader*>(place)->tid = tid;
  if (slot - header.first_slot == header.n_slots) {
    ++header.n_slots;
    set_used_bytes(page, sizeof header + std::size_t{header.n_slots} * shape.cold_bytes);
  }
}

void edit_hot_row(PageEdits* edits, Page page, const format::ListShape& list,
                  const RecordShape& shape, std::uint32_t slot, const format::Tid& tid,
                  const std::byte* record) {
  const format::ListPage rows{content_of(page), &list};
  const std::uint32_t n_slots = std::max<std::uint32_t>(rows.header().n_slots, slot + 1);
  // A code that is packed, or packs its block, is all over it.
  const bool is_packed = slot / core::kBlockCodes < list.packed_blocks(n_slots);
  std::uint8_t before[BLCKSZ];
  if (is_packed) std::memcpy(before, rows.block(slot), list.block_bytes());
  put_hot_row(rows, shape, slot, tid, record);
  edits->fragment(page, &rows.header().n_slots, sizeof rows.header().n_slots);
  edits->fragment(page, rows.tids() + slot, sizeof tid);
  if (list.has_factors) {
    for (float* const factors : {rows.a(), rows.b(), rows.error()}) {
      edits->fragment(page, factors + slot, sizeof *factors);
    }
  }
  if (is_packed) {
    edits->compare(page, rows.block(slot), before, list.block_bytes());
  } else if (list.row_bytes > 0) {
    edits->fragment(page, rows.row(slot), list.row_bytes);
  }
}

void edit_cold_row(PageEdits* edits, Page page, const format::ListShape& list, std::uint32_t slot,
                   const format::Tid& tid, const std::byte* record) {
  put_cold_row(page, list, slot, tid, record);
  const auto& header = *format::at<format::ColdPageHeader>(content_of(page), 0);
  const LocationIndex& lower = reinterpret_cast<PageHeader>(page)->pd_lower;
  edits->fragment(page, &lower, sizeof lower);
  edits->fragment(page, &header.n_slots, sizeof header.n_slots);
  edits->fragment(page, content_of(page).data() + cold_offset(header, list, slot), list.cold_bytes);
}

void get_hot_row(const format::ConstListPage& page, const RecordShape& shape, std::uint32_t slot,
                 std::byte* record) {
  const format::ListShape& list = *page.shape;
  if (list.has_factors) {
    const core::CodeFactors factors{page.a()[slot], page.b()[slot], page.error()[slot]};
    std::memcpy(record + shape.factors_offset, &factors, sizeof factors);
  }
  if (list.row_bytes == 0) return;
  auto* const code = reinterpret_cast<std::uint8_t*>(record + shape.code_offset);
  if (page.is_in_block(slot)) {
    core::get_code(page.block(slot), list.segments, slot % core::kBlockCodes, code);
  } else {
    std::memcpy(code, page.row(slot), list.row_bytes);
  }
}

void get_cold_row(format::ConstPageBytes content, const format::ListShape& shape,
                  std::uint32_t slot, std::byte* record) {
  const auto& header = *format::at<format::ColdPageHeader>(content, 0);
  std::memcpy(record, content.data() + cold_offset(header, shape, slot), shape.cold_bytes);
}

}  // namespace nearest::pg::inverted
