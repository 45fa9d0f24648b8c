/// Whether a table can have a row where an index says.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
#include "access/relscan.h"
#include "storage/bufmgr.h"
}

#include "format/verify.hpp"

namespace nearest::pg {

class RowPlaces {
 public:
  /// Raises if the table cannot have a row there: the server would extend the table for an invalid
  /// block, and complain of the table's files for others.
  void check(IndexScanDesc scan, const format::Tid& tid) {
    if (can_have(tid)) return;
    if (scan->heapRelation != nullptr) blocks_ = RelationGetNumberOfBlocks(scan->heapRelation);
    if (can_have(tid)) return;
    ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                    errmsg("index \"%s\" is damaged", RelationGetRelationName(scan->indexRelation)),
                    errdetail("A row is where its table has none."),
                    errhint("REINDEX builds the index anew.")));
  }

 private:
  bool can_have(const format::Tid& tid) const {
    const BlockNumber block = static_cast<BlockNumber>(tid.block_high) << 16 | tid.block_low;
    return format::is_possible(tid) && block < blocks_;
  }

  BlockNumber blocks_;  ///< of the table, as last seen
};

}  // namespace nearest::pg
