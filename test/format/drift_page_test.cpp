#include "format/drift_page.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "format/drift_summary.hpp"

namespace nearest::format {
namespace {

constexpr std::uint32_t kLists = 10;

DriftRow row_of(double norm, std::uint32_t list) {
  DriftRow row{{}, list};
  row.figures.set(core::Figure::kNorm, norm);
  row.figures.set(core::Figure::kCentroidDistance, norm / 4);
  return row;
}

/// Built on rows of norms 1 to 2.
DriftPage built_page(std::uint64_t rows) {
  DriftPage page{};
  page.lists = kLists;
  page.built_rows = rows;
  for (std::uint64_t i = 0; i < rows; ++i) {
    const auto list = static_cast<std::uint32_t>(i % kLists);
    page.built.add(row_of(1 + static_cast<double>(i % 100) / 100, list).figures);
    page.built_in[core::bucket_of(list, kLists)] += 1;
  }
  return page;
}

const char* fault_of(const DriftPage& page, std::uint32_t lists = kLists) {
  return drift_page_fault({reinterpret_cast<const std::byte*>(&page), sizeof page}, sizeof page,
                          lists);
}

TEST(DriftSample, takes_one_row_in_so_many) {
  int taken = 0;
  for (std::uint16_t block = 0; block < 1000; ++block) {
    for (std::uint16_t offset = 1; offset <= 16; ++offset) {
      taken += is_drift_sampled({0, block, offset}) ? 1 : 0;
    }
  }
  EXPECT_NEAR(taken, 1000, 100);
}

TEST(DriftPage, keeps_every_row_in_its_sums_or_among_the_recent) {
  DriftPage page = built_page(200);
  core::FigureMoments all;
  for (std::uint32_t i = 0; i < 5 * kRecentRows + 7; ++i) {
    EXPECT_EQ(page.sampled, i);
    const DriftSummary summary = summarize(page);
    const double n = i;
    EXPECT_EQ(summary.inserted[core::Figure::kNorm].n, n);
    EXPECT_NEAR(summary.inserted[core::Figure::kNorm].mean, all[core::Figure::kNorm].mean, 1e-9);
    EXPECT_EQ(summary.recent[core::Figure::kNorm].n, std::min<double>(n, kRecentRows));
    EXPECT_EQ(summary.inserted[core::Figure::kCodeError].n, 0);
    EXPECT_EQ(fault_of(page), nullptr);
    const DriftRow row = row_of(1 + i, i % kLists);
    all.add(row.figures);
    page.add(row);
  }
}

TEST(DriftPage, recent_rows_are_the_last) {
  DriftPage page = built_page(200);
  for (std::uint32_t i = 0; i < 3 * kRecentRows; ++i) page.add(row_of(i < 100 ? 5 : 7, 0));
  EXPECT_EQ(summarize(page).recent[core::Figure::kNorm].mean, 7);
  EXPECT_LT(summarize(page).inserted[core::Figure::kNorm].mean, 7);
}

TEST(DriftSummary, sees_what_came_late) {
  DriftPage page = built_page(1000);
  const auto score = [&] { return summarize(page).scores[0]; };
  for (std::uint32_t i = 0; i < 10000; ++i)
    page.add(row_of(1 + (i * 37 % 100) / 100.0, i % kLists));
  EXPECT_LT(score(), 0.1);
  EXPECT_LT(summarize(page).imbalance_score, 0.1);
  for (std::uint32_t i = 0; i < kRecentRows - 2; ++i) page.add(row_of(3, i % kLists));
  EXPECT_GT(score(), 2);
  // and what came early
  for (std::uint32_t i = 0; i < 10000; ++i) page.add(row_of(3, 3));
  for (std::uint32_t i = 0; i < kRecentRows; ++i) page.add(row_of(1.5, 3));
  EXPECT_GT(score(), 1);
  EXPECT_GT(summarize(page).imbalance_score, 1);
}

TEST(DriftSummary, of_a_graph_has_no_imbalance) {
  DriftPage page{};
  for (int i = 0; i < 100; ++i) page.add(row_of(1, 0));
  EXPECT_EQ(fault_of(page, 0), nullptr);
  const DriftSummary summary = summarize(page);
  EXPECT_TRUE(std::isnan(summary.built_imbalance) && std::isnan(summary.inserted_imbalance));
  EXPECT_EQ(summary.imbalance_score, 0);
}

TEST(DriftPage, that_cannot_be_has_a_fault) {
  DriftPage sound = built_page(200);
  for (std::uint32_t i = 0; i < 100; ++i) sound.add(row_of(1, i % kLists));
  EXPECT_EQ(fault_of(sound), nullptr);
  EXPECT_EQ(fault_of(sound, kLists + 1), nullptr) << "some were split just now";
  EXPECT_NE(fault_of(sound, 0), nullptr);
  EXPECT_NE(drift_page_fault({reinterpret_cast<const std::byte*>(&sound), sizeof sound},
                             sizeof sound - 4, kLists),
            nullptr);
  const auto expect_fault = [&](auto&& damage) {
    DriftPage page = sound;
    damage(page);
    EXPECT_NE(fault_of(page), nullptr);
  };
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  expect_fault([](DriftPage& page) { page.reserved = 1; });
  expect_fault([](DriftPage& page) { page.sampled = 20; });
  expect_fault([](DriftPage& page) { page.sampled = ~std::uint64_t{0}; });
  expect_fault([](DriftPage& page) { page.built_rows = 199; });
  expect_fault([](DriftPage& page) { page.built_rows = ~std::uint64_t{0}; });
  expect_fault([](DriftPage& page) { page.built.of[0].n = 1000; });
  expect_fault([](DriftPage& page) { page.built.of[0].n = 1.5; });
  expect_fault([](DriftPage& page) { page.built.of[0].n = kNan; });
  expect_fault([](DriftPage& page) { page.before.of[1].mean = kNan; });
  expect_fault([](DriftPage& page) { page.before.of[1].mean = -1; });
  expect_fault([](DriftPage& page) { page.before.of[1].squares = kNan; });
  expect_fault([](DriftPage& page) { page.before.of[1].squares = -1; });
  expect_fault([](DriftPage& page) { page.before_in[3] += 1; });
  expect_fault([](DriftPage& page) { page.built_in[3] -= 1; });
  expect_fault([](DriftPage& page) { std::swap(page.built_in[3], page.built_in[kLists]); });
  expect_fault([](DriftPage& page) { page.recent[5].list = kLists; });
  expect_fault([](DriftPage& page) { page.recent[5].figures.values[0] = -2; });
  expect_fault([](DriftPage& page) {
    page.recent[5].figures.values[0] = std::numeric_limits<float>::infinity();
  });
}

TEST(DriftPage, counts_by_other_lists_once_these_are_split) {
  DriftPage page = built_page(203);
  for (std::uint32_t i = 0; i < 2 * kRecentRows + 5; ++i) page.add(row_of(1, i % kLists));
  // Rows of lists that the page does not know yet are counted somewhere.
  page.add(row_of(1, kLists + 3));
  EXPECT_EQ(fault_of(page), nullptr);
  for (const std::uint32_t lists : {kLists + 1, 1000U}) {
    DriftPage other = page;
    std::vector<std::uint64_t> sizes(lists, 0);
    for (std::uint32_t list = 1; list < lists; ++list) sizes[list] = list % 5;
    other.spread(lists, sizes.data());
    EXPECT_EQ(fault_of(other, lists), nullptr);
    EXPECT_EQ(fault_of(other, kLists), nullptr) << "an index that knows of the others later";
    std::uint64_t built = 0, before = 0;
    for (std::size_t i = 0; i < core::kListBuckets; ++i) {
      built += other.built_in[i];
      before += other.before_in[i];
    }
    EXPECT_EQ(built, page.built_rows);
    EXPECT_EQ(before, page.n_before());
    EXPECT_EQ(other.sampled, page.sampled);
  }
  DriftPage empty = page;
  const std::vector<std::uint64_t> none(20, 0);
  empty.spread(20, none.data());
  EXPECT_EQ(fault_of(empty, 20), nullptr);
}

}  // namespace
}  // namespace nearest::format
