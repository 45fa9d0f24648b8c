#include "core/cluster/kmeans.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <new>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "../graph/test_arena.hpp"
#include "core/cluster/two_level.hpp"

namespace nearest::core {
namespace {

constexpr unsigned kSeed = 20240601;

/// Rows around a few centers, in random order.
struct Blobs {
  std::size_t dim;
  std::vector<float> centers, values;

  Blobs(std::size_t n, std::size_t dim_, std::size_t n_centers, float spread) : dim(dim_) {
    std::mt19937 random(kSeed);
    std::normal_distribution<float> normal;
    centers.resize(n_centers * dim);
    for (float& x : centers) x = 10 * normal(random);
    values.resize(n * dim);
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t c = random() % n_centers;
      for (std::size_t d = 0; d < dim; ++d) {
        values[i * dim + d] = centers[c * dim + d] + spread * normal(random);
      }
    }
  }
  Rows rows() const { return {values.data(), values.size() / dim, dim}; }
};

double squared(const float* a, const float* b, std::size_t dim) {
  double sum = 0;
  for (std::size_t d = 0; d < dim; ++d) sum += std::pow(static_cast<double>(a[d]) - b[d], 2);
  return sum;
}

std::size_t naive_nearest(const float* row, const std::vector<float>& centroids, std::size_t dim) {
  std::size_t best = 0;
  for (std::size_t c = 1; c * dim < centroids.size(); ++c) {
    if (squared(row, &centroids[c * dim], dim) < squared(row, &centroids[best * dim], dim))
      best = c;
  }
  return best;
}

double mean_error(const Rows& rows, const std::vector<float>& centroids) {
  double sum = 0;
  for (std::size_t i = 0; i < rows.n; ++i) {
    const std::size_t c = naive_nearest(rows.row(i), centroids, rows.dim);
    sum += squared(rows.row(i), &centroids[c * rows.dim], rows.dim);
  }
  return sum / static_cast<double>(rows.n);
}

/// Runs chunks backwards and on threads.
struct ThreadRunner {
  template <class F>
  void run(std::size_t n, F&& f) {
    std::thread odd([&] {
      for (std::size_t i = n; i-- > 0;) {
        if (i % 2 == 1) f(i);
      }
    });
    for (std::size_t i = n; i-- > 0;) {
      if (i % 2 == 0) f(i);
    }
    odd.join();
  }
  void round(std::size_t done, std::size_t total) {
    EXPECT_LE(done, total);
    ++rounds;
  }
  std::size_t rounds = 0;
};

template <class R>
std::vector<float> train(R& runner, const Rows& rows, const KMeansOptions& options) {
  TestMemory memory;
  std::vector<float> centroids(options.clusters * rows.dim);
  kmeans(memory.arena(), runner, rows, options, centroids.data());
  EXPECT_EQ(memory.lent(), 0U) << "work space is given back";
  EXPECT_FALSE(memory.was_misused());
  return centroids;
}
std::vector<float> train(const Rows& rows, const KMeansOptions& options) {
  SerialRunner runner;
  return train(runner, rows, options);
}

TEST(NearestCentroid, agrees_with_a_naive_search_for_every_shape_of_panels) {
  for (const std::size_t dim : {1, 3, 8, 17, 100}) {
    for (const std::size_t n : {1, 15, 16, 17, 64, 65, 200}) {
      const Blobs centroids(n, dim, n, 1.0F), queries(101, dim, 7, 3.0F);
      TestMemory memory;
      const CentroidPanels panels = allocate_panels(memory.arena(), n, dim);
      panels.fill(centroids.values.data());
      std::vector<std::uint32_t> nearest(queries.rows().n, 999);
      find_nearest(panels, queries.rows(), nearest.data());
      for (std::size_t i = 0; i < nearest.size(); ++i) {
        const float* const row = queries.rows().row(i);
        const std::size_t naive = naive_nearest(row, centroids.values, dim);
        EXPECT_NEAR(squared(row, &centroids.values[nearest[i] * dim], dim),
                    squared(row, &centroids.values[naive * dim], dim), 1e-2)
            << dim << ' ' << n << ' ' << i;
      }
    }
  }
}

TEST(KMeans, finds_centers_that_lie_apart) {
  const Blobs blobs(2000, 20, 12, 0.1F);
  const std::vector<float> centroids = train(blobs.rows(), {12, 1});
  std::size_t n_found = 0;
  for (std::size_t c = 0; c < 12; ++c) {
    const float* const center = &blobs.centers[c * 20];
    const std::size_t found = naive_nearest(center, centroids, 20);
    n_found += squared(center, &centroids[found * 20], 20) < 0.1 ? 1 : 0;
  }
  EXPECT_GE(n_found, 9U) << "seeds are drawn: they may miss one and take another twice";
}

/// One round from the same start, with means and nearest centroids in double precision.
TEST(KMeans, a_round_is_that_of_a_naive_version) {
  const Blobs blobs(3000, 24, 300, 6.0F);
  const Rows rows = blobs.rows();
  std::vector<float> expected = train(rows, {40, 5, false, 3});
  const std::vector<float> found = train(rows, {40, 5, false, 4});
  std::vector<double> sums(expected.size());
  std::vector<double> sizes(40);
  for (std::size_t i = 0; i < rows.n; ++i) {
    const std::size_t c = naive_nearest(rows.row(i), expected, 24);
    sizes[c] += 1;
    for (std::size_t d = 0; d < 24; ++d) sums[c * 24 + d] += rows.row(i)[d];
  }
  std::size_t equal = 0;
  for (std::size_t c = 0; c < 40; ++c) {
    ASSERT_GT(sizes[c], 0);
    double difference = 0;
    for (std::size_t d = 0; d < 24; ++d) {
      difference += std::pow(sums[c * 24 + d] / sizes[c] - found[c * 24 + d], 2);
    }
    if (difference < 1e-8) ++equal;
  }
  EXPECT_GE(equal, 38U) << "a row may lie on a border, within the rounding of float32";
}

TEST(KMeans, rounds_make_the_error_smaller_than_seeds_do_and_seeds_than_chance) {
  const Blobs blobs(4000, 16, 50, 0.5F);
  const Rows rows = blobs.rows();
  const double trained = mean_error(rows, train(rows, {50, 3}));
  const double seeded = mean_error(rows, train(rows, {50, 3, false, 0}));
  const double chance = mean_error(rows, {blobs.values.begin(), blobs.values.begin() + 50 * 16});
  EXPECT_LT(trained, 0.8 * seeded);
  EXPECT_LT(seeded, 0.5 * chance);
}

TEST(KMeans, threads_and_the_order_of_chunks_change_no_bit) {
  const Blobs blobs(9000, 33, 100, 5.0F);
  for (const bool is_spherical : {false, true}) {
    ThreadRunner threads;
    EXPECT_EQ(train(threads, blobs.rows(), {150, 9, is_spherical}),
              train(blobs.rows(), {150, 9, is_spherical}));
    EXPECT_GT(threads.rounds, kKMeansRounds);
  }
  EXPECT_NE(train(blobs.rows(), {150, 9}), train(blobs.rows(), {150, 10})) << "the seed counts";
}

TEST(KMeans, spherical_centroids_have_length_one_and_follow_directions) {
  Blobs blobs(3000, 10, 5, 0.5F);
  std::mt19937 random(kSeed);
  for (std::size_t i = 0; i < 3000; ++i) {
    float* const row = &blobs.values[i * 10];
    const double norm = std::sqrt(squared(row, std::vector<float>(10).data(), 10));
    for (std::size_t d = 0; d < 10; ++d) row[d] = static_cast<float>(row[d] / norm);
  }
  const std::vector<float> centroids = train(blobs.rows(), {5, 2, true});
  for (std::size_t c = 0; c < 5; ++c) {
    EXPECT_NEAR(squared(&centroids[c * 10], std::vector<float>(10).data(), 10), 1, 1e-5);
  }
  EXPECT_LT(mean_error(blobs.rows(), centroids), 0.05);
}

TEST(KMeans, fewer_different_rows_than_clusters_do_no_harm) {
  for (const std::size_t n : {1, 2, 5}) {
    std::vector<float> values(n * 3);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i / 3 % 2);
    const std::vector<float> centroids = train({values.data(), n, 3}, {8, 4});
    EXPECT_EQ(mean_error({values.data(), n, 3}, centroids), 0) << n;
  }
}

TEST(KMeans, without_rows_centroids_are_the_origin) {
  EXPECT_EQ(train({nullptr, 0, 3}, {2, 4}), std::vector<float>(6));
}

TEST(KMeans, empty_clusters_get_rows_of_the_largest) {
  const std::vector<float> values = {0, 1, 2, 3, 4, 5, 100, 101};
  const std::vector<std::uint32_t> nearest = {2, 2, 2, 2, 2, 2, 0, 0};
  std::vector<std::uint32_t> starts(5), order(8), sizes = {2, 0, 6, 0};
  const ClusterOrder clusters{starts.data(), order.data()};
  clusters.fill(nearest.data(), 8, 4);
  EXPECT_EQ(starts, (std::vector<std::uint32_t>{0, 2, 2, 8, 8}));
  EXPECT_EQ(order, (std::vector<std::uint32_t>{6, 7, 0, 1, 2, 3, 4, 5}));
  std::vector<float> centroids = {100.5F, -1, 2.5F, -1};
  Random random(1);
  fill_empty({values.data(), 8, 1}, clusters, 4, random, sizes.data(), centroids.data());
  for (const std::size_t c : {1, 3}) {
    EXPECT_GE(centroids[c], 0);
    EXPECT_LE(centroids[c], 5);
  }
  EXPECT_EQ(sizes[0] + sizes[1] + sizes[2] + sizes[3], 8U);
  EXPECT_EQ(sizes[1] + sizes[3], 4U);
}

TEST(TrainLists, seats_are_in_proportion_and_within_rows) {
  const std::vector<std::uint32_t> sizes = {100, 0, 1, 50, 3};
  std::vector<std::uint32_t> shares(5);
  apportion(sizes.data(), 5, 30, shares.data());
  EXPECT_EQ(shares[1], 0U);
  EXPECT_EQ(shares[2], 1U);
  EXPECT_EQ(shares[0] + shares[1] + shares[2] + shares[3] + shares[4], 30U);
  EXPECT_NEAR(shares[0], 19, 1);
  EXPECT_NEAR(shares[3], 9.5, 1);
}

TEST(TrainLists, two_levels_train_nearly_as_well_as_one) {
  constexpr std::size_t kLists = kMostFlatLists + 52, kDim = 8;
  const Blobs blobs(20000, kDim, 500, 3.0F);
  const std::size_t groups = group_count(kLists);
  ASSERT_EQ(groups, 45U);
  TestMemory memory;
  ThreadRunner runner;
  std::vector<float> centroids(kLists * kDim), centers(groups * kDim);
  std::vector<std::uint32_t> starts(groups + 1);
  train_lists(memory.arena(), runner, blobs.rows(), {kLists, 1, false, 4}, centroids.data(),
              centers.data(), starts.data());
  EXPECT_EQ(memory.lent(), 0U);
  EXPECT_EQ(starts.front(), 0U);
  EXPECT_EQ(starts.back(), kLists);
  EXPECT_TRUE(std::is_sorted(starts.begin(), starts.end()));
  const double two = mean_error(blobs.rows(), centroids);
  const double one = mean_error(blobs.rows(), train(blobs.rows(), {kLists, 1, false, 4}));
  EXPECT_LT(two, 1.15 * one);
  // Centroids lie with their group.
  std::size_t at_home = 0;
  for (std::size_t g = 0; g < groups; ++g) {
    for (std::size_t c = starts[g]; c < starts[g + 1]; ++c) {
      at_home += naive_nearest(&centroids[c * kDim], centers, kDim) == g ? 1 : 0;
    }
  }
  EXPECT_GT(at_home, kLists * 8 / 10);
}

TEST(TrainLists, lists_that_were_trained_at_once_are_put_into_groups) {
  constexpr std::size_t kLists = 400, kDim = 8;
  const Blobs blobs(6000, kDim, 300, 3.0F);
  const std::size_t groups = group_count(kLists);
  ASSERT_EQ(groups, 20U);
  ASSERT_EQ(group_count(kFewestGroupedLists - 1), 1U);
  TestMemory memory;
  ThreadRunner runner;
  std::vector<float> centroids(kLists * kDim), centers(groups * kDim);
  std::vector<std::uint32_t> starts(groups + 1);
  train_lists(memory.arena(), runner, blobs.rows(), {kLists, 1, false, 4}, centroids.data(),
              centers.data(), starts.data());
  EXPECT_EQ(memory.lent(), 0U);
  EXPECT_EQ(starts.front(), 0U);
  EXPECT_EQ(starts.back(), kLists);
  EXPECT_TRUE(std::is_sorted(starts.begin(), starts.end()));
  // They are those of one level, in another order.
  const std::vector<float> one = train(blobs.rows(), {kLists, 1, false, 4});
  std::multiset<std::vector<float>> expected, is;
  for (std::size_t c = 0; c < kLists; ++c) {
    expected.emplace(one.begin() + c * kDim, one.begin() + (c + 1) * kDim);
    is.emplace(centroids.begin() + c * kDim, centroids.begin() + (c + 1) * kDim);
  }
  EXPECT_EQ(is, expected);
  // The nearest list of nearly all rows is in one of the nearest groups.
  std::size_t found = 0;
  for (std::size_t i = 0; i < blobs.rows().n; i += 10) {
    const float* const row = blobs.rows().row(i);
    std::vector<std::pair<double, std::size_t>> order;
    for (std::size_t g = 0; g < groups; ++g)
      order.emplace_back(squared(row, &centers[g * kDim], kDim), g);
    std::sort(order.begin(), order.end());
    const std::size_t nearest = naive_nearest(row, centroids, kDim);
    for (std::size_t t = 0; t < groups_tried_alone(kLists); ++t) {
      const std::size_t g = order[t].second;
      found += nearest >= starts[g] && nearest < starts[g + 1] ? 1 : 0;
    }
  }
  EXPECT_GT(found, 600 * 97 / 100);
}

/// Counts what is lent at once.
struct CountingArena {
  struct Counts {
    std::map<void*, std::size_t> lent;
    std::size_t now = 0, most = 0;
  };
  Counts* counts;
  void* allocate(std::size_t bytes) const {
    void* const memory = ::operator new(bytes);
    counts->lent[memory] = bytes;
    counts->now += bytes;
    counts->most = std::max(counts->most, counts->now);
    return memory;
  }
  void release(void* memory) const {
    counts->now -= counts->lent.at(memory);
    counts->lent.erase(memory);
    ::operator delete(memory);
  }
};

TEST(TrainLists, work_memory_is_within_what_is_stated) {
  constexpr std::size_t kRows = 9000, kDim = 24;
  const Blobs blobs(kRows, kDim, 40, 3.0F);
  SerialRunner runner;
  for (const std::size_t lists : {1U, 100U, 2048U, 3000U}) {
    const std::size_t groups = group_count(lists);
    CountingArena::Counts flat, grouped;
    std::vector<float> centroids(lists * kDim), centers(groups * kDim);
    std::vector<std::uint32_t> starts(groups + 1);
    kmeans(CountingArena{&flat}, runner, blobs.rows(), {lists, 1, false, 1}, centroids.data());
    EXPECT_LE(flat.most, kmeans_bytes(kRows, kDim, lists)) << lists;
    train_lists(CountingArena{&grouped}, runner, blobs.rows(), {lists, 1, false, 1},
                centroids.data(), centers.data(), starts.data());
    EXPECT_LE(grouped.most, train_lists_bytes(kRows, kDim, lists)) << lists;
    EXPECT_EQ(flat.now + grouped.now, 0U);
  }
}

TEST(TrainLists, more_lists_than_rows_are_rows) {
  const Blobs blobs(50, 4, 10, 1.0F);
  constexpr std::size_t kLists = 3000;
  const std::size_t groups = group_count(kLists);
  TestMemory memory;
  SerialRunner runner;
  std::vector<float> centroids(kLists * 4), centers(groups * 4);
  std::vector<std::uint32_t> starts(groups + 1);
  train_lists(memory.arena(), runner, blobs.rows(), {kLists, 1, false, 1}, centroids.data(),
              centers.data(), starts.data());
  EXPECT_EQ(starts.back(), kLists);
  EXPECT_NEAR(mean_error(blobs.rows(), centroids), 0, 1);
}

TEST(Imbalance, is_one_for_equal_lists_and_the_number_of_lists_for_a_single_full_one) {
  const std::uint32_t even[] = {5, 5, 5, 5}, single[] = {0, 20, 0, 0};
  EXPECT_DOUBLE_EQ(imbalance(even, 4), 1);
  EXPECT_DOUBLE_EQ(imbalance(single, 4), 4);
}

}  // namespace
}  // namespace nearest::core
