/// What a node's page says of the node itself, copied, for work that goes on without its lock.
#pragma once

#include "pg/am/graph/page_graph.hpp"

namespace nearest::pg::graph {

struct NodeCopy {
  core::NodeId id;
  std::uint32_t version;
  std::uint32_t rank;
  std::uint64_t hash;
  core::ScalarCode code;
  core::PointTraits traits;
  const std::int8_t* z;  ///< (dim) owned by whoever made the copy
};

/// z: (dim) receives the code.
inline NodeCopy copy_node(core::NodeId id, const format::ConstNodeView& node, std::int8_t* z) {
  const format::NodeHeader& header = node.header();
  std::memcpy(z, node.code(), node.shape->link_code.dim);
  return {id, header.version, header.rank(), header.hash, header.code, header.traits, z};
}

/// Of a node's links, at most this part is kept: the others go on getting better.
inline std::size_t most_kept_links(const format::GraphShape& shape) { return shape.max_links / 2; }

/// Whether a node can keep another one of this rank reachable by one link more.
inline bool can_keep(const format::ConstNodeView& node, std::uint32_t rank) {
  const format::NodeHeader& header = node.header();
  std::size_t n_kept = 0;
  for (std::size_t i = 0; i < header.n_links; ++i) {
    n_kept += node.group(i / core::kLinkGroup).is_kept(i % core::kLinkGroup) ? 1 : 0;
  }
  return header.rank() < rank && n_kept < most_kept_links(*node.shape);
}

/// Between two points, the coordinate that inner product adds included.
inline double squared_between(const GraphState& state, const NodeCopy& a, const NodeCopy& b) {
  const double squared =
      core::l2_squared_between(a.z, a.code.scale, a.code.square, b.z, b.code.scale, b.code.square,
                               state.shape.link_code.dim);
  if (state.space.metric != core::Metric::kInnerProduct) return squared;
  const double difference = std::sqrt(core::added_square(state.space, a.traits.norm)) -
                            std::sqrt(core::added_square(state.space, b.traits.norm));
  return squared + difference * difference;
}

/// Between two nodes, as the graph sees it: squared, or L1.
inline float distance_between(const GraphState& state, const NodeCopy& a, const NodeCopy& b) {
  if (state.space.metric != core::Metric::kL1) {
    return static_cast<float>(squared_between(state, a, b));
  }
  return core::kernels().l1_i8(a.z, a.code.scale, b.z, b.code.scale, state.shape.link_code.dim);
}

}  // namespace nearest::pg::graph
