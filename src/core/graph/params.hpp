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
/// them says as much as a level of a hierarchy would.
inline constexpr std::size_t kMostEntries = 1024;
inline std::size_t entry_count(std::size_t nodes) {
  const auto root = static_cast<std::size_t>(std::sqrt(static_cast<double>(nodes)));
  return std::min({std::max<std::size_t>(root, 64), kMostEntries, nodes});
}

/// The chance that a node inserted into a graph of so many becomes an entry. Summed over the nodes
/// that came one by one it is about entry_count: of the first hundreds more than the square root's
/// share, falling slowly, so that not all entries are of the first rows, which may be alike.
inline double entry_chance(double nodes) {
  constexpr double kEarly = 16;
  constexpr auto kMost = static_cast<double>(kMostEntries);
  if (nodes <= kEarly) return 1;
  if (nodes >= kMost * kMost) return 1 / nodes;
  return std::max(kEarly / nodes, 1 / (2 * std::sqrt(nodes)));
}

/// A neighbor is left out if one already chosen is nearer to it than the node by this factor, in
/// squared distance. Above 1 more directions are kept (Vamana's alpha); 1.1 visits a tenth fewer
/// nodes at equal recall than 1.0 on text embeddings, 1.2 gains nothing more.
inline constexpr float kPruneFactorSquared = 1.1F;
inline constexpr float kPruneFactor = 1.0488F;  ///< for distances that are not squared

}  // namespace nearest::core
