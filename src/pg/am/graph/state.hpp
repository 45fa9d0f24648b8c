/// What a backend knows of one graph index: the constant part of its metapage, its shape, its
/// space.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

#include "core/graph/space.hpp"
#include "format/graph_page.hpp"

namespace nearest::pg::graph {

struct GraphState {
  format::GraphMeta meta;  ///< its changing part may be old
  format::GraphShape shape;
  core::GraphSpace space;
};

/// The state of an index, in the current memory context. Read from its pages once per relation
/// cache entry: what is constant changes only together with the entry.
/// Raises if the index is damaged or of another version.
GraphState* load_state(Relation index);

/// As load_state, but null instead of an error: for the planner, which must not fail.
GraphState* try_load_state(Relation index);

/// A copy of the metapage as it is now, checked.
format::GraphMeta read_meta(Relation index);

inline constexpr BlockNumber kMetaBlock = 0;

/// Makes the space that a metapage describes; center: (dim) or null, which must live as long.
/// rotated: (dim) work space that receives the rotated center if the metric needs it.
core::GraphSpace make_space(const format::GraphMeta& meta, const float* center, float* rotated);

}  // namespace nearest::pg::graph
