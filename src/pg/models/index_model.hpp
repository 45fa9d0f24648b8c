/// Which model is declared of the vectors that an index holds.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

#include "format/model_stamp.hpp"
#include "pg/models/table_column.hpp"

namespace nearest::pg::models {

struct IndexModel {
  TableColumn column;     ///< of which it is declared: of the table, or of one that it is a part of
  std::uint64_t current;  ///< stamp, or format::kNoModel if nothing is declared
  std::uint64_t first;    ///< what indexes without a stamp count as

  std::uint64_t counts_as(std::uint64_t built) const {
    return built != format::kNoModel ? built : first;
  }
  /// built: the stamp in the index.
  bool makes_stale(std::uint64_t built) const {
    return current != format::kNoModel && counts_as(built) != current;
  }
};

/// What is declared now. Kept until the server says that index, table or register have changed; a
/// declaration says so of the table. Costs a look-up of the backend's own then.
IndexModel find_index_model(Relation index);

/// The stamp for an index that is about to be built. To be read before the table is, so that what
/// is declared meanwhile makes the index stale.
std::uint64_t stamp_for_build(Relation index);

/// Whether this session is to warn of an index that is stale under this stamp: once.
bool takes_warning(Oid index, std::uint64_t current);

/// The schema with the extension's objects.
Oid schema_of_extension(Relation index);

}  // namespace nearest::pg::models
