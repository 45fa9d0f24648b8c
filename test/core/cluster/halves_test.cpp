#include "core/cluster/halves.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "../graph/test_arena.hpp"
#include "core/cluster/far_rows.hpp"

namespace nearest::core {
namespace {

struct OneThread {
  template <class F>
  void run(std::size_t n, F&& f) {
    for (std::size_t i = 0; i < n; ++i) f(i);
  }
  void round(std::size_t /*done*/, std::size_t /*total*/) {}
};

std::vector<std::size_t> sizes_of(const std::vector<float>& rows, std::size_t dim,
                                  const std::vector<float>& centroids, std::size_t n) {
  TestMemory memory;
  const CentroidPanels panels = allocate_panels(memory.arena(), n, dim);
  panels.fill(centroids.data());
  std::vector<std::uint32_t> nearest(rows.size() / dim);
  find_nearest(panels, {rows.data(), nearest.size(), dim}, nearest.data());
  std::vector<std::size_t> sizes(n);
  for (const std::uint32_t c : nearest) ++sizes[c];
  return sizes;
}

std::size_t train(std::vector<float>* rows, std::size_t dim, std::size_t clusters,
                  std::vector<float>* centroids) {
  TestMemory memory;
  OneThread runner;
  centroids->resize(clusters * dim);
  return train_by_halves(memory.arena(), runner, rows->data(), rows->size() / dim, dim,
                         {clusters, 7}, centroids->data());
}

TEST(Halves, deal_out_many_rows_that_are_near_beside_few_that_are_far_apart) {
  constexpr std::size_t kDim = 4;
  std::mt19937 random(20240601);
  std::normal_distribution<float> normal;
  std::vector<float> rows;
  for (int i = 0; i < 1000; ++i) {
    const bool is_apart = i % 20 == 0;
    for (std::size_t d = 0; d < kDim; ++d) {
      rows.push_back(is_apart ? 1000 * normal(random) : 5000 + normal(random));
    }
  }
  const std::vector<float> before = rows;
  std::vector<float> centroids;
  ASSERT_EQ(train(&rows, kDim, 4, &centroids), 4U);
  const std::vector<std::size_t> sizes = sizes_of(rows, kDim, centroids, 4);
  EXPECT_LT(*std::max_element(sizes.begin(), sizes.end()), 600U);

  // The order of rows changes, and nothing else.
  const auto sorted = [](std::vector<float> values) {
    std::sort(values.begin(), values.end());
    return values;
  };
  EXPECT_EQ(sorted(rows), sorted(before));
}

TEST(Halves, leave_equal_rows_together) {
  std::vector<float> rows(300, 2.5F), centroids;
  EXPECT_EQ(train(&rows, 3, 8, &centroids), 1U);
  EXPECT_EQ(std::vector<float>(centroids.begin(), centroids.begin() + 3),
            std::vector<float>(3, 2.5F));
  rows.clear();
  EXPECT_EQ(train(&rows, 3, 8, &centroids), 0U);
}

TEST(Halves, are_no_more_than_rows) {
  std::vector<float> rows = {0, 1, 2, 3}, centroids;
  EXPECT_EQ(train(&rows, 1, 10, &centroids), 4U);
  EXPECT_EQ(sizes_of(rows, 1, centroids, 4), std::vector<std::size_t>(4, 1));
}

std::vector<float> not_far(std::vector<float> rows) {
  const std::vector<double> distances(rows.begin(), rows.end());
  std::vector<double> work(rows.size());
  const std::size_t left =
      drop_far_rows(rows.data(), rows.size(), 1, distances.data(), work.data());
  rows.resize(left);
  return rows;
}

TEST(FarRows, are_those_many_times_farther_than_nearly_all) {
  std::vector<float> rows(100, 1);
  rows[10] = 33;
  rows[20] = 31;
  rows[99] = 1e30F;
  const std::vector<float> left = not_far(rows);
  EXPECT_EQ(left.size(), 98U);
  EXPECT_EQ(*std::max_element(left.begin(), left.end()), 31);
  // Where nearly all are nowhere, and where there are none.
  EXPECT_EQ(not_far(std::vector<float>(100, 0)).size(), 100U);
  EXPECT_TRUE(not_far({}).empty());
}

}  // namespace
}  // namespace nearest::core
