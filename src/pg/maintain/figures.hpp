/// What can be told of the upkeep of an index without reading it.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

namespace nearest::pg::maintain {

struct IndexFigures {
  double rows;          ///< of the index, by the catalogs' last count; -1: not known
  BlockNumber pages;    ///< that the index has
  double needed_pages;  ///< that it would have at most, built anew
  bool is_usable;       ///< the first page is sound and of this version
  bool is_trained;
  bool is_trainable;  ///< there are enough rows now
  bool may_read;      ///< the current user, the table
  /// What nearest_drift would say, or "damaged". Null if the user may not read the table or the
  /// index is not usable.
  const char* drift;
  double drift_score;
};

/// heap, index: open.
IndexFigures figures_of(Relation heap, Relation index);

/// Whether the current user may rebuild indexes of a table, as REINDEX decides.
bool may_maintain(Oid table);

}  // namespace nearest::pg::maintain
