// Every kernel of every instruction set that this CPU has, against sums in double precision.
#include "core/kernels/table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace nearest::core {
namespace {

/// Dimensions around every register width and unrolling, and some of real models.
std::vector<std::size_t> dimensions() {
  std::vector<std::size_t> dims;
  for (std::size_t dim = 0; dim <= 67; ++dim) dims.push_back(dim);
  for (const std::size_t dim : {127, 128, 129, 255, 384, 511, 768, 1023, 1536, 3072, 4097, 16000}) {
    dims.push_back(dim);
  }
  return dims;
}

/// Numbers at an address that is `misalignment` floats off a cache line, ended by NaN: a kernel
/// that reads a lane too many gets it into its sum.
class Numbers {
 public:
  Numbers(std::size_t n, std::size_t misalignment, std::mt19937& random)
      : storage_(n + 64, std::numeric_limits<float>::quiet_NaN()),
        begin_(32 + misalignment),
        n_(n) {
    std::normal_distribution<float> normal(0.1F, 1.0F);
    for (std::size_t i = 0; i < n; ++i) storage_[begin_ + i] = normal(random);
  }
  const float* data() const { return storage_.data() + begin_; }
  std::size_t size() const { return n_; }
  double operator[](std::size_t i) const { return storage_[begin_ + i]; }

 private:
  std::vector<float> storage_;
  std::size_t begin_;
  std::size_t n_;
};

/// What the table's contract allows for a sum of terms whose magnitudes add up to `magnitude`.
double tolerance(std::size_t dim, double magnitude) { return kernel_error(dim) * magnitude; }
double cosine_tolerance(std::size_t dim, double magnitude) {
  return cosine_kernel_error(dim) * magnitude;
}

class Kernels : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(choose_kernels(GetParam()));
    ASSERT_EQ(kernels().name, GetParam());
    RecordProperty("seed", static_cast<int>(kSeed));
  }
  void TearDown() override { choose_kernels("auto"); }

  static constexpr unsigned kSeed = 20240117;
  std::mt19937 random_{kSeed};
};

TEST_P(Kernels, agree_with_double_precision_at_every_dimension_and_alignment) {
  const KernelTable& table = kernels();
  for (const std::size_t dim : dimensions()) {
    for (std::size_t misalignment = 0; misalignment < 4; ++misalignment) {
      const Numbers a(dim, misalignment, random_), b(dim, 3 - misalignment, random_);
      double l2 = 0, product = 0, product_magnitude = 0, l1 = 0, aa = 0, bb = 0;
      for (std::size_t i = 0; i < dim; ++i) {
        l2 += (a[i] - b[i]) * (a[i] - b[i]);
        product += a[i] * b[i];
        product_magnitude += std::abs(a[i] * b[i]);
        l1 += std::abs(a[i] - b[i]);
        aa += a[i] * a[i];
        bb += b[i] * b[i];
      }
      const std::string where =
          "dim " + std::to_string(dim) + ", misalignment " + std::to_string(misalignment);
      EXPECT_NEAR(table.l2_squared_f32(a.data(), b.data(), dim), l2, tolerance(dim, l2)) << where;
      EXPECT_NEAR(table.inner_product_f32(a.data(), b.data(), dim), product,
                  tolerance(dim, product_magnitude))
          << where;
      EXPECT_NEAR(table.l1_f32(a.data(), b.data(), dim), l1, tolerance(dim, l1)) << where;
      const CosineSums sums = table.cosine_sums_f32(a.data(), b.data(), dim);
      EXPECT_NEAR(sums.product, product, cosine_tolerance(dim, product_magnitude)) << where;
      EXPECT_NEAR(sums.a_squared, aa, cosine_tolerance(dim, aa)) << where;
      EXPECT_NEAR(sums.b_squared, bb, cosine_tolerance(dim, bb)) << where;
    }
  }
}

/// Sums that lose every term but the first of each partial sum: squares just under half of its last
/// digit are rounded away. No sum can lose more, so this is how near the contract is to what is.
TEST_P(Kernels, keep_their_contract_where_all_terms_are_lost) {
  double most = 0, most_of_cosine = 0;
  for (const std::size_t dim : {16U, 64U, 1000U, 4000U, 16000U}) {
    for (std::size_t ones = 1; ones <= 64 && ones <= dim; ones *= 2) {
      std::vector<float> a(dim, 0.999F * std::sqrt(0x1p-24F));
      std::fill_n(a.begin(), ones, 1.0F);
      const std::vector<float> zero(dim);
      double exact = 0;
      for (const float element : a) exact += double{element} * element;
      const CosineSums sums = kernels().cosine_sums_f32(a.data(), a.data(), dim);
      for (const float sum : {sums.product, sums.a_squared, sums.b_squared}) {
        EXPECT_NEAR(sum, exact, cosine_tolerance(dim, exact)) << dim;
        most_of_cosine =
            std::max(most_of_cosine, std::abs(sum - exact) / cosine_tolerance(dim, exact));
      }
      for (const float sum : {kernels().inner_product_f32(a.data(), a.data(), dim),
                              kernels().l2_squared_f32(a.data(), zero.data(), dim)}) {
        EXPECT_NEAR(sum, exact, tolerance(dim, exact)) << dim;
        most = std::max(most, std::abs(sum - exact) / tolerance(dim, exact));
      }
      for (float& element : a) element = element == 1 ? 1 : 0.999F * 0x1p-24F;
      double exact_l1 = 0;
      for (const float element : a) exact_l1 += element;
      EXPECT_NEAR(kernels().l1_f32(a.data(), zero.data(), dim), exact_l1, tolerance(dim, exact_l1))
          << dim;
    }
  }
  if (GetParam() == "baseline" || GetParam() == "neon") {  // wider registers have more sums
    EXPECT_GT(most, 0.7);
    EXPECT_GT(most_of_cosine, 0.7);
  }
}

/// What an index stores depends on the rotation, and another machine may read it.
TEST_P(Kernels, rotate_to_the_same_bits_as_every_other_set) {
  const auto rotate = kernels().rotate_f32;
  for (const std::size_t dim : dimensions()) {
    const Numbers a(dim, 0, random_);
    const std::vector<float> x(a.data(), a.data() + dim);
    std::vector<float> here = x, baseline = x;
    rotate(here.data(), dim, 99);
    available_kernels().front()->rotate_f32(baseline.data(), dim, 99);
    EXPECT_EQ(here, baseline) << dim;
  }
}

TEST_P(Kernels, distance_to_itself_is_exactly_zero) {
  for (const std::size_t dim : dimensions()) {
    const Numbers a(dim, 1, random_);
    EXPECT_EQ(kernels().l2_squared_f32(a.data(), a.data(), dim), 0) << dim;
    EXPECT_EQ(kernels().l1_f32(a.data(), a.data(), dim), 0) << dim;
  }
}

TEST_P(Kernels, distances_do_not_depend_on_the_order_of_arguments) {
  for (const std::size_t dim : {1, 7, 33, 100, 784}) {
    const Numbers a(dim, 0, random_), b(dim, 1, random_);
    const auto n = static_cast<std::size_t>(dim);
    EXPECT_EQ(kernels().l2_squared_f32(a.data(), b.data(), n),
              kernels().l2_squared_f32(b.data(), a.data(), n));
    EXPECT_EQ(kernels().inner_product_f32(a.data(), b.data(), n),
              kernels().inner_product_f32(b.data(), a.data(), n));
    EXPECT_EQ(kernels().l1_f32(a.data(), b.data(), n), kernels().l1_f32(b.data(), a.data(), n));
  }
}

TEST_P(Kernels, sums_beyond_the_range_become_infinite) {
  const std::vector<float> huge(100, 3e38F), opposite(100, -3e38F);
  EXPECT_EQ(kernels().l2_squared_f32(huge.data(), opposite.data(), 100), INFINITY);
  EXPECT_EQ(kernels().l1_f32(huge.data(), opposite.data(), 100), INFINITY);
  EXPECT_EQ(kernels().inner_product_f32(huge.data(), opposite.data(), 100), -INFINITY);
}

TEST_P(Kernels, blocks_agree_with_pairs) {
  const KernelTable& table = kernels();
  struct Shape {
    std::size_t n_a, n_b, dim;
  };
  // Whole tiles and every remainder of them, panels of one and of many rows, no rows, no
  // dimensions.
  for (const auto& [n_a, n_b, dim] :
       {Shape{1, 1, 1}, Shape{4, 4, 16}, Shape{5, 7, 3}, Shape{9, 13, 67}, Shape{3, 301, 40},
        Shape{17, 6, 3072}, Shape{2, 5, 8000}, Shape{0, 3, 8}, Shape{3, 0, 8}, Shape{2, 3, 0}}) {
    const Numbers a(n_a * dim, 1, random_), b(n_b * dim, 2, random_);
    std::vector<float> l2(n_a * n_b, -1), product(n_a * n_b, -1);
    table.l2_squared_block_f32(a.data(), n_a, b.data(), n_b, dim, l2.data());
    table.inner_product_block_f32(a.data(), n_a, b.data(), n_b, dim, product.data());
    for (std::size_t i = 0; i < n_a; ++i) {
      for (std::size_t j = 0; j < n_b; ++j) {
        const float* x = a.data() + i * dim;
        const float* y = b.data() + j * dim;
        const float pair_l2 = table.l2_squared_f32(x, y, dim);
        const float pair_product = table.inner_product_f32(x, y, dim);
        const CosineSums sums = table.cosine_sums_f32(x, y, dim);
        const double magnitude = std::sqrt(static_cast<double>(sums.a_squared) * sums.b_squared);
        EXPECT_NEAR(l2[i * n_b + j], pair_l2, 2 * tolerance(dim, pair_l2)) << i << ' ' << j;
        EXPECT_NEAR(product[i * n_b + j], pair_product, 2 * tolerance(dim, magnitude))
            << i << ' ' << j;
      }
    }
  }
}

TEST_P(Kernels, panels_agree_with_pairs) {
  struct Shape {
    std::size_t n, width, dim;
  };
  for (const auto& [n, width, dim] :
       {Shape{1, 16, 1}, Shape{6, 64, 16}, Shape{7, 64, 100}, Shape{13, 48, 5}, Shape{3, 80, 784},
        Shape{0, 16, 4}, Shape{2, 32, 0}, Shape{11, 16, 3}}) {
    const Numbers a(n * dim, 1, random_), panel(dim * width, 3, random_);
    std::vector<float> out(n * width + 1, -77);
    kernels().panel_products_f32(a.data(), n, dim, panel.data(), width, out.data());
    EXPECT_EQ(out.back(), -77) << "written behind the products";
    for (std::size_t r = 0; r < n; ++r) {
      for (std::size_t j = 0; j < width; ++j) {
        double product = 0, magnitude = 0;
        for (std::size_t i = 0; i < dim; ++i) {
          product += a[r * dim + i] * panel[i * width + j];
          magnitude += std::abs(a[r * dim + i] * panel[i * width + j]);
        }
        EXPECT_NEAR(out[r * width + j], product, panel_error(dim) * magnitude) << r << ' ' << j;
      }
    }
  }
}

std::vector<std::string> available_names() {
  std::vector<std::string> names;
  for (const KernelTable* table : available_kernels()) names.emplace_back(table->name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, Kernels, testing::ValuesIn(available_names()),
                         [](const auto& set) { return set.param; });

TEST(Dispatch, begins_with_the_best_set_and_refuses_unknown_ones) {
  EXPECT_EQ(available_kernels().front()->name, "baseline");
  EXPECT_EQ(&kernels(), available_kernels().back());
  EXPECT_FALSE(choose_kernels("mmx"));
  EXPECT_EQ(&kernels(), available_kernels().back());
  EXPECT_TRUE(choose_kernels("baseline"));
  EXPECT_EQ(kernels().name, "baseline");
  EXPECT_TRUE(choose_kernels("auto"));
  EXPECT_EQ(&kernels(), available_kernels().back());
}

}  // namespace
}  // namespace nearest::core
