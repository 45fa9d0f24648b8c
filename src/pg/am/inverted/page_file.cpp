#include "pg/am/inverted/page_file.hpp"

extern "C" {
#include "miscadmin.h"
}

#include <cstring>

namespace nearest::pg::inverted {

void PageFile::reserve(std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    CHECK_FOR_INTERRUPTS();
    const Buffer buffer = extend_index(index_, fork_);
    if (BufferGetBlockNumber(buffer) != next_) {
      elog(ERROR, "block %u of index \"%s\" is not new", next_, RelationGetRelationName(index_));
    }
    UnlockReleaseBuffer(buffer);
    ++next_;
  }
}

void PageFile::put(BlockNumber block, Page image) {
  CHECK_FOR_INTERRUPTS();
  const Buffer buffer = ReadBufferExtended(index_, fork_, block, RBM_ZERO_AND_LOCK, nullptr);
  std::memcpy(BufferGetPage(buffer), image, BLCKSZ);
  MarkBufferDirty(buffer);
  UnlockReleaseBuffer(buffer);
}

}  // namespace nearest::pg::inverted
