#include "core/quantize/scalar_code.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace nearest::core {
namespace {

constexpr std::uint64_t kSeed = 20240613;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Coded {
  std::vector<std::int8_t> z;
  ScalarCode code;
};

Coded encode(const std::vector<float>& x, ErrorNorm norm = ErrorNorm::kEuclidean) {
  Coded coded{std::vector<std::int8_t>(x.size(), 99), {}};
  coded.code = encode_scalar(x, norm, coded.z.data());
  return coded;
}

struct CodedQuery {
  std::vector<std::int16_t> z;
  ScalarQuery query;
};

CodedQuery encode_16(const std::vector<float>& q) {
  CodedQuery coded{std::vector<std::int16_t>(q.size(), 99), {}};
  coded.query = encode_query(q, coded.z.data());
  return coded;
}

double l2(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

double l1(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::fabs(a[i] - b[i]);
  return sum;
}

std::vector<double> decoded(const Coded& coded) {
  std::vector<double> x;
  for (const std::int8_t z : coded.z) x.push_back(static_cast<double>(coded.code.scale) * z);
  return x;
}

std::vector<double> decoded(const CodedQuery& coded) {
  std::vector<double> x;
  for (const std::int16_t z : coded.z) x.push_back(coded.query.step * z);
  return x;
}

std::vector<double> doubles(const std::vector<float>& x) { return {x.begin(), x.end()}; }

class ScalarCodes : public testing::Test {
 protected:
  std::vector<float> random_vector(std::size_t dim, double scale = 1) {
    std::normal_distribution<double> normal(0.1, 1);
    std::vector<float> x(dim);
    for (float& element : x) element = static_cast<float>(scale * normal(random_));
    return x;
  }

  std::mt19937_64 random_{kSeed};
};

TEST_F(ScalarCodes, error_is_what_the_code_lost_rounded_up) {
  for (const std::size_t dim : {1U, 2U, 7U, 64U, 384U, 1000U}) {
    for (const double scale : {1e-44, 1e-38, 1e-36, 1e-20, 1.0, 1e20, 1e30}) {
      const std::vector<float> x = random_vector(dim, scale);
      for (const ErrorNorm norm : {ErrorNorm::kEuclidean, ErrorNorm::kAbsolute}) {
        const Coded coded = encode(x, norm);
        const double lost = norm == ErrorNorm::kEuclidean ? l2(doubles(x), decoded(coded))
                                                          : l1(doubles(x), decoded(coded));
        EXPECT_GE(coded.code.error, lost * (1 - 1e-14)) << dim << " " << scale;
        EXPECT_LE(coded.code.error, lost * (1 + 3e-7) + 1e-44) << dim << " " << scale;
      }
    }
  }
}

TEST_F(ScalarCodes, distances_to_codes_bound_distances_to_vectors) {
  for (const std::size_t dim : {1U, 3U, 64U, 384U}) {
    for (int round = 0; round < 50; ++round) {
      const std::vector<float> x = random_vector(dim), q = random_vector(dim);
      const Coded coded = encode(x);
      const CodedQuery query = encode_16(q);
      const double to_code = std::sqrt(
          l2_squared_to(query.query, coded.z.data(), coded.code.scale, coded.code.square, dim));
      const double slack = (coded.code.error + query.query.error) * (1 + 1e-9) + 1e-7;
      EXPECT_NEAR(to_code, l2(doubles(x), doubles(q)), slack);
      const Coded by_l1 = encode(x, ErrorNorm::kAbsolute);
      EXPECT_NEAR(l1(decoded(by_l1), doubles(q)), l1(doubles(x), doubles(q)),
                  by_l1.code.error * (1 + 1e-9));
    }
  }
}

TEST_F(ScalarCodes, squares_are_exact_and_the_extremes_are_127) {
  for (const std::size_t dim : {2U, 65U, 1000U}) {
    std::vector<float> x = random_vector(dim);
    x.front() = 17;
    x.back() = -17;
    const Coded coded = encode(x);
    EXPECT_EQ(coded.z.front(), 127);
    EXPECT_EQ(coded.z.back(), -127);
    std::uint32_t square = 0;
    for (const int z : coded.z) square += static_cast<std::uint32_t>(z * z);
    EXPECT_EQ(coded.code.square, square);
  }
}

TEST_F(ScalarCodes, halves_a_step_at_most_are_lost) {
  for (int round = 0; round < 100; ++round) {
    const std::vector<float> x = random_vector(200);
    const Coded coded = encode(x);
    const std::vector<double> back = decoded(coded);
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_LE(std::fabs(x[i] - back[i]), 0.50001 * coded.code.scale);
    }
    std::vector<float> floats(x.size());
    decode_scalar(coded.z, coded.code.scale, floats.data());
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(floats[i], back[i], 1e-6);
  }
}

TEST_F(ScalarCodes, zero_and_the_smallest_vectors_are_all_error) {
  const Coded zero = encode(std::vector<float>(9));
  EXPECT_EQ(zero.code.scale, 0);
  EXPECT_EQ(zero.code.error, 0);
  EXPECT_EQ(zero.z, std::vector<std::int8_t>(9));
  for (const float size : {1e-45F, 1e-40F, 1e-38F}) {
    const Coded tiny = encode({size, -size, 0, size});
    EXPECT_EQ(tiny.code.scale, 0) << size;
    EXPECT_EQ(tiny.z, std::vector<std::int8_t>(4)) << size;
    EXPECT_GE(static_cast<double>(tiny.code.error), std::sqrt(3.0) * size) << size;
  }
  EXPECT_GT(encode({2e-36F, 1e-36F}).code.scale, 0);
}

TEST_F(ScalarCodes, round_up_is_the_next_float_that_is_not_below) {
  EXPECT_EQ(round_up(0), 0.0F);
  EXPECT_EQ(round_up(1), 1.0F);
  EXPECT_EQ(round_up(1 + 1e-12), std::nextafter(1.0F, 2.0F));
  EXPECT_EQ(round_up(1e-60), std::numeric_limits<float>::denorm_min());
  EXPECT_EQ(round_up(1e39), kInfinity);
  std::uniform_real_distribution<double> exponent(-45, 38);
  for (int i = 0; i < 10'000; ++i) {
    const double value = std::pow(10, exponent(random_));
    const float up = round_up(value);
    EXPECT_GE(static_cast<double>(up), value);
    EXPECT_LT(static_cast<double>(std::nextafter(up, 0.0F)), value);
  }
}

TEST_F(ScalarCodes, queries_keep_sums_of_products_within_32_bits) {
  std::vector<std::vector<float>> queries;
  for (const std::size_t dim : {1U, 2U, 516U, 517U, 518U, 1000U, 8000U, 16384U}) {
    queries.emplace_back(dim, 1.0F);
    queries.emplace_back(dim, -3e38F);
    queries.emplace_back(dim, 1e-45F);
    queries.push_back(random_vector(dim));
    std::vector<float> uneven(dim, 0.4999999F);  // all round up
    uneven[0] = 32767;
    queries.push_back(uneven);
    std::vector<float> alone(dim);
    alone[dim - 1] = -1e30F;
    queries.push_back(alone);
  }
  for (const std::vector<float>& q : queries) {
    const CodedQuery coded = encode_16(q);
    std::int64_t sum = 0, most = 0;
    for (const std::int16_t z : coded.z) {
      sum += std::abs(int{z});
      most = std::max<std::int64_t>(most, std::abs(int{z}));
    }
    EXPECT_LT(127 * sum, std::int64_t{1} << 31) << q.size() << " " << q[0];
    EXPECT_LE(most, 32767);
    EXPECT_GT(most, 250) << "no digits are given away, " << q.size() << " " << q[0];
    // Up to the rounding of products in double, which some CPUs fuse and others do not.
    const double rounding = 1e-15 * l2(doubles(q), std::vector<double>(q.size()));
    EXPECT_NEAR(coded.query.error, l2(doubles(q), decoded(coded)),
                1e-12 * (1 + coded.query.error) + rounding);
  }
  EXPECT_EQ(encode_16(std::vector<float>(5)).query.error, 0);
}

TEST_F(ScalarCodes, distances_and_products_of_codes_agree_with_double_precision) {
  for (const std::size_t dim : {1U, 31U, 100U, 784U, 4096U}) {
    for (const double scale : {1e-30, 1.0, 1e25}) {
      const std::vector<float> x = random_vector(dim, scale), y = random_vector(dim, 2 * scale);
      const Coded a = encode(x), b = encode(y);
      const CodedQuery q = encode_16(y);
      const double squared = std::pow(l2(decoded(a), decoded(b)), 2);
      EXPECT_NEAR(l2_squared_between(a.z.data(), a.code.scale, a.code.square, b.z.data(),
                                     b.code.scale, b.code.square, dim),
                  squared, 1e-12 * squared);
      const double to_query = std::pow(l2(decoded(a), decoded(q)), 2);
      EXPECT_NEAR(l2_squared_to(q.query, a.z.data(), a.code.scale, a.code.square, dim), to_query,
                  1e-12 * to_query);
      double product = 0;
      const std::vector<double> at_a = decoded(a), at_q = decoded(q);
      for (std::size_t i = 0; i < dim; ++i) product += at_a[i] * at_q[i];
      EXPECT_NEAR(product_with(q.query, a.z.data(), a.code.scale, dim), product,
                  1e-9 * (squared + to_query));
      EXPECT_EQ(l2_squared_between(a.z.data(), a.code.scale, a.code.square, a.z.data(),
                                   a.code.scale, a.code.square, dim),
                0);
    }
  }
}

}  // namespace
}  // namespace nearest::core
