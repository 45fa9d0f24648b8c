#include "core/quantize/link_code.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "core/rotate/hadamard.hpp"

namespace nearest::core {
namespace {

constexpr std::uint64_t kSeed = 20240614;

using Vector = std::vector<float>;

class LinkCodes : public testing::Test {
 protected:
  /// Correlated coordinates, rotated as points are.
  Vector random_point(std::size_t dim, double scale = 1) {
    std::normal_distribution<double> normal(0, 1);
    Vector x(dim);
    double walk = 0;
    for (float& element : x) {
      walk = 0.8 * walk + normal(random_);
      element = static_cast<float>(scale * walk);
    }
    rotate(x, 3);
    return x;
  }

  std::mt19937_64 random_{kSeed};
};

Vector minus(const Vector& a, const Vector& b) {
  Vector r(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) r[i] = a[i] - b[i];
  return r;
}

double squared(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
  }
  return sum;
}

std::size_t words_of(std::size_t dim) { return (dim + 63) / 64; }

std::vector<LinkCodeShape> shapes() {
  std::vector<LinkCodeShape> all;
  for (const std::uint32_t dim : {1U, 3U, 24U, 63U, 64U, 65U, 100U}) {
    for (std::uint32_t bits = 1; bits <= kMaxCodeBits; ++bits) {
      all.push_back({dim, static_cast<std::uint32_t>(words_of(dim)), bits});
    }
  }
  all.push_back({384, 6, 1});
  all.push_back({784, 13, 1});
  all.push_back({784, 8, 1});  // cut
  all.push_back({384, 4, 2});  // cut
  return all;
}

/// One group of links of a node, and what it estimates.
struct Group {
  explicit Group(const LinkCodeShape& of) : shape(of), codes(of.code_words() * kLinkGroup) {}

  void encode(std::size_t column, const Vector& u, const Vector& v) {
    factors[column] = encode_link(shape, minus(u, v), v, codes.data() + column);
  }
  Vector estimates(const Vector& q, const Vector& v) const {
    std::vector<std::uint64_t> planes(link_query_words(shape), ~std::uint64_t{0});
    const LinkQuery query = encode_link_query(shape, q, planes.data());
    float sums[kLinkGroup];
    score_link_group(shape, query, codes.data(), sums);
    Vector result;
    for (std::size_t j = 0; j < kLinkGroup; ++j) {
      result.push_back(
          static_cast<float>(squared(q, v) + factors[j].a - double{factors[j].b} * sums[j]));
    }
    return result;
  }

  LinkCodeShape shape;
  std::vector<std::uint64_t> codes;
  LinkFactors factors[kLinkGroup] = {};
};

TEST_F(LinkCodes, sums_are_those_of_levels_and_query) {
  for (const LinkCodeShape& shape : shapes()) {
    const Vector v = random_point(shape.dim), q = random_point(shape.dim);
    Group group(shape);
    for (std::size_t j = 0; j < kLinkGroup; ++j) group.encode(j, random_point(shape.dim), v);
    std::vector<std::uint64_t> planes(link_query_words(shape));
    const LinkQuery query = encode_link_query(shape, q, planes.data());
    float sums[kLinkGroup];
    score_link_group(shape, query, group.codes.data(), sums);
    double length = 0, largest = 0;
    for (std::size_t i = 0; i < shape.coded_dims(); ++i) {
      length += std::fabs(q[i]);
      largest = std::max(largest, std::fabs(double{q[i]}));
    }
    const double steps = shape.query_digits() == 2 ? 119 : 7;
    const double most_level = (1 << shape.bits) - 1;
    for (std::size_t j = 0; j < kLinkGroup; ++j) {
      double sum = 0, slack = 1e-5 * length * most_level;
      for (std::size_t i = 0; i < shape.coded_dims(); ++i) {
        int level = 0;
        for (std::uint32_t p = 0; p < shape.bits; ++p) {
          const std::uint64_t word = group.codes[(p * shape.words + i / 64) * kLinkGroup + j];
          level |= static_cast<int>(word >> (i % 64) & 1) << p;
        }
        const double odd = 2 * level - most_level;
        sum += odd * q[i];
        slack += std::fabs(odd) * 0.5001 * largest / steps;  // of the query's digits
      }
      EXPECT_NEAR(sums[j], sum, slack) << shape.dim << " dims, " << shape.bits << " bits";
    }
  }
}

TEST_F(LinkCodes, estimates_have_no_bias_and_follow_distances) {
  struct Case {
    LinkCodeShape shape;
    double correlation;
  };
  const Case cases[] = {{{384, 6, 1}, 0.9},  {{784, 13, 1}, 0.9}, {{784, 8, 1}, 0.85},
                        {{100, 2, 3}, 0.98}, {{24, 1, 8}, 0.999}, {{64, 1, 4}, 0.99},
                        {{384, 4, 2}, 0.9},  {{33, 1, 7}, 0.999}};
  for (const auto& [shape, correlation] : cases) {
    double errors = 0, n = 0, sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0, squares = 0, mean = 0;
    for (int round = 0; round < 300; ++round) {
      const Vector v = random_point(shape.dim);
      const Vector q = random_point(shape.dim);
      Group group(shape);
      std::vector<Vector> us;
      for (std::size_t j = 0; j < kLinkGroup; ++j) {
        // Some near, some far.
        Vector u = random_point(shape.dim, 0.3 + 0.2 * static_cast<double>(j));
        for (std::size_t i = 0; i < u.size(); ++i) u[i] += 0.5F * (v[i] + q[i]);
        group.encode(j, u, v);
        us.push_back(u);
      }
      const Vector estimates = group.estimates(q, v);
      for (std::size_t j = 0; j < kLinkGroup; ++j) {
        const double exact = squared(q, us[j]), estimate = estimates[j];
        errors += estimate - exact;
        squares += (estimate - exact) * (estimate - exact);
        mean += exact;
        sx += exact, sy += estimate, sxx += exact * exact, syy += estimate * estimate;
        sxy += exact * estimate, n += 1;
      }
    }
    const double deviation = std::sqrt(squares / n);
    EXPECT_LT(std::fabs(errors / n), 4 * deviation / std::sqrt(n) + 0.003 * mean / n)
        << shape.dim << " dims, " << shape.bits << " bits";
    const double found = (sxy - sx * sy / n) / std::sqrt((sxx - sx * sx / n) * (syy - sy * sy / n));
    EXPECT_GT(found, correlation) << shape.dim << " dims, " << shape.bits << " bits, "
                                  << shape.words << " words";
  }
}

TEST_F(LinkCodes, more_bits_are_more_exact) {
  double before = std::numeric_limits<double>::infinity();
  for (std::uint32_t bits = 1; bits <= kMaxCodeBits; ++bits) {
    random_.seed(kSeed);
    const LinkCodeShape shape{96, 2, bits};
    double squares = 0;
    for (int round = 0; round < 100; ++round) {
      const Vector v = random_point(96), q = random_point(96);
      Group group(shape);
      std::vector<Vector> us;
      for (std::size_t j = 0; j < kLinkGroup; ++j) {
        us.push_back(random_point(96));
        group.encode(j, us[j], v);
      }
      const Vector estimates = group.estimates(q, v);
      for (std::size_t j = 0; j < kLinkGroup; ++j) {
        squares += std::pow(estimates[j] - squared(q, us[j]), 2);
      }
    }
    EXPECT_LT(squares, bits < 7 ? 0.6 * before : 1.2 * before) << bits;  // the query has 8 bits
    before = squares;
  }
}

TEST_F(LinkCodes, the_node_itself_is_estimated_exactly_as_far_as_it_is) {
  // q = v: what is left is |r|², whatever the code says.
  for (const LinkCodeShape& shape : shapes()) {
    const Vector v = random_point(shape.dim), u = random_point(shape.dim);
    Group group(shape);
    group.encode(3, u, v);
    double magnitude = 0;
    for (const float e : v) magnitude += std::fabs(e);
    const double steps = shape.query_digits() == 2 ? 119 : 7;
    const double levels = (1 << shape.bits) - 1;
    const double digits = group.factors[3].b * levels * magnitude;
    EXPECT_NEAR(group.estimates(v, v)[3], squared(u, v), digits / steps + 1e-4 * squared(u, v));
  }
}

TEST_F(LinkCodes, a_column_is_written_without_touching_the_others) {
  for (const LinkCodeShape& shape : shapes()) {
    Group group(shape);
    std::fill(group.codes.begin(), group.codes.end(), 0xABCD'ABCD'ABCD'ABCDU);
    group.encode(5, random_point(shape.dim), random_point(shape.dim));
    for (std::size_t w = 0; w < shape.code_words(); ++w) {
      for (std::size_t j = 0; j < kLinkGroup; ++j) {
        const std::uint64_t word = group.codes[w * kLinkGroup + j];
        if (j != 5) {
          EXPECT_EQ(word, 0xABCD'ABCD'ABCD'ABCDU);
        } else if (w % shape.words == shape.words - 1 && shape.coded_dims() % 64 != 0) {
          EXPECT_EQ(word >> (shape.coded_dims() % 64), 0U) << "bits behind the dimension";
        }
      }
    }
  }
}

TEST_F(LinkCodes, b_tells_the_length_of_a_link) {
  const LinkCodeShape tested[] = {{784, 13, 1}, {784, 8, 1}, {384, 6, 1}, {384, 6, 2},
                                  {256, 4, 4},  {256, 4, 8}, {100, 2, 3}};
  for (const LinkCodeShape& shape : tested) {
    for (const double scale : {1e-3, 1.0, 1e3}) {
      double ratios = 0;
      for (int round = 0; round < 20; ++round) {
        const Vector r = random_point(shape.dim, scale);
        std::vector<std::uint64_t> code(shape.code_words() * kLinkGroup);
        const LinkFactors factors = encode_link(shape, r, Vector(shape.dim), code.data());
        const double length = squared(r, Vector(shape.dim));
        const double ratio = link_length_squared(shape, factors.b) / length;
        EXPECT_NEAR(ratio, 1, 0.3) << shape.dim << " dims, " << shape.bits << " bits";
        ratios += ratio / 20;
        EXPECT_NEAR(factors.a, length, 1e-5 * length);
      }
      EXPECT_NEAR(ratios, 1, 0.06)
          << shape.dim << " dims, " << shape.bits << " bits, " << shape.words << " words";
    }
  }
}

TEST_F(LinkCodes, no_link_and_no_query_are_zero) {
  for (const LinkCodeShape& shape : shapes()) {
    Group group(shape);
    const Vector v = random_point(shape.dim), zero(shape.dim);
    group.encode(0, v, v);
    EXPECT_EQ(group.factors[0].a, 0);
    EXPECT_EQ(group.factors[0].b, 0);
    EXPECT_EQ(group.estimates(v, v)[0], 0);
    group.encode(1, random_point(shape.dim), v);
    std::vector<std::uint64_t> planes(link_query_words(shape), 1);
    const LinkQuery query = encode_link_query(shape, zero, planes.data());
    float sums[kLinkGroup];
    score_link_group(shape, query, group.codes.data(), sums);
    EXPECT_EQ(sums[1], 0);
  }
}

TEST_F(LinkCodes, factors_and_sums_are_finite_for_points_of_every_size) {
  for (const LinkCodeShape& shape : shapes()) {
    for (const double scale : {1e-45, 1e-40, 1e-37, 1e-30, 1e-10, 1e10, 1e20, 1e28}) {
      const Vector u = random_point(shape.dim, scale), v = random_point(shape.dim, scale);
      Group group(shape);
      group.encode(0, u, v);
      EXPECT_TRUE(std::isfinite(group.factors[0].a)) << scale;
      EXPECT_TRUE(std::isfinite(group.factors[0].b)) << scale;
      std::vector<std::uint64_t> planes(link_query_words(shape));
      const LinkQuery query = encode_link_query(shape, u, planes.data());
      float sums[kLinkGroup];
      score_link_group(shape, query, group.codes.data(), sums);
      double most = 0;
      for (const float e : u) most += std::fabs(double{e}) * 256;
      EXPECT_LE(std::fabs(sums[0]), 2 * most) << shape.dim << " dims, scale " << scale;
    }
  }
}

TEST_F(LinkCodes, digits_of_a_query_reach_both_ends) {
  for (const std::uint32_t bits : {1U, 2U}) {
    const LinkCodeShape shape{64, 1, bits};
    const int limit = shape.query_digits() == 2 ? 119 : 7;
    Vector q(64);
    for (std::size_t i = 0; i < 64; ++i) {
      q[i] = static_cast<float>(static_cast<int>(i) * 2 * limit / 63 - limit);
    }
    q[63] = static_cast<float>(limit);
    std::vector<std::uint64_t> planes(link_query_words(shape));
    const LinkQuery query = encode_link_query(shape, q, planes.data());
    EXPECT_FLOAT_EQ(static_cast<float>(query.unit), 1);
    for (std::size_t i = 0; i < 64; ++i) {
      int value = 0;
      for (std::size_t digit = 0; digit < shape.query_digits(); ++digit) {
        int one = 0;
        for (std::size_t p = 0; p < 4; ++p) {
          one |= static_cast<int>(planes[digit * 4 + p] >> i & 1) << p;
        }
        value = 16 * value + (one < 8 ? one : one - 16);
      }
      EXPECT_EQ(static_cast<float>(value), q[i]) << bits;
    }
  }
}

}  // namespace
}  // namespace nearest::core
