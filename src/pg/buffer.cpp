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

Buffer extend_index(Relation index, ForkNumber fork) { return extend_relation(index, fork); }

}  // namespace nearest::pg
