#include "pg/am/common/drift_sample.hpp"

#include <cstring>

#include "pg/buffer.hpp"

namespace nearest::pg {
namespace {

static_assert(sizeof(format::DriftPage) <= format::content_bytes(BLCKSZ));

format::DriftPage* drift_on(Page page) {
  return format::at<format::DriftPage>(content_of(page), 0);
}

void fill(format::DriftPage* page, const DriftBase& base) {
  page->lists = base.lists;
  page->built_rows = base.rows;
  page->built = base.figures;
  for (std::uint32_t list = 0; base.sizes != nullptr && list < base.lists; ++list) {
    page->built_in[core::bucket_of(list, base.lists)] +=
        static_cast<std::uint32_t>(base.sizes[list]);
  }
}

void check_block(Relation index, BlockNumber block) {
  if (block == format::kNoBlock || block >= RelationGetNumberOfBlocks(index)) {
    report_damaged(index, 0, "Its drift page is not there.");
  }
}

}  // namespace

void init_drift_page(Page page, const DriftBase& base) {
  init_page(page, format::PageKind::kDrift);
  std::memset(content_of(page).data(), 0, sizeof(format::DriftPage));
  fill(drift_on(page), base);
  set_used_bytes(page, sizeof(format::DriftPage));
}

void set_drift_base(Relation index, BlockNumber block, const DriftBase& base) {
  with_exclusive_page(index, block, format::PageKind::kDrift, [&](Page page) {
    fill(drift_on(page), base);
    return true;
  });
}

void set_drift_lists(Relation index, BlockNumber block, std::uint32_t lists,
                     const std::uint64_t* sizes) {
  check_block(index, block);
  with_exclusive_page(index, block, format::PageKind::kDrift, [&](Page page) {
    drift_on(page)->spread(lists, sizes);
    return true;
  });
}

void add_drift_row(Relation index, BlockNumber block, std::uint32_t lists,
                   const format::DriftRow& row) {
  check_block(index, block);
  const Buffer buffer = ReadBuffer(index, block);
  if (!ConditionalLockBuffer(buffer)) {
    ReleaseBuffer(buffer);
    return;
  }
  const char* fault = "The page is not of its kind.";
  if (is_page_of_kind(BufferGetPage(buffer), format::PageKind::kDrift)) {
    fault = format::drift_header_fault(*drift_on(BufferGetPage(buffer)),
                                       used_bytes(BufferGetPage(buffer)), lists);
  }
  if (fault == nullptr) {
    change_page(index, buffer, 0, [&](Page page) {
      drift_on(page)->add(row);
      return true;
    });
  }
  UnlockReleaseBuffer(buffer);
  if (fault != nullptr) report_damaged(index, block, fault);
}

void read_drift_page(Relation index, BlockNumber block, std::uint32_t lists,
                     format::DriftPage* page) {
  check_block(index, block);
  const char* fault = nullptr;
  with_shared_page(index, block, format::PageKind::kDrift, [&](Page on) {
    fault = format::drift_page_fault(content_of(on), used_bytes(on), lists);
    if (fault == nullptr) *page = *drift_on(on);
  });
  if (fault != nullptr) report_damaged(index, block, fault);
}

}  // namespace nearest::pg
