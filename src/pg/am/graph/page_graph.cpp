#include "pg/am/graph/page_graph.hpp"

namespace nearest::pg::graph {
namespace {

/// Prepares what link codes are scored against, of the point in room.y.
void prepare_links(const GraphState& state, const QueryRoom& room, PreparedQuery* prepared) {
  const std::size_t dim = state.space.dim;
  prepared->link_point = room.y;
  if (!state.space.is_rotated()) {
    // Own codes of L1 keep their coordinates, link codes are of rotated ones all the same.
    std::memcpy(room.rotated, room.y, dim * sizeof(float));
    core::rotate({room.rotated, dim}, state.space.seed);
    prepared->link_point = room.rotated;
  }
  prepared->link_query =
      core::encode_link_query(state.shape.link_code, {prepared->link_point, dim}, room.planes);
}

}  // namespace

QueryRoom make_query_room(const GraphState& state) {
  const std::size_t dim = state.space.dim;
  const std::size_t words = core::link_query_words(state.shape.link_code);
  return {static_cast<float*>(palloc(dim * sizeof(float))),
          static_cast<std::int16_t*>(palloc(dim * sizeof(std::int16_t))),
          static_cast<std::uint64_t*>(palloc(words * sizeof(std::uint64_t))),
          state.space.is_rotated() ? nullptr : static_cast<float*>(palloc(dim * sizeof(float)))};
}

PreparedQuery prepare_query(const GraphState& state, core::VectorView<float> q, bool for_insert) {
  PreparedQuery prepared{};
  const QueryRoom room = make_query_room(state);
  core::GraphSpace placed_in = state.space;
  if (for_insert && state.space.metric == core::Metric::kInnerProduct) {
    // A row keeps its length; its added coordinate takes part in distances.
    placed_in.query_norm = core::norm_of(q);
    prepared.added = std::sqrt(
        core::added_square(state.space, core::round_up(placed_in.query_norm / state.space.unit)));
  }
  prepared.point = core::place_query(placed_in, q, room.y, room.z);
  prepare_links(state, room, &prepared);
  return prepared;
}

PreparedQuery prepare_code(const GraphState& state, const std::int8_t* code, float scale,
                           float norm, const QueryRoom& room) {
  PreparedQuery prepared{};
  const std::size_t dim = state.space.dim;
  core::decode_scalar({code, dim}, scale, room.y);
  prepared.point.y = room.y;
  prepared.point.code = core::encode_query({room.y, dim}, room.z);
  prepare_links(state, room, &prepared);
  if (state.space.metric == core::Metric::kInnerProduct) {
    prepared.added = std::sqrt(core::added_square(state.space, norm));
  }
  return prepared;
}

}  // namespace nearest::pg::graph
