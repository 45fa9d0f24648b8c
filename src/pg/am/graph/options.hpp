/// Options of hnsw indexes: WITH (m = 16, ef_construction = 64).
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

namespace nearest::pg::graph {

/// As the server parses them.
struct GraphOptions {
  int32 vl_len_;  // varlena header, do not touch directly
  int m;
  int ef_construction;
};

/// Defines the options; once, when the library is loaded.
void define_options();

/// The access method's parser of options.
bytea* parse_options(Datum reloptions, bool validate);

/// The options of an index, or the defaults. Raises if they do not fit together.
GraphOptions options_of(Relation index);

}  // namespace nearest::pg::graph
