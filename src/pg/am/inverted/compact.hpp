/// Compaction: lists are split and merged where they have become too uneven (rebalance.hpp); then
/// those whose pages have much room are written anew, on as few pages as they need.
///
/// A list is closed page by page, so that rows that come meanwhile go to pages behind it, copied to
/// new pages, and these take the place of the old ones by one record of the directory. The old
/// pages stay until no snapshot can need them (retired_pages.hpp). Whatever stops it, the list is
/// valid: what it left behind is found by VACUUM or the next compaction. Codes move as they are.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

#include "pg/am/inverted/rebalance.hpp"

namespace nearest::pg::inverted {

struct Compacted {
  std::int64_t lists;           ///< that were written anew by themselves
  std::int64_t written_blocks;  ///< new pages of theirs
  std::int64_t retired_blocks;  ///< old ones
  std::int64_t free_blocks;     ///< of the index afterwards
  std::int64_t split, merged;   ///< lists
};

/// The caller holds ShareUpdateExclusiveLock on the table.
Compacted compact(Relation heap, Relation index, const ListLimits& limits);

}  // namespace nearest::pg::inverted
