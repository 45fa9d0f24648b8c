/// Lists that have become much too long are split, those with next to no rows merged into others.
///
/// A split trains centroids for a list's rows. These, the rows of the other lists that are split
/// and those of the lists beside are coded for the nearest of all new centroids, or of the lists
/// beside, and written anew: rows of a new kind fall into several lists, and searches would look
/// for them in the lists of their own centroids. Rows of a list that is merged are coded for the
/// nearest list that stays, and written to pages in front of that list's. All of it becomes valid
/// with one record (generation.hpp). Most rows are copied beside inserts; those that came to these
/// lists meanwhile, and those of lists that are merged, are copied while inserts that need a page
/// wait.
///
/// Codes are made of vectors where the index has them, of cold codes otherwise, whose errors add
/// up, and of the table's rows where it has neither.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

#include <cstdint>

namespace nearest::pg::inverted {

/// Rows of a list, as multiples of the mean of all lists.
struct ListLimits {
  double split_above, merge_below;
};

struct Rebalanced {
  std::int64_t split, merged;  ///< lists
  std::int64_t written_blocks, retired_blocks;
};

/// The caller holds ShareUpdateExclusiveLock on the table.
Rebalanced rebalance(Relation heap, Relation index, const ListLimits& limits);

}  // namespace nearest::pg::inverted
