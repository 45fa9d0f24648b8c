#include "pg/inspect/check_pages.hpp"

#include <algorithm>
#include <cstring>

namespace nearest::pg {

static_assert(offsetof(PageHeaderData, pd_flags) == offsetof(format::ServerPageHeader, flags) &&
              offsetof(PageHeaderData, pd_lower) == offsetof(format::ServerPageHeader, lower) &&
              offsetof(PageHeaderData, pd_prune_xid) ==
                  offsetof(format::ServerPageHeader, prune_xid) &&
              SizeOfPageHeaderData == format::kServerHeaderBytes);

WholePage PageReader::read(BlockNumber block, std::byte* to) const {
  CHECK_FOR_INTERRUPTS();
  const Buffer buffer = ReadBufferExtended(index_, MAIN_FORKNUM, block, RBM_NORMAL, strategy_);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  std::memcpy(to, BufferGetPage(buffer), BLCKSZ);
  UnlockReleaseBuffer(buffer);
  return {to, BLCKSZ};
}

void PageReader::raise(BlockNumber block, const format::Fault& fault) const {
  if (fault.slot < 0) report_damaged(index_, block, fault.what);
  report_damaged(index_, block,
                 psprintf("%s It is in slot %d of the page.", fault.what, fault.slot));
}

bool is_unused(const PageReader& reader, BlockNumber block, WholePage page) {
  if (reinterpret_cast<const PageHeaderData*>(page.data())->pd_upper != 0) return false;
  const bool is_empty =
      std::all_of(page.begin(), page.end(), [](std::byte byte) { return byte == std::byte{}; });
  if (!is_empty) reader.raise(block, {"The page is not empty, but says that it is new."});
  return true;
}

}  // namespace nearest::pg
