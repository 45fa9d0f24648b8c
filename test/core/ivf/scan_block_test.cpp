#include "core/ivf/scan_block.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

namespace nearest::core {
namespace {

constexpr std::size_t kSegments = 25;

/// A block of random codes, and a table.
struct RandomBlock {
  std::vector<float> products, a, b, error;
  std::vector<std::uint8_t> entries, codes;
  ByteTable table{};

  explicit RandomBlock(unsigned seed = 9)
      : products(kSegments * 16), a(32), b(32), error(32, 0.01F) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> uniform(0.5F, 1.5F);
    for (float& x : products) x = uniform(random) - 1;
    for (std::size_t j = 0; j < 32; ++j) a[j] = uniform(random), b[j] = uniform(random);
    entries.resize(products.size());
    codes.resize(kSegments * 16);
    for (std::uint8_t& code : codes) code = static_cast<std::uint8_t>(random());
    table = make_byte_table(products.data(), kSegments, entries.data());
  }
  CodeBlockView view(std::size_t n) const {
    return {codes.data(), {a.data(), b.data(), error.data()}, n};
  }
  float product(std::size_t j) const {
    float sum = 0;
    for (std::size_t s = 0; s < kSegments; ++s) {
      const unsigned both = codes[16 * s + j % 16];
      sum += products[16 * s + (j < 16 ? both & 15U : both >> 4)];
    }
    return sum;
  }
};

TEST(ScanBlock, scores_as_the_estimator_does_and_leaves_out_empty_places) {
  const RandomBlock block;
  for (const std::size_t n : {1, 16, 20, 31, 32}) {
    for (const float deviations : {kBoundDeviations, 3.5F}) {
      const ListTerms list{4, 2, deviations};
      std::vector<bool> is_found(32);
      const auto limit = [] { return std::numeric_limits<float>::max(); };
      scan_block(block.table, kSegments, list, block.view(n), limit,
                 [&](std::size_t j, float lower) {
                   ASSERT_LT(j, n);
                   is_found[j] = true;
                   const float rounded = 0.5F * block.table.step * kSegments;
                   const float width =
                       deviations * (2 * block.error[j] + block.table.deviation * block.b[j]);
                   EXPECT_NEAR(lower, 4 + block.a[j] - block.b[j] * block.product(j) - width,
                               block.b[j] * rounded + 1e-5F);
                 });
      for (std::size_t j = 0; j < 32; ++j) EXPECT_EQ(is_found[j], j < n) << "there is no limit";
    }
  }
}

TEST(ScanBlock, finds_what_is_not_above_a_limit_that_falls) {
  const RandomBlock block;
  const ListTerms list{4, 2};
  std::vector<float> lowers(32);
  float limit = std::numeric_limits<float>::max();
  scan_block(
      block.table, kSegments, list, block.view(32), [&] { return limit; },
      [&](std::size_t j, float lower) { lowers[j] = lower; });
  float least = limit;
  std::vector<bool> is_found(32);
  scan_block(
      block.table, kSegments, list, block.view(32), [&] { return least; },
      [&](std::size_t j, float lower) {
        EXPECT_FLOAT_EQ(lower, lowers[j]);
        EXPECT_LE(lower, least);
        least = lower;
        is_found[j] = true;
      });
  float so_far = std::numeric_limits<float>::max();
  for (std::size_t j = 0; j < 32; ++j) {
    EXPECT_EQ(is_found[j], lowers[j] <= so_far) << j;
    so_far = std::min(so_far, lowers[j]);
  }
}

TEST(ScanBlock, finds_what_is_as_low_as_the_limit) {
  // To the last bit, on all instruction sets: else equal rows of which a pass has enough are lost.
  for (const KernelTable* set : available_kernels()) {
    ASSERT_TRUE(choose_kernels(set->name));
    for (int i = 0; i < 20; ++i) {
      const RandomBlock block(static_cast<unsigned>(i));
      const ListTerms list{4, 1.7F, 3.1F};
      std::vector<float> lowers(32);
      scan_block(
          block.table, kSegments, list, block.view(32),
          [] { return std::numeric_limits<float>::max(); },
          [&](std::size_t j, float lower) { lowers[j] = lower; });
      for (std::size_t j = 0; j < 32; ++j) {
        bool is_found = false;
        scan_block(
            block.table, kSegments, list, block.view(32), [&] { return lowers[j]; },
            [&](std::size_t k, float) { is_found = is_found || k == j; });
        EXPECT_TRUE(is_found) << set->name << ' ' << j;
      }
    }
  }
  choose_kernels("auto");
}

}  // namespace
}  // namespace nearest::core
