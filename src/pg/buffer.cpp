#include "pg/buffer.hpp"

#include "pg/compat.hpp"

namespace nearest::pg {

void report_damaged(Relation index, BlockNumber block, const char* fault) {
  ereport(ERROR,
          (errcode(ERRCODE_INDEX_CORRUPTED),
           errmsg("block %u of index \"%s\" is damaged", block, RelationGetRelationName(index)),
           errdetail_internal("%s", fault), errhint("REINDEX builds the index anew.")));
  pg_unreachable();
}

void log_init_fork(Relation index) {
  const BlockNumber n_blocks = RelationGetNumberOfBlocksInFork(index, INIT_FORKNUM);
  for (BlockNumber block = 0; block < n_blocks; ++block) {
    const Buffer buffer = ReadBufferExtended(index, INIT_FORKNUM, block, RBM_NORMAL, nullptr);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    START_CRIT_SECTION();
    MarkBufferDirty(buffer);
    log_newpage_buffer(buffer, true);
    END_CRIT_SECTION();
    UnlockReleaseBuffer(buffer);
  }
}

Buffer extend_index(Relation index, ForkNumber fork) { return extend_relation(index, fork); }

}  // namespace nearest::pg
