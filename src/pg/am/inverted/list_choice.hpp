/// The list that a new row goes to.
#pragma once

#include "pg/postgres.hpp"

#include "pg/am/inverted/state.hpp"

namespace nearest::pg::inverted {

/// Finds the list of a point y: (dim), and what its code stands for; centroid: (dim). Memory comes
/// from the current context.
///
/// A backend that has read as many pages of centroids for this as there are keeps them all, unless
/// they are too many: the first row of a session reads few pages, a later one none.
std::uint32_t choose_list(Relation index, const InvertedState& state, std::span<const float> y,
                          float* centroid);

}  // namespace nearest::pg::inverted
