#include "pg/am/common/drift_sample.hpp"

extern "C" {
#include "nodes/pg_list.h"
#include "utils/memutils.h"
}

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

/// Pins the drift page. A page that the server refuses comes as zeros, in memory only: so it is a
/// damaged one as any other. Invalid with a fault if it is not there.
Buffer pin_drift_page(Relation index, BlockNumber block, const char** fault) {
  *fault = nullptr;
  if (block >= RelationGetNumberOfBlocks(index)) {
    *fault = "Its drift page is not there.";
    return InvalidBuffer;
  }
  return ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_ZERO_ON_ERROR, nullptr);
}

constexpr const char* kOtherKind = "The page is not of its kind.";

/// Rows are not sampled, which harms nobody but nearest_drift: that is no reason to refuse them.
/// Once per session and file.
void warn_of_damage(Relation index, BlockNumber block, const char* fault) {
  static List* warned = NIL;
  const Oid file = index->rd_rel->relfilenode;
  if (list_member_oid(warned, file)) return;
  const MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);
  warned = lappend_oid(warned, file);
  MemoryContextSwitchTo(before);
  ereport(WARNING,
          (errcode(ERRCODE_INDEX_CORRUPTED),
           errmsg("block %u of index \"%s\" is damaged", block, RelationGetRelationName(index)),
           errdetail("%s Rows are inserted, but nearest_drift cannot take notice of them.", fault),
           errhint("nearest_check tells whether more is damaged. REINDEX builds the index anew.")));
}

/// Changes the page as one WAL record, unless lock(buffer) returns false. Passes over it with a
/// warning if it is damaged.
template <class Lock, class Change>
void change_drift_page(Relation index, BlockNumber block, std::uint32_t lists, Lock&& lock,
                       Change&& change) {
  const char* fault = nullptr;
  const Buffer buffer = pin_drift_page(index, block, &fault);
  if (BufferIsValid(buffer)) {
    if (!lock(buffer)) {
      ReleaseBuffer(buffer);
      return;
    }
    const Page page = BufferGetPage(buffer);
    fault = is_page_of_kind(page, format::PageKind::kDrift)
                ? format::drift_header_fault(*drift_on(page), used_bytes(page), lists)
                : kOtherKind;
    if (fault == nullptr) {
      change_page(index, buffer, 0, [&](Page copy) {
        change(drift_on(copy));
        return true;
      });
    }
    UnlockReleaseBuffer(buffer);
  }
  if (fault != nullptr) warn_of_damage(index, block, fault);
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
  const auto lock = [](Buffer buffer) {
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    return true;
  };
  change_drift_page(index, block, lists, lock,
                    [&](format::DriftPage* page) { page->spread(lists, sizes); });
}

void add_drift_row(Relation index, BlockNumber block, std::uint32_t lists,
                   const format::DriftRow& row) {
  const auto lock = [](Buffer buffer) { return ConditionalLockBuffer(buffer); };
  change_drift_page(index, block, lists, lock, [&](format::DriftPage* page) { page->add(row); });
}

const char* try_read_drift_page(Relation index, BlockNumber block, std::uint32_t lists,
                                format::DriftPage* page) {
  const char* fault = nullptr;
  const Buffer buffer = pin_drift_page(index, block, &fault);
  if (!BufferIsValid(buffer)) return fault;
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  const Page on = BufferGetPage(buffer);
  fault = is_page_of_kind(on, format::PageKind::kDrift)
              ? format::drift_page_fault(content_of(on), used_bytes(on), lists)
              : kOtherKind;
  if (fault == nullptr) *page = *drift_on(on);
  UnlockReleaseBuffer(buffer);
  return fault;
}

}  // namespace nearest::pg
