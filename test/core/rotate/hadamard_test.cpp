#include "core/rotate/hadamard.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace nearest::core {
namespace {

constexpr std::uint64_t kSeed = 20240612;

std::vector<std::size_t> dimensions() {
  std::vector<std::size_t> dims = {100, 384, 784, 1000, 4096};
  for (std::size_t dim = 1; dim <= 67; ++dim) dims.push_back(dim);
  return dims;
}

class Rotation : public testing::Test {
 protected:
  std::vector<float> random_vector(std::size_t dim) {
    std::normal_distribution<float> normal(0.2F, 1.0F);
    std::vector<float> x(dim);
    for (float& element : x) element = normal(random_);
    return x;
  }

  std::mt19937_64 random_{kSeed};
};

std::vector<float> rotated(std::vector<float> x, std::uint64_t seed = 7) {
  rotate(x, seed);
  return x;
}

double product(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

double norm(const std::vector<float>& a) { return std::sqrt(product(a, a)); }

TEST_F(Rotation, keeps_norms_and_inner_products_within_its_error) {
  for (const std::size_t dim : dimensions()) {
    for (int round = 0; round < 5; ++round) {
      const std::vector<float> a = random_vector(dim), b = random_vector(dim);
      const std::vector<float> ra = rotated(a), rb = rotated(b);
      const double error = rotation_error(dim);
      EXPECT_NEAR(norm(ra), norm(a), error * norm(a)) << dim;
      EXPECT_NEAR(product(ra, rb), product(a, b), (2 * error + error * error) * norm(a) * norm(b))
          << dim;
    }
  }
}

/// SplitMix64, as published.
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = state += 0x9E37'79B9'7F4A'7C15U;
  z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9U;
  z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBU;
  return z ^ (z >> 31);
}

/// The rotation as its head comment tells it, in double. Indexes hold what it made: it must not
/// change.
std::vector<double> reference(const std::vector<float>& of, std::uint64_t seed) {
  std::vector<double> x(of.begin(), of.end());
  const std::size_t dim = x.size();
  std::size_t window = 1;
  while (2 * window <= dim) window *= 2;
  for (int round = 0; round < 4; ++round) {
    for (std::size_t begin = 0; begin < dim; begin += 64) {
      const std::uint64_t signs = next_random(seed);
      for (std::size_t i = begin; i < std::min(dim, begin + 64); ++i) {
        if ((signs >> (i - begin) & 1) != 0) x[i] = -x[i];
      }
    }
    double* const at = x.data() + (round % 2 == 0 ? 0 : dim - window);
    for (std::size_t h = 1; h < window; h *= 2) {
      for (std::size_t i = 0; i < window; ++i) {
        if ((i & h) != 0) continue;
        const double a = at[i], b = at[i + h];
        at[i] = (a + b) * std::sqrt(0.5);
        at[i + h] = (a - b) * std::sqrt(0.5);
      }
    }
    if (window == dim || round != 1) continue;
    for (std::size_t i = 0; i < dim / 2; ++i) {
      double& low = x[i];
      double& high = x[dim - dim / 2 + i];
      const double a = low, b = high;
      low = (a + b) * std::sqrt(0.5);
      high = (a - b) * std::sqrt(0.5);
    }
  }
  return x;
}

TEST_F(Rotation, is_what_its_description_says_within_its_error) {
  for (const std::size_t dim : dimensions()) {
    for (int round = 0; round < 3; ++round) {
      const std::vector<float> x = random_vector(dim), y = rotated(x, kSeed + round);
      const std::vector<double> exact = reference(x, kSeed + round);
      double squared = 0;
      for (std::size_t i = 0; i < dim; ++i) squared += (y[i] - exact[i]) * (y[i] - exact[i]);
      EXPECT_LE(std::sqrt(squared), rotation_error(dim) * norm(x)) << dim;
    }
  }
}

/// Random roundings cancel, so that only a count can tell that none was left out.
TEST_F(Rotation, its_error_is_at_least_one_rounding_for_each_step_and_not_three) {
  for (const std::size_t dim : dimensions()) {
    // Each of four rounds scales once, with a scale of two roundings, and adds in every stage; the
    // turn of the halves multiplies by a rounded constant and adds.
    const double stages = std::floor(std::log2(static_cast<double>(dim)));
    const double roundings = 4 * (stages + 3) + 3;
    EXPECT_GE(rotation_error(dim), roundings * 0x1p-24) << dim;
    EXPECT_LE(rotation_error(dim), 3 * roundings * 0x1p-24) << dim;
  }
}

TEST_F(Rotation, keeps_unit_vectors_orthonormal) {
  for (const std::size_t dim : {1U, 2U, 3U, 8U, 31U, 64U, 100U}) {
    std::vector<std::vector<float>> columns;
    for (std::size_t i = 0; i < dim; ++i) {
      std::vector<float> unit(dim);
      unit[i] = 1;
      columns.push_back(rotated(unit));
    }
    for (std::size_t i = 0; i < dim; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        EXPECT_NEAR(product(columns[i], columns[j]), i == j ? 1 : 0, 2.1 * rotation_error(dim))
            << dim;
      }
    }
  }
}

TEST_F(Rotation, repeats_for_a_seed_and_differs_between_seeds) {
  for (const std::size_t dim : {5U, 64U, 784U}) {
    const std::vector<float> x = random_vector(dim);
    EXPECT_EQ(rotated(x, 1), rotated(x, 1));
    EXPECT_NE(rotated(x, 1), rotated(x, 2));
  }
}

TEST_F(Rotation, spreads_every_unit_vector_over_the_coordinates) {
  for (const std::size_t dim : {64U, 65U, 100U, 127U, 384U, 784U}) {
    for (std::size_t i = 0; i < dim; ++i) {
      std::vector<float> unit(dim);
      unit[i] = 1;
      const std::vector<float> y = rotated(unit);
      double largest = 0, fourth_powers = 0;
      for (const float element : y) {
        largest = std::max(largest, std::fabs(static_cast<double>(element)));
        fourth_powers += std::pow(static_cast<double>(element), 4);
      }
      // Of independent Gaussians: fourth_powers · dim ~ 3, largest ~ sqrt(2 ln(dim) / dim).
      EXPECT_LT(largest, 6 / std::sqrt(dim)) << dim << ", coordinate " << i;
      EXPECT_LT(fourth_powers * static_cast<double>(dim), 6) << dim << ", coordinate " << i;
    }
  }
}

TEST_F(Rotation, leaves_the_zero_vector_and_nothing_alone) {
  std::vector<float> nothing;
  rotate(nothing, 1);
  EXPECT_EQ(norm(rotated(std::vector<float>(100))), 0);
}

TEST_F(Rotation, survives_the_largest_points) {
  for (const std::size_t dim : {3U, 784U, 4096U}) {
    std::vector<float> x = random_vector(dim);
    for (float& element : x) element *= 1e30F / 100;
    const std::vector<float> y = rotated(x);
    EXPECT_NEAR(norm(y), norm(x), rotation_error(dim) * norm(x));
  }
}

}  // namespace
}  // namespace nearest::core
