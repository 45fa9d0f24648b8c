/// Where k-means starts: k-means++ in rounds.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/arena.hpp"
#include "core/cluster/nearest_centroid.hpp"
#include "core/random.hpp"
#include "core/runner.hpp"

namespace nearest::core {

/// Seeds are drawn from so many rows per centroid at most, evenly taken: more change nothing that
/// the rounds after it would not.
inline constexpr std::size_t kSeedRowsPerCluster = 16;

/// The rows that seeds are drawn from: runs of kRun rows, so that the kernel finds them side by
/// side, evenly taken.
struct SeedRows {
  static constexpr std::size_t kRun = 16;
  Rows rows;
  std::size_t n, stride;  ///< of the rows; from run to run

  static SeedRows of(const Rows& rows, std::size_t clusters) {
    const std::size_t wanted = (kSeedRowsPerCluster * clusters + kRun - 1) / kRun * kRun;
    if (wanted >= rows.n) return {rows, rows.n, kRun};
    return {rows, wanted, rows.n / (wanted / kRun)};
  }
  const float* row(std::size_t i) const { return rows.row(i / kRun * stride + i % kRun); }
};

/// Lowers the distances of some rows to those from new centroids, 64 at most. begin: a run's.
inline void lower_distances(const SeedRows& rows, const CentroidPanels& fresh, const Chunk& part,
                            const float* squares, float* distances) {
  float products[SeedRows::kRun * 64];
  const std::size_t width = fresh.shape.width();
  for (std::size_t begin = part.begin; begin < part.end; begin += SeedRows::kRun) {
    const std::size_t n = std::min(SeedRows::kRun, part.end - begin);
    kernels().panel_products_f32(rows.row(begin), n, rows.rows.dim, fresh.panels, width, products);
    for (std::size_t i = 0; i < n; ++i) {
      BestCentroid best;
      best.take(products + i * width, fresh.half_squares, fresh.shape.n, 0);
      const float squared = std::max(0.0F, squares[begin + i] - 2 * best.score);
      distances[begin + i] = std::min(distances[begin + i], squared);
    }
  }
}

/// Chooses rows as first centroids with probabilities in proportion to their squared distance from
/// those chosen before (Arthur and Vassilvitskii 2007), but in rounds that add a quarter to what is
/// there, so that distances are a matter of the block kernel and in all cost one pass (the idea of
/// k-means||, Bahmani et al. 2012). centroids: (clusters, dim). With fewer different rows than
/// clusters, rows come more than once.
template <Arena A, Runner R>
void seed_centroids(A arena, R& runner, const Rows& rows, std::size_t clusters, std::uint64_t seed,
                    float* centroids) {
  constexpr std::size_t kGrowth = 4, kMostAtOnce = 64, kTries = 4;
  const std::size_t dim = rows.dim;
  const SeedRows candidates = SeedRows::of(rows, clusters);
  const std::size_t n = candidates.n;
  auto* const squares = static_cast<float*>(arena.allocate(n * sizeof(float)));
  auto* const distances = static_cast<float*>(arena.allocate(n * sizeof(float)));
  auto* const sums = static_cast<double*>(arena.allocate(n * sizeof(double)));
  const CentroidPanels fresh = allocate_panels(arena, std::min(clusters, kMostAtOnce), dim);
  std::fill(distances, distances + n, std::numeric_limits<float>::max());
  const std::size_t chunk_rows =
      std::max<std::size_t>(1, (std::size_t{1} << 14) / dim) * SeedRows::kRun;
  const std::size_t chunks = chunk_count(n, chunk_rows);
  runner.run(chunks, [&](std::size_t chunk) {
    const Chunk part = chunk_range(chunk, n, chunk_rows);
    for (std::size_t i = part.begin; i < part.end; ++i) {
      squares[i] = kernels().inner_product_f32(candidates.row(i), candidates.row(i), dim);
    }
  });

  Random random(seed);
  std::size_t chosen = 0;
  const auto choose = [&](std::size_t i) {
    std::copy_n(candidates.row(i), dim, centroids + chosen * dim);
    ++chosen;
  };
  choose(random.below(n));
  std::size_t n_fresh = 1;
  while (chosen < clusters) {
    CentroidPanels view = fresh;
    view.shape.n = n_fresh;
    view.fill(centroids + (chosen - n_fresh) * dim);
    runner.run(chunks, [&](std::size_t chunk) {
      lower_distances(candidates, view, chunk_range(chunk, n, chunk_rows), squares, distances);
    });
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) sums[i] = total += static_cast<double>(distances[i]);
    n_fresh =
        std::min({std::max<std::size_t>(1, chosen / kGrowth), kMostAtOnce, clusters - chosen});
    std::size_t drawn[kMostAtOnce];
    for (std::size_t k = 0; k < n_fresh; ++k) {
      for (std::size_t attempt = 0; attempt < kTries; ++attempt) {
        const double place = random.uniform() * total;
        drawn[k] = total > 0
                       ? static_cast<std::size_t>(std::upper_bound(sums, sums + n, place) - sums)
                       : random.below(n);
        drawn[k] = std::min(drawn[k], n - 1);
        if (std::find(drawn, drawn + k, drawn[k]) == drawn + k) break;
      }
      choose(drawn[k]);
    }
    runner.round(chosen, clusters);
  }
  release_panels(arena, fresh);
  arena.release(sums);
  arena.release(distances);
  arena.release(squares);
}

}  // namespace nearest::core
