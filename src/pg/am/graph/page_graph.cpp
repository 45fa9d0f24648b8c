#include "pg/am/graph/page_graph.hpp"

namespace nearest::pg::graph {

PreparedQuery prepare_query(const GraphState& state, core::VectorView<float> q, bool for_insert) {
  const core::GraphSpace& space = state.space;
  const core::LinkCodeShape& code = state.shape.link_code;
  PreparedQuery prepared{};
  auto* const y = static_cast<float*>(palloc(q.size() * sizeof(float)));
  auto* const z = static_cast<std::int16_t*>(palloc(q.size() * sizeof(std::int16_t)));
  auto* const planes =
      static_cast<std::uint64_t*>(palloc(core::link_query_words(code) * sizeof(std::uint64_t)));
  core::GraphSpace placed_in = space;
  if (for_insert && space.metric == core::Metric::kInnerProduct) {
    // A row keeps its length; its added coordinate takes part in distances.
    placed_in.query_norm = core::norm_of(q);
    prepared.added =
        std::sqrt(core::added_square(space, core::round_up(placed_in.query_norm / space.unit)));
  }
  prepared.point = core::place_query(placed_in, q, y, z);
  const float* link_point = y;
  if (!space.is_rotated()) {
    // Own codes of L1 keep their coordinates, link codes are of rotated ones all the same.
    auto* const rotated = static_cast<float*>(palloc(q.size() * sizeof(float)));
    std::memcpy(rotated, y, q.size() * sizeof(float));
    core::rotate({rotated, q.size()}, space.seed);
    link_point = rotated;
  }
  prepared.link_query = core::encode_link_query(code, {link_point, q.size()}, planes);
  return prepared;
}

}  // namespace nearest::pg::graph
