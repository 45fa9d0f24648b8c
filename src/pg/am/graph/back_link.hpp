/// Which link of a node gives way to a new one, by what the node's page alone tells.
#pragma once

#include "core/graph/params.hpp"
#include "pg/am/graph/page_graph.hpp"

namespace nearest::pg::graph {

inline constexpr std::size_t kNoPlace = ~std::size_t{0};

/// The links of a node as HNSW's choice sees them: lengths follow from the stored factors,
/// distances between two targets from how many signs their codes share, distances to a new target
/// from its estimates. All squared. Fits on the stack; borrows the node.
class HeldLinks {
 public:
  /// x: the new target as a query. own_squared: |x - v|² of the points alone.
  HeldLinks(const GraphState& state, const format::ConstNodeView& node, const PreparedQuery& x,
            double own_squared);

  /// Whether one of them leads nearer to x than the node at this distance is.
  bool is_covered(float length) const;

  /// Place of the link that gives way to a link to x of this length, or kNoPlace if x is covered or
  /// the one that is left out: a build would fill places left over with covered ones too, but here
  /// each link is a page changed, and they gain a few thousandths of recall for half as much WAL.
  /// must: x is to stay. Links that are kept never give way.
  std::size_t place_for(float length, bool must) const;

  /// Whether the i-th leads nearer to x than a node at this distance is.
  bool covers(std::size_t i, float distance) const {
    return links_[i].length < distance && core::kPruneFactorSquared * links_[i].to_new < distance;
  }

  float to_new(std::size_t i) const { return links_[i].to_new; }

 private:
  struct Link {
    float length;       ///< to the target
    float code_length;  ///< the same without the coordinate that inner product adds
    float added;        ///< that coordinate of the target
    float to_new;       ///< from the target to x
  };
  static constexpr core::NodeId kNew = format::kMostLinks;

  /// Between the targets of two links, or of one and x.
  float between(core::NodeId a, core::NodeId b) const;

  const GraphState& state_;
  format::ConstNodeView node_;
  Link links_[format::kMostLinks];
};

}  // namespace nearest::pg::graph
