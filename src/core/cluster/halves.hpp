/// Clusters of about as many rows each, by halves: for rows of which k-means leaves nearly all in
/// one cluster, as a few that are farther apart got the others.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/arena.hpp"
#include "core/cluster/kmeans.hpp"

namespace nearest::core {

/// Halves the cluster with most rows by k-means, as long as there is one whose rows come apart.
/// rows: (n, dim), whose order changes; centroids: (clusters, dim). Returns how many there are, one
/// at least unless there are no rows.
template <Arena A, Runner R>
std::size_t train_by_halves(A arena, R& runner, float* rows, std::size_t n, std::size_t dim,
                            const KMeansOptions& options, float* centroids) {
  struct Cluster {
    std::size_t begin, end;
    bool is_whole;  ///< its rows do not come apart
    std::size_t size() const { return is_whole ? 0 : end - begin; }
  };
  if (n == 0 || options.clusters == 0) return 0;
  auto* const clusters = static_cast<Cluster*>(arena.allocate(options.clusters * sizeof(Cluster)));
  auto* const nearest = static_cast<std::uint32_t*>(arena.allocate(n * sizeof(std::uint32_t)));
  auto* const halves = static_cast<float*>(arena.allocate(2 * dim * sizeof(float)));
  const CentroidPanels panels = allocate_panels(arena, 2, dim);
  std::size_t count = 1;
  clusters[0] = {0, n, false};
  kmeans(arena, runner, {rows, n, dim}, {1, options.seed, options.is_spherical, 1}, centroids);
  while (count < options.clusters) {
    Cluster* const largest =
        std::max_element(clusters, clusters + count,
                         [](const Cluster& a, const Cluster& b) { return a.size() < b.size(); });
    if (largest->size() < 2) break;
    const Rows part{rows + largest->begin * dim, largest->size(), dim};
    kmeans(arena, runner, part, {2, options.seed + count, options.is_spherical, options.rounds},
           halves);
    panels.fill(halves);
    find_nearest(panels, part, nearest);
    std::size_t middle = largest->begin;
    for (std::size_t i = 0; i < part.n; ++i) {
      if (nearest[i] != 0) continue;
      float* const row = rows + (largest->begin + i) * dim;
      if (rows + middle * dim != row) std::swap_ranges(row, row + dim, rows + middle * dim);
      ++middle;
    }
    largest->is_whole = middle == largest->begin || middle == largest->end;
    if (largest->is_whole) continue;
    std::copy_n(halves, dim, centroids + (largest - clusters) * dim);
    std::copy_n(halves + dim, dim, centroids + count * dim);
    clusters[count++] = {middle, largest->end, false};
    largest->end = middle;
  }
  release_panels(arena, panels);
  arena.release(halves);
  arena.release(nearest);
  arena.release(clusters);
  return count;
}

}  // namespace nearest::core
