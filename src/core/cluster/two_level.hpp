/// Groups of lists, and k-means for thousands of lists: clusters of clusters.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/cluster/kmeans.hpp"

namespace nearest::core {

/// Up to here all centroids are trained, and scored by a query, at once.
inline constexpr std::size_t kMostFlatLists = 2048;
/// From here on lists are in groups, so that a single row's list is found without all centroids.
inline constexpr std::size_t kFewestGroupedLists = 128;
/// A row's nearest list is in one of so many nearest groups, in all but some percent of cases; else
/// it gets one that is about as near.
inline constexpr std::size_t kGroupsTried = 8;

/// How many groups centroids are in: the square root of the lists.
inline std::size_t group_count(std::size_t lists) {
  return lists < kFewestGroupedLists
             ? 1
             : static_cast<std::size_t>(std::sqrt(static_cast<double>(lists)));
}
/// Whether groups are trained first, and lists within them.
constexpr bool is_trained_by_groups(std::size_t lists) { return lists > kMostFlatLists; }
/// The same for a row that comes alone. Where lists were trained at once, groups are of near ones,
/// and four will do: fashion784, 300 and 1,000 lists, 0.998 of the rows get the nearest list, and
/// the others one that is 0.05 farther on average.
constexpr std::size_t groups_tried_alone(std::size_t lists) {
  return is_trained_by_groups(lists) ? kGroupsTried : 4;
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

/// Rows in the order of their nearest centers. Memory is lent until release_order.
template <Arena A, Runner R>
ClusterOrder order_by_center(A arena, R& runner, const Rows& rows, const float* centers,
                             std::size_t n_centers) {
  auto* const nearest = static_cast<std::uint32_t*>(arena.allocate(rows.n * sizeof(std::uint32_t)));
  const CentroidPanels panels = allocate_panels(arena, n_centers, rows.dim);
  panels.fill(centers);
  constexpr std::size_t kChunkRows = 1024;
  runner.run(chunk_count(rows.n, kChunkRows), [&](std::size_t chunk) {
    const Chunk part = chunk_range(chunk, rows.n, kChunkRows);
    find_nearest(panels, {rows.row(part.begin), part.end - part.begin, rows.dim},
                 nearest + part.begin);
  });
  release_panels(arena, panels);
  ClusterOrder order{};
  order.starts =
      static_cast<std::uint32_t*>(arena.allocate((n_centers + 1) * sizeof(std::uint32_t)));
  order.order = static_cast<std::uint32_t*>(arena.allocate(rows.n * sizeof(std::uint32_t)));
  order.fill(nearest, rows.n, n_centers);
  arena.release(nearest);
  return order;
}
template <Arena A>
void release_order(A arena, const ClusterOrder& order) {
  arena.release(order.order);
  arena.release(order.starts);
}

/// Puts trained centroids into groups: changes their order, so that those of a group lie behind one
/// another. Sizes as for train_lists.
template <Arena A, Runner R>
void group_lists(A arena, R& runner, const Rows& lists, const KMeansOptions& options,
                 float* centroids, float* group_centers, std::uint32_t* group_starts) {
  KMeansOptions grouping = options;
  grouping.clusters = group_count(lists.n);
  kmeans(arena, runner, lists, grouping, group_centers);
  const ClusterOrder order =
      order_by_center(arena, runner, lists, group_centers, grouping.clusters);
  auto* const sorted = static_cast<float*>(arena.allocate(lists.n * lists.dim * sizeof(float)));
  for (std::size_t i = 0; i < lists.n; ++i) {
    std::copy_n(lists.row(order.order[i]), lists.dim, sorted + i * lists.dim);
  }
  std::copy_n(sorted, lists.n * lists.dim, centroids);
  std::copy_n(order.starts, grouping.clusters + 1, group_starts);
  arena.release(sorted);
  release_order(arena, order);
}

/// Trains `lists` centroids, those of a group behind one another.
///
/// centroids: (lists, dim). group_starts: (group_count(lists) + 1) the first centroid of each group
/// and the end. group_centers: (group_count(lists), dim), the mean of the group's rows, or of its
/// lists; with one group neither is of use to a search. With g = sqrt(lists) groups that are
/// trained first, a round costs n · g products for the groups and about n · g within them, instead
/// of n · lists.
template <Arena A, Runner R>
void train_lists(A arena, R& runner, const Rows& rows, const KMeansOptions& options,
                 float* centroids, float* group_centers, std::uint32_t* group_starts) {
  const std::size_t n = rows.n, dim = rows.dim, lists = options.clusters;
  const std::size_t groups = group_count(lists);
  group_starts[0] = 0;
  if (n < lists || !is_trained_by_groups(lists)) {
    kmeans(arena, runner, rows, options, centroids);
    if (n >= lists && groups > 1) {
      group_lists(arena, runner, {centroids, lists, dim}, options, centroids, group_centers,
                  group_starts);
      return;
    }
    // Too few rows for that many lists: the rows themselves are the centroids.
    std::fill_n(group_centers, dim * groups, 0.0F);
    for (std::size_t g = 1; g <= groups; ++g) group_starts[g] = static_cast<std::uint32_t>(lists);
    return;
  }
  KMeansOptions outer = options;
  outer.clusters = groups;
  kmeans(arena, runner, rows, outer, group_centers);
  const ClusterOrder order = order_by_center(arena, runner, rows, group_centers, groups);
  auto* const sizes = static_cast<std::uint32_t*>(arena.allocate(groups * sizeof(std::uint32_t)));
  auto* const shares = static_cast<std::uint32_t*>(arena.allocate(groups * sizeof(std::uint32_t)));
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
  release_order(arena, order);
}

}  // namespace nearest::core
