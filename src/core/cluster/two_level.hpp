/// k-means for thousands of lists: clusters of clusters.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/cluster/kmeans.hpp"

namespace nearest::core {

/// Up to here all centroids are trained, and scored by a query, at once.
inline constexpr std::size_t kMostFlatLists = 2048;

/// How many groups centroids are in: the square root of the lists.
inline std::size_t group_count(std::size_t lists) {
  return lists <= kMostFlatLists ? 1
                                 : static_cast<std::size_t>(std::sqrt(static_cast<double>(lists)));
}

/// Deals out `seats` in proportion to the sizes, one at least where there is a row and never more
/// than rows, by largest remainders. sizes, shares: (n). Sum of sizes >= seats >= n.
inline void apportion(const std::uint32_t* sizes, std::size_t n, std::size_t seats,
                      std::uint32_t* shares) {
  double total = 0;
  for (std::size_t i = 0; i < n; ++i) total += sizes[i];
  std::size_t dealt = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double exact = total > 0 ? sizes[i] * (static_cast<double>(seats) / total) : 0;
    shares[i] = sizes[i] == 0 ? 0 : std::max<std::uint32_t>(1, static_cast<std::uint32_t>(exact));
    shares[i] = std::min(shares[i], sizes[i]);
    dealt += shares[i];
  }
  // Where most rows are for each seat, one more; where fewest, one less.
  while (dealt != seats) {
    std::size_t best = n;
    for (std::size_t i = 0; i < n; ++i) {
      if (dealt < seats ? shares[i] >= sizes[i] : shares[i] <= 1) continue;
      const double load = static_cast<double>(sizes[i]) / (shares[i] + (dealt < seats ? 1 : 0));
      const double other =
          best == n ? 0
                    : static_cast<double>(sizes[best]) / (shares[best] + (dealt < seats ? 1 : 0));
      if (best == n || (dealt < seats ? load > other : load < other)) best = i;
    }
    if (best == n) return;
    if (dealt < seats) {
      ++shares[best], ++dealt;
    } else {
      --shares[best], --dealt;
    }
  }
}

/// Work memory of train_lists in the worst case, that all rows are of one group.
constexpr std::size_t train_lists_bytes(std::size_t n, std::size_t dim, std::size_t lists) {
  return n * (dim * sizeof(float) + 2 * sizeof(std::uint32_t)) + kmeans_bytes(n, dim, lists);
}

/// Trains `lists` centroids, those of a group behind one another.
///
/// centroids: (lists, dim). group_starts: (group_count(lists) + 1) the first centroid of each group
/// and the end. group_centers: (group_count(lists), dim), the mean of the group's rows; with one
/// group neither is of use to a search. With g = sqrt(lists) groups, a round costs n · g products
/// for the groups and about n · g within them, instead of n · lists.
template <Arena A, Runner R>
void train_lists(A arena, R& runner, const Rows& rows, const KMeansOptions& options,
                 float* centroids, float* group_centers, std::uint32_t* group_starts) {
  const std::size_t n = rows.n, dim = rows.dim, lists = options.clusters;
  const std::size_t groups = group_count(lists);
  group_starts[0] = 0;
  if (groups == 1 || n < lists) {
    // Too few rows for that many lists: the rows themselves are the centroids.
    kmeans(arena, runner, rows, options, centroids);
    std::fill_n(group_centers, dim * groups, 0.0F);
    for (std::size_t g = 1; g <= groups; ++g) group_starts[g] = static_cast<std::uint32_t>(lists);
    return;
  }
  KMeansOptions outer = options;
  outer.clusters = groups;
  kmeans(arena, runner, rows, outer, group_centers);

  auto* const nearest = static_cast<std::uint32_t*>(arena.allocate(n * sizeof(std::uint32_t)));
  const CentroidPanels panels = allocate_panels(arena, groups, dim);
  panels.fill(group_centers);
  constexpr std::size_t kChunkRows = 1024;
  runner.run(chunk_count(n, kChunkRows), [&](std::size_t chunk) {
    const Chunk part = chunk_range(chunk, n, kChunkRows);
    find_nearest(panels, {rows.row(part.begin), part.end - part.begin, dim}, nearest + part.begin);
  });
  release_panels(arena, panels);

  ClusterOrder order{};
  order.starts = static_cast<std::uint32_t*>(arena.allocate((groups + 1) * sizeof(std::uint32_t)));
  order.order = static_cast<std::uint32_t*>(arena.allocate(n * sizeof(std::uint32_t)));
  auto* const sizes = static_cast<std::uint32_t*>(arena.allocate(groups * sizeof(std::uint32_t)));
  auto* const shares = static_cast<std::uint32_t*>(arena.allocate(groups * sizeof(std::uint32_t)));
  order.fill(nearest, n, groups);
  std::size_t largest = 0;
  for (std::size_t g = 0; g < groups; ++g) {
    sizes[g] = order.size(g);
    largest = std::max<std::size_t>(largest, sizes[g]);
  }
  apportion(sizes, groups, lists, shares);
  auto* const gathered = static_cast<float*>(arena.allocate(largest * dim * sizeof(float)));
  for (std::size_t g = 0; g < groups; ++g) {
    for (std::size_t i = 0; i < sizes[g]; ++i) {
      std::copy_n(rows.row(order.order[order.starts[g] + i]), dim, gathered + i * dim);
    }
    group_starts[g + 1] = group_starts[g] + shares[g];
    if (shares[g] > 0) {
      KMeansOptions inner = options;
      inner.clusters = shares[g];
      inner.seed = options.seed + 2 + g;
      kmeans(arena, runner, {gathered, sizes[g], dim}, inner,
             centroids + std::size_t{group_starts[g]} * dim);
    }
    runner.round(g + 1, groups);
  }
  arena.release(gathered);
  arena.release(shares);
  arena.release(sizes);
  arena.release(order.order);
  arena.release(order.starts);
  arena.release(nearest);
}

}  // namespace nearest::core
