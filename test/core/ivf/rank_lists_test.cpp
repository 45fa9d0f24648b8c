#include "core/ivf/rank_lists.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "../graph/test_arena.hpp"

namespace nearest::core {
namespace {

struct Coded {
  std::vector<std::int8_t> z;
  std::vector<float> scales;
  std::vector<std::uint32_t> squares;
  std::size_t dim;

  Coded(const std::vector<float>& centroids, std::size_t dim_)
      : z(centroids.size()), scales(centroids.size() / dim_), squares(scales.size()), dim(dim_) {
    encode_centroids(centroids.data(), scales.size(), dim, z.data(), scales.data(), squares.data());
  }
  CoarseCodes view() const { return {z.data(), scales.data(), squares.data(), scales.size(), dim}; }
};

std::vector<float> gaussian(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& x : values) x = normal(random);
  return values;
}

TEST(RankLists, gives_the_nearest_lists_nearest_first) {
  constexpr std::size_t kDim = 32, kLists = 300;
  const std::vector<float> centroids = gaussian(kLists * kDim, 1), q = gaussian(kDim, 2);
  const Coded coded(centroids, kDim);
  std::vector<std::int16_t> z(kDim);
  const ScalarQuery query = encode_query(q, z.data());
  std::vector<std::pair<double, std::uint32_t>> exact;
  for (std::uint32_t c = 0; c < kLists; ++c) {
    double sum = 0;
    for (std::size_t d = 0; d < kDim; ++d)
      sum += std::pow(static_cast<double>(q[d]) - centroids[c * kDim + d], 2);
    exact.emplace_back(sum, c);
  }
  std::sort(exact.begin(), exact.end());
  std::vector<RankedList> ranked(kLists + 1);
  ASSERT_EQ(rank_lists(coded.view(), {}, query, 20, ranked.data()), 20U);
  std::size_t same = 0;
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_NEAR(ranked[i].squared, exact[i].first, 0.02 * exact[i].first);
    same += std::count_if(exact.begin(), exact.begin() + 20,
                          [&](const auto& one) { return one.second == ranked[i].list; });
  }
  EXPECT_GE(same, 19U);
  EXPECT_EQ(rank_lists(coded.view(), {}, query, 1000, ranked.data()), kLists) << "all lists";
}

/// Thousands of lists in groups.
struct TrainedLists {
  static constexpr std::size_t kDim = 16, kLists = 4000, kRows = 20000;
  std::size_t groups = group_count(kLists);
  std::vector<float> rows = gaussian(kRows * kDim, 3);
  std::vector<float> centroids = std::vector<float>(kLists * kDim);
  std::vector<float> centers = std::vector<float>(groups * kDim);
  std::vector<std::uint32_t> starts = std::vector<std::uint32_t>(groups + 1);

  TrainedLists() {
    TestMemory memory;
    SerialRunner runner;
    train_lists(memory.arena(), runner, {rows.data(), kRows, kDim}, {kLists, 1, false, 3},
                centroids.data(), centers.data(), starts.data());
  }
};

TEST(RankLists, two_levels_find_nearly_what_one_does) {
  const TrainedLists trained;
  constexpr std::size_t kDim = TrainedLists::kDim, kLists = TrainedLists::kLists;
  const Coded lists(trained.centroids, kDim), coded_centers(trained.centers, kDim);
  std::vector<RankedList> one(kLists + trained.groups), two(kLists + trained.groups);
  std::size_t same = 0, total = 0;
  for (unsigned q = 0; q < 50; ++q) {
    const std::vector<float> values = gaussian(kDim, 100 + q);
    std::vector<std::int16_t> z(kDim);
    const ScalarQuery query = encode_query(values, z.data());
    ASSERT_EQ(rank_lists(lists.view(), {}, query, 30, one.data()), 30U);
    ASSERT_EQ(rank_lists(lists.view(), {coded_centers.view(), trained.starts.data()}, query, 30,
                         two.data()),
              30U);
    for (std::size_t i = 0; i < 30; ++i) {
      same += std::count_if(one.begin(), one.begin() + 30,
                            [&](const RankedList& list) { return list.list == two[i].list; });
      ++total;
    }
  }
  EXPECT_GT(static_cast<double>(same), 0.85 * static_cast<double>(total));
}

TEST(RankLists, the_nearest_list_of_a_row_is_in_the_nearest_groups) {
  const TrainedLists trained;
  constexpr std::size_t kDim = TrainedLists::kDim, kLists = TrainedLists::kLists;
  const Coded lists(trained.centroids, kDim), coded_centers(trained.centers, kDim);
  const ListGroups in_groups{coded_centers.view(), trained.starts.data()};
  std::vector<RankedList> ranked(trained.groups);
  std::size_t same = 0;
  constexpr std::size_t kRows = 200;
  for (std::size_t row = 0; row < kRows; ++row) {
    std::vector<std::int16_t> z(kDim);
    const ScalarQuery code = encode_query({trained.rows.data() + row * kDim, kDim}, z.data());
    std::vector<RankedList> all(kLists);
    lists.view().score(code, 0, kLists, all.data());
    const std::uint32_t nearest = std::min_element(all.begin(), all.end())->list;
    EXPECT_EQ(nearest_list(lists.view(), {}, code, 0, ranked.data()), nearest);
    EXPECT_EQ(nearest_list(lists.view(), in_groups, code, trained.groups, ranked.data()), nearest);
    same += nearest_list(lists.view(), in_groups, code, kGroupsTried, ranked.data()) == nearest;
  }
  EXPECT_GT(same, kRows * 9 / 10);
}

TEST(RankLists, groups_without_lists_are_not_tried) {
  // Groups around 0, 10 and 1: the first one, which is the nearest, has no lists.
  const Coded centers({0.0F, 10.0F, 1.0F}, 1), lists({9.0F, 10.0F, 2.0F, 2.0F}, 1);
  const std::vector<std::uint32_t> starts = {0, 0, 2, 4};
  const float row = 0.1F;
  std::int16_t z = 0;
  std::vector<RankedList> ranked(3);
  const ScalarQuery code = encode_query({&row, 1}, &z);
  EXPECT_EQ(nearest_list(lists.view(), {centers.view(), starts.data()}, code, 1, ranked.data()), 2U)
      << "the first one of equals";
}

TEST(RankLists, lists_that_take_no_rows_are_passed_over) {
  const Coded centers({0.0F, 10.0F}, 1), lists({0.0F, 1.0F, 9.0F, 10.0F}, 1);
  const std::vector<std::uint32_t> starts = {0, 2, 4};
  const float row = 0.1F;
  std::int16_t z = 0;
  std::vector<RankedList> ranked(2);
  const ScalarQuery code = encode_query({&row, 1}, &z);
  CoarseCodes view = lists.view();
  std::vector<float> scales(view.scales, view.scales + view.n);
  view.scales = scales.data();
  const auto nearest = [&](std::size_t tried) {
    return nearest_list(view, {centers.view(), starts.data()}, code, tried, ranked.data());
  };
  EXPECT_EQ(nearest(1), 0U);
  scales[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(nearest(1), 1U);
  scales[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(nearest(1), kNoList);
  EXPECT_EQ(nearest(2), 2U);
  EXPECT_EQ(nearest_list(view, {}, code, 0, ranked.data()), 2U);
}

}  // namespace
}  // namespace nearest::core
