/// Parameters of a graph: the ranges and defaults that users of pgvector know.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace nearest::core {

inline constexpr int kDefaultM = 16, kMinM = 2, kMaxM = 100;
inline constexpr int kDefaultEfConstruction = 64, kMinEfConstruction = 4, kMaxEfConstruction = 1000;
inline constexpr int kDefaultEfSearch = 40, kMinEfSearch = 1, kMaxEfSearch = 1000;

/// Links of a node: the graph has one level, where HNSW allows twice m.
constexpr std::size_t links_of(int m) { return 2 * static_cast<std::size_t>(m); }

/// Nodes where searches begin: about as many as the square root of the rows, so that a page of
/// them says as much as a level of a hierarchy would. Where that is less than some hundreds an
/// eighth of the nodes: a cluster of a dozen rows far from all others is rarely found but by an
/// entry of its own.
inline constexpr std::size_t kFewestEntries = 64, kManyEntries = 256, kMostEntries = 1024;
inline std::size_t entry_count(std::size_t nodes) {
  const auto root = static_cast<std::size_t>(std::sqrt(static_cast<double>(nodes)));
  const std::size_t eighth = std::clamp(nodes / 8, kFewestEntries, kManyEntries);
  return std::min({std::max(root, eighth), kMostEntries, nodes});
}

/// The chance that a node inserted into a graph of so many, which has so many entries, becomes one.
/// Even where they are enough some rows do, as those that come late may be unlike all before: up to
/// twice as many entries as a build would choose.
inline double entry_chance(std::size_t nodes, std::size_t entries) {
  constexpr double kEarly = 16;
  const auto n = static_cast<double>(nodes);
  if (n <= kEarly) return 1;
  const std::size_t wanted = entry_count(nodes);
  if (entries < wanted) return static_cast<double>(wanted) / n;
  if (wanted == kMostEntries) return 1 / n;
  return std::max(kEarly / n, 1 / (2 * std::sqrt(n)));
}

/// A neighbor is left out if one already chosen is nearer to it than the node by this factor, in
/// squared distance. Above 1 more directions are kept (Vamana's alpha); 1.1 visits a tenth fewer
/// nodes at equal recall than 1.0 on text embeddings, 1.2 gains nothing more.
inline constexpr float kPruneFactorSquared = 1.1F;
inline constexpr float kPruneFactor = 1.0488F;  ///< for distances that are not squared

}  // namespace nearest::core
