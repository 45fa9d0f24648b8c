/// What checks of all access methods share.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
}

#include "format/verify.hpp"
#include "pg/bits.hpp"
#include "pg/buffer.hpp"
#include "pg/memory.hpp"

namespace nearest::pg {

using WholePage = std::span<const std::byte>;

/// Reads pages of an index without a place in shared buffers for all of them.
class PageReader {
 public:
  explicit PageReader(Relation index) : index_(index), strategy_(GetAccessStrategy(BAS_BULKREAD)) {}

  /// Copies a page under its share lock.
  WholePage read(BlockNumber block, std::byte* to) const;
  bool has(BlockNumber block) const { return block < RelationGetNumberOfBlocks(index_); }

  [[noreturn]] void raise(BlockNumber block, const format::Fault& fault) const;

 private:
  Relation index_;
  BufferAccessStrategy strategy_;
};

/// Whether a page was never used. Raises if it only looks so.
bool is_unused(const PageReader& reader, BlockNumber block, WholePage page);

/// Whether a table has blocks where an index says that rows are.
class RowBlocks {
 public:
  explicit RowBlocks(Relation heap) : heap_(heap), n_blocks_(RelationGetNumberOfBlocks(heap)) {}

  bool has(const format::Tid& tid) {
    const BlockNumber block = static_cast<BlockNumber>(tid.block_high) << 16 | tid.block_low;
    if (block < n_blocks_) return true;
    n_blocks_ = RelationGetNumberOfBlocks(heap_);
    return block < n_blocks_;
  }
  /// Of a row in a block: other tables than heaps may number their rows otherwise.
  std::uint32_t most_offset() const {
    const bool is_heap = heap_->rd_rel->relam == HEAP_TABLE_AM_OID;
    return is_heap ? static_cast<std::uint32_t>(MaxHeapTuplesPerPage) : MaxOffsetNumber;
  }

 private:
  Relation heap_;
  BlockNumber n_blocks_;
};

}  // namespace nearest::pg
