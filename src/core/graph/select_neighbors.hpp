/// Which of many candidates become a node's links.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/graph/candidate_table.hpp"

namespace nearest::core {

/// A node at a distance; ties are broken by id so that results repeat.
struct Neighbor {
  float distance;
  NodeId id;

  friend bool operator<(const Neighbor& a, const Neighbor& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.id < b.id);
  }
};

/// Moves the chosen of n candidates, sorted by distance, to the front, again sorted; returns their
/// number, at most k. A candidate is chosen unless one chosen before is nearer to it than `factor`
/// allows (HNSW's heuristic, Malkov and Yashunin 2018, algorithm 4); then the places left go to the
/// nearest of the rest: on a page a further link costs nothing. `passed_over` is work space for n.
template <class Distance>
std::size_t select_neighbors(Neighbor* candidates, std::size_t n, std::size_t k, float factor,
                             Neighbor* passed_over, Distance&& between) {
  if (n <= k) return n;
  std::size_t chosen = 0, passed = 0, i = 0;
  for (; i < n && chosen < k; ++i) {
    const Neighbor candidate = candidates[i];
    bool is_covered = false;
    for (std::size_t j = 0; j < chosen && !is_covered; ++j) {
      is_covered = factor * between(candidate.id, candidates[j].id) < candidate.distance;
    }
    if (is_covered) {
      passed_over[passed++] = candidate;
    } else {
      candidates[chosen++] = candidate;
    }
  }
  const std::size_t filled = std::min(k - chosen, passed);
  std::copy(passed_over, passed_over + filled, candidates + chosen);
  std::inplace_merge(candidates, candidates + chosen, candidates + chosen + filled);
  return chosen + filled;
}

}  // namespace nearest::core
