#include "pg/models/built_index.hpp"

extern "C" {
#include "access/xlog.h"
}

#include "pg/am/graph/state.hpp"
#include "pg/am/index_kind.hpp"
#include "pg/am/inverted/state.hpp"

namespace nearest::pg::models {

BuiltIndex read_built_index(Relation index) {
  BuiltIndex built{};
  const bool has_pages = !RELATION_IS_OTHER_TEMP(index) && index->rd_index->indisvalid &&
                         (RelationIsPermanent(index) || !RecoveryInProgress());
  if (!has_pages) return built;
  built.is_graph = is_graph(index);
  if (built.is_graph) {
    const graph::GraphState* const state = graph::try_load_state(index);
    if (state == nullptr) return built;
    built.is_readable = true;
    built.dim = state->meta.dim;
    built.m = state->meta.m;
    built.ef_construction = state->meta.ef_construction;
    built.model_stamp = state->meta.model_stamp;
  } else {
    format::InvertedMeta meta;
    if (!inverted::try_load_shape(index, &meta)) return built;
    built.is_readable = true;
    built.dim = meta.dim;
    built.lists = meta.sample_rows > 0 ? meta.lists : 0;
    built.model_stamp = meta.model_stamp;
  }
  return built;
}

}  // namespace nearest::pg::models
