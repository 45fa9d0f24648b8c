/// Indexes as they were built, for those who list them.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

#include <cstdint>

#include "pg/inspect/own_index.hpp"

namespace nearest::pg::models {

struct BuiltIndex {
  bool is_readable;  ///< its metapage can be read; nothing else is known otherwise
  bool is_graph;
  std::uint32_t dim;
  std::uint32_t m, ef_construction;  ///< of a graph
  std::uint32_t lists;               ///< of an inverted file; 0 if it is not trained
  std::uint64_t model_stamp;
};

/// Never raises for what is on its pages. The index is one of ours.
BuiltIndex read_built_index(Relation index);

}  // namespace nearest::pg::models
