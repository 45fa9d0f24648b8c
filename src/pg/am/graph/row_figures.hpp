/// What the drift page is told of a row of a graph.
#pragma once

#include "core/drift/figures.hpp"
#include "core/graph/space.hpp"

namespace nearest::pg::graph {

/// Of two points, as the graph has it (squared, or L1), in the table's units.
inline double length_of(const core::GraphSpace& space, float distance) {
  const double length = distance > 0 ? static_cast<double>(distance) : 0;
  return (space.metric == core::Metric::kL1 ? length : std::sqrt(length)) * space.unit;
}

/// All but the distance to a neighbor. y: (dim) the row's point.
inline core::RowFigures figures_of(const core::GraphSpace& space, core::VectorView<float> x,
                                   const float* y, const core::PlacedPoint& point) {
  core::RowFigures figures;
  figures.set(core::Figure::kNorm, core::norm_of(x));
  if (!point.is_coded) return figures;
  const core::VectorView<float> placed{y, x.size()};
  const double length =
      space.metric == core::Metric::kL1 ? core::absolute_norm_of(placed) : core::norm_of(placed);
  figures.set(core::Figure::kCentroidDistance, length * space.unit);
  figures.set(core::Figure::kCodeError, length > 0 ? point.code.error / length : 0);
  return figures;
}

}  // namespace nearest::pg::graph
