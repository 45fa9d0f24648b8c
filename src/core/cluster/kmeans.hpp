/// Seeded k-means: seeds, Lloyd rounds by the block kernel, empty clusters filled from the largest.
///
/// The same rows, seed and options give the same centroids to the last bit, however the runner
/// deals out the chunks: a chunk of an assignment writes its rows' clusters only, rows are put in
/// order of their cluster by one thread, and each mean is summed in the order of its rows. Between
/// instruction sets the last bits of sums differ, and with them a row here or there.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/arena.hpp"
#include "core/cluster/nearest_centroid.hpp"
#include "core/cluster/seed_centroids.hpp"
#include "core/random.hpp"
#include "core/runner.hpp"

namespace nearest::core {

inline constexpr std::size_t kKMeansRounds = 10;  ///< FAISS's; what more gain is below 1 % of error

struct KMeansOptions {
  std::size_t clusters;
  std::uint64_t seed;
  bool is_spherical = false;  ///< centroids are brought to length 1: for rows of length 1
  std::size_t rounds = kKMeansRounds;
};

/// Work memory of kmeans, centroids and rows not counted.
constexpr std::size_t kmeans_bytes(std::size_t n, std::size_t dim, std::size_t clusters) {
  const std::size_t candidates = std::min(n, kSeedRowsPerCluster * clusters + 16);
  const std::size_t seeding = candidates * (2 * sizeof(float) + sizeof(double)) +
                              PanelShape{64, dim}.floats() * sizeof(float);
  const std::size_t rounds = n * 2 * sizeof(std::uint32_t) +
                             PanelShape{clusters, dim}.floats() * sizeof(float) +
                             clusters * (sizeof(float) + 2 * sizeof(std::uint32_t));
  return std::max(seeding, rounds) + 1024;
}

/// Rows in the order of their clusters.
struct ClusterOrder {
  std::uint32_t* starts;  ///< (clusters + 1) places in `order`
  std::uint32_t* order;   ///< (n) row numbers, ascending within a cluster

  /// nearest: (n) the cluster of each row.
  void fill(const std::uint32_t* nearest, std::size_t n, std::size_t clusters) const {
    std::fill(starts, starts + clusters + 1, 0);
    for (std::size_t i = 0; i < n; ++i) ++starts[nearest[i] + 1];
    for (std::size_t c = 0; c < clusters; ++c) starts[c + 1] += starts[c];
    for (std::size_t i = 0; i < n; ++i) {
      order[starts[nearest[i]]++] = static_cast<std::uint32_t>(i);
    }
    for (std::size_t c = clusters; c > 0; --c) starts[c] = starts[c - 1];
    starts[0] = 0;
  }
  std::uint32_t size(std::size_t c) const { return starts[c + 1] - starts[c]; }
};

/// The mean of some rows, of length 1 if spherical; left as it was where there is none.
inline void set_mean(const Rows& rows, const std::uint32_t* members, std::size_t n,
                     bool is_spherical, float* mean) {
  constexpr std::size_t kAtOnce = 256;
  if (n == 0) return;
  double squared = 0;
  const double share = 1 / static_cast<double>(n);
  for (std::size_t begin = 0; begin < rows.dim; begin += kAtOnce) {
    const std::size_t width = std::min(kAtOnce, rows.dim - begin);
    double sums[kAtOnce] = {};
    for (std::size_t i = 0; i < n; ++i) {
      const float* const part = rows.row(members[i]) + begin;
#pragma omp simd
      for (std::size_t d = 0; d < width; ++d) sums[d] += static_cast<double>(part[d]);
    }
    for (std::size_t d = 0; d < width; ++d) {
      const double element = sums[d] * share;
      squared += element * element;
      mean[begin + d] = static_cast<float>(element);
    }
  }
  if (!is_spherical || !(squared > 0)) return;
  const auto scale = static_cast<float>(1 / std::sqrt(squared));
  for (std::size_t d = 0; d < rows.dim; ++d) mean[d] *= scale;
}

/// Each empty cluster gets a row of the one that is the largest by then, and half of its count, as
/// long as there is one with two rows. sizes: (clusters), changed.
inline void fill_empty(const Rows& rows, const ClusterOrder& order, std::size_t clusters,
                       Random& random, std::uint32_t* sizes, float* centroids) {
  for (std::size_t c = 0; c < clusters; ++c) {
    if (sizes[c] != 0) continue;
    std::size_t largest = clusters;
    for (std::size_t j = 0; j < clusters; ++j) {
      if (order.size(j) == 0 || sizes[j] < 2) continue;
      if (largest == clusters || sizes[j] > sizes[largest]) largest = j;
    }
    if (largest == clusters) return;
    const std::size_t member = order.starts[largest] + random.below(order.size(largest));
    std::copy_n(rows.row(order.order[member]), rows.dim, centroids + c * rows.dim);
    sizes[c] = sizes[largest] / 2;
    sizes[largest] -= sizes[c];
  }
}

/// Trains centroids (clusters, dim) on rows. If there are no more rows than clusters, the rows are
/// the centroids, in turn; without rows all are the origin.
template <Arena A, Runner R>
void kmeans(A arena, R& runner, const Rows& rows, const KMeansOptions& options, float* centroids) {
  const std::size_t n = rows.n, dim = rows.dim, clusters = options.clusters;
  if (n == 0 || clusters == 0) {
    std::fill_n(centroids, clusters * dim, 0.0F);
    return;
  }
  if (n <= clusters) {
    for (std::size_t c = 0; c < clusters; ++c)
      std::copy_n(rows.row(c % n), dim, centroids + c * dim);
    return;
  }
  seed_centroids(arena, runner, rows, clusters, options.seed, centroids);

  const auto allocate = [&arena]<class T>(T*& array, std::size_t size) {
    array = static_cast<T*>(arena.allocate((size + 1) * sizeof(T)));
  };
  std::uint32_t *nearest = nullptr, *sizes = nullptr;
  ClusterOrder order{};
  const CentroidPanels panels = allocate_panels(arena, clusters, dim);
  allocate(nearest, n);
  allocate(sizes, clusters);
  allocate(order.starts, clusters + 1);
  allocate(order.order, n);

  constexpr std::size_t kProductsAtOnce = std::size_t{1} << 26;  // some ten milliseconds
  const std::size_t chunk_rows =
      std::clamp<std::size_t>(kProductsAtOnce / (clusters * dim), 16, 4096);
  const std::size_t chunk_means =
      std::max<std::size_t>(1, (std::size_t{1} << 22) / (dim * (n / clusters + 1)));
  Random random(options.seed + 1);
  for (std::size_t round = 0; round < options.rounds; ++round) {
    panels.fill(centroids);
    runner.run(chunk_count(n, chunk_rows), [&](std::size_t chunk) {
      const Chunk part = chunk_range(chunk, n, chunk_rows);
      find_nearest(panels, {rows.row(part.begin), part.end - part.begin, dim},
                   nearest + part.begin);
    });
    order.fill(nearest, n, clusters);
    runner.run(chunk_count(clusters, chunk_means), [&](std::size_t chunk) {
      const Chunk part = chunk_range(chunk, clusters, chunk_means);
      for (std::size_t c = part.begin; c < part.end; ++c) {
        set_mean(rows, order.order + order.starts[c], order.size(c), options.is_spherical,
                 centroids + c * dim);
      }
    });
    for (std::size_t c = 0; c < clusters; ++c) sizes[c] = order.size(c);
    fill_empty(rows, order, clusters, random, sizes, centroids);
    runner.round(round + 1, options.rounds);
  }
  arena.release(order.order);
  arena.release(order.starts);
  arena.release(sizes);
  arena.release(nearest);
  release_panels(arena, panels);
}

/// How uneven lists are: what a probe scans, divided by what it would if all were of one size.
inline double imbalance(const std::uint32_t* sizes, std::size_t n) {
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    sum += sizes[i];
    squares += static_cast<double>(sizes[i]) * sizes[i];
  }
  return sum > 0 ? squares * static_cast<double>(n) / (sum * sum) : 1;
}

}  // namespace nearest::core
