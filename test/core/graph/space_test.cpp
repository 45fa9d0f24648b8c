// The bound that a visit computes must never be above what the SQL operator returns: an index scan
// would return rows in the wrong order or not at all. So every metric is compared with its operator
// over vectors of every size, with spaces that were settled by these vectors and by quite others.
#include "core/graph/space.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/graph/settle_space.hpp"
#include "core/metric.hpp"
#include "test_arena.hpp"

namespace nearest::core {
namespace {

using Vector = std::vector<float>;

constexpr Metric kMetrics[] = {Metric::kL2, Metric::kInnerProduct, Metric::kCosine, Metric::kL1};

double operator_result(Metric metric, const Vector& a, const Vector& b) {
  switch (metric) {
    case Metric::kL2:
      return l2_distance<float>(a, b);
    case Metric::kInnerProduct:
      return negative_inner_product<float>(a, b);
    case Metric::kCosine:
      return cosine_distance<float>(a, b);
    case Metric::kL1:
      return l1_distance<float>(a, b);
  }
  return 0;
}

/// A space with the memory that it borrows.
struct Settled {
  GraphSpace space{};
  Vector center, rotated_center;

  void use_center(const Vector& at) {
    center = at;
    rotated_center = at;
    rotate(rotated_center, space.seed);
    space.center = center.data();
    space.rotated_center = space.metric == Metric::kInnerProduct ? rotated_center.data() : nullptr;
    space.center_norm = space.metric == Metric::kL1 ? absolute_norm_of(center) : norm_of(center);
  }
};

/// Sizes from the rows, as a build finds them.
void settle(Settled& settled, Metric metric, const std::vector<Vector>& rows, bool has_center) {
  GraphSpace& space = settled.space;
  space.metric = metric;
  space.dim = static_cast<std::uint32_t>(rows[0].size());
  space.seed = 42;
  Vector all, center(space.dim);
  for (const Vector& row : rows) all.insert(all.end(), row.begin(), row.end());
  TestMemory memory;
  const SpaceSizes sizes = settle_space(metric, all, space.dim, memory.arena(), center.data());
  space.unit = sizes.unit;
  space.longest = sizes.longest;
  space.query_norm = sizes.query_norm;
  if (has_center) settled.use_center(center);
}

class Space : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(choose_kernels(GetParam()));
    RecordProperty("seed", static_cast<int>(kSeed));
  }
  void TearDown() override { choose_kernels("auto"); }

  Vector random_vector(std::size_t dim, double scale) {
    std::normal_distribution<double> normal(0.1, 0.6);
    Vector x(dim);
    for (float& element : x) {
      element = static_cast<float>(scale * std::clamp(normal(random_), -1.0, 1.0));
    }
    return x;
  }

  static constexpr unsigned kSeed = 20240611;
  std::mt19937_64 random_{kSeed};
};

/// What became of comparisons, so that a test can tell that it compared something.
struct Tally {
  int compared = 0, promised = 0;
};

void expect_bound_below_operator(const GraphSpace& space, const Vector& q, const Vector& x,
                                 const std::string& what, Tally& tally) {
  if (space.metric == Metric::kCosine && (norm_of(q) == 0 || norm_of(x) == 0)) return;
  const std::size_t dim = q.size();
  Vector y(dim), query_y(dim);
  std::vector<std::int8_t> z(dim);
  std::vector<std::int16_t> query_z(dim);
  const PlacedPoint point = place_point(space, x, y.data(), z.data());
  const QueryPoint query = place_query(space, q, query_y.data(), query_z.data());
  const PointDistance found = distance_to(space, query, z.data(), point.code, point.traits);
  const double value = operator_result(space.metric, q, x);
  ++tally.compared;
  if (found.bound > 0 || (space.metric == Metric::kInnerProduct && std::isfinite(found.bound))) {
    ++tally.promised;
  }
  ASSERT_FALSE(std::isnan(found.bound)) << what;
  ASSERT_GE(point.code.error, 0) << what;
  ASSERT_FALSE(found.squared < 0 || std::isnan(found.squared)) << what;
  if (std::isnan(value)) return;  // sorts behind everything
  ASSERT_LE(found.bound, value) << what << ", value of the code " << found.value;
}

TEST_P(Space, bounds_are_never_above_the_operator) {
  const std::size_t dims[] = {1, 2, 3, 5, 16, 64, 100, 384, 784};
  const double scales[] = {1e-44, 1e-30, 1e-20, 1e-6, 1, 1e6, 1e20, 1e30, 3e38};
  Tally tally;
  for (const std::size_t dim : dims) {
    for (const double scale : scales) {
      const Vector x = random_vector(dim, scale);
      Vector near = x, near_in_one = x, opposite = x, shorter = x;
      for (float& e : near) e = std::nextafter(e, 0.0F);
      near_in_one[dim / 2] *= 1.0001F;
      for (float& e : opposite) e = -e;
      for (float& e : shorter) e *= 0.37F;
      Vector sparse(dim);
      sparse[dim / 3] = static_cast<float>(scale);
      const Vector constant(dim, static_cast<float>(scale));
      const Vector zero(dim);
      const Vector other = random_vector(dim, scale);
      const Vector unit_like = random_vector(dim, 1);
      const std::vector<Vector> rows = {x,      near,     near_in_one, opposite, shorter,
                                        sparse, constant, zero,        other,    unit_like};
      for (const Metric metric : kMetrics) {
        for (const bool has_center : {false, true}) {
          std::vector<Settled> spaces(5);
          settle(spaces[0], metric, {x, opposite, other, constant}, has_center);
          settle(spaces[1], metric, {x, near, near_in_one, x}, has_center);
          for (std::size_t i = 2; i < spaces.size(); ++i) {
            // Of other rows: an index that was built before these came.
            const double settled_scale = i == 2 ? 1 : i == 3 ? 1e-20 : 1e12;
            settle(spaces[i], metric,
                   {random_vector(dim, settled_scale), random_vector(dim, settled_scale)},
                   has_center);
          }
          spaces[3].space.query_norm *= 1e7;
          spaces[4].space.longest *= 1e-3;
          for (std::size_t s = 0; s < spaces.size(); ++s) {
            for (std::size_t i = 0; i < rows.size(); ++i) {
              for (const std::size_t j : {i, std::size_t{0}}) {
                expect_bound_below_operator(
                    spaces[s].space, rows[j], rows[i],
                    "metric " + std::to_string(static_cast<int>(metric)) + ", dim " +
                        std::to_string(dim) + ", scale " + std::to_string(std::log10(scale)) +
                        (has_center ? ", center" : "") + ", space " + std::to_string(s) +
                        ", query " + std::to_string(j) + ", row " + std::to_string(i),
                    tally);
                if (HasFatalFailure()) return;
              }
            }
          }
        }
      }
    }
  }
  EXPECT_GT(tally.compared, 50'000);
  EXPECT_GT(tally.promised, tally.compared / 8);
}

/// Random sizes of everything at once: exponents of rows, query, center and of what was settled.
TEST_P(Space, bounds_are_never_above_the_operator_whatever_the_sizes) {
  std::uniform_real_distribution<double> exponent(-45, 38.5), part(0, 1);
  std::uniform_int_distribution<std::size_t> any_dim(1, 40);
  Tally tally;
  for (int round = 0; round < 20'000; ++round) {
    const std::size_t dim = any_dim(random_);
    const double scale = std::pow(10, exponent(random_));
    const auto near_scale = [&] {
      return part(random_) < 0.7 ? scale * std::pow(10, 3 * part(random_) - 1.5)
                                 : std::pow(10, exponent(random_));
    };
    const auto vector = [&] {
      Vector x = random_vector(dim, std::min(near_scale(), 3e38));
      if (part(random_) < 0.2) {
        for (float& e : x) e *= part(random_) < 0.5 ? 0.0F : 1.0F;
      }
      return x;
    };
    const Metric metric = kMetrics[round % 4];
    Settled settled;
    settle(settled, metric, {vector(), vector()}, part(random_) < 0.5);
    if (part(random_) < 0.3) settled.space.unit = unit_near(near_scale());
    if (part(random_) < 0.3) settled.space.query_norm = near_scale();
    if (part(random_) < 0.3) settled.space.longest = near_scale();
    const Vector x = vector();
    Vector q = vector();
    if (part(random_) < 0.4) {
      q = x;
      for (float& e : q) e = static_cast<float>(e * (1 + 1e-6 * part(random_)));
    }
    for (float& e : q) e = std::isfinite(e) ? e : 3e38F;
    expect_bound_below_operator(settled.space, q, x, "round " + std::to_string(round), tally);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(tally.promised, tally.compared / 8);
}

/// In one dimension codes lose next to nothing: what is left is the rounding of the place itself.
TEST_P(Space, bounds_count_the_rounding_of_places) {
  std::uniform_real_distribution<float> uniform(1, 2);
  Tally tally;
  for (int round = 0; round < 5000; ++round) {
    Settled settled;
    settle(settled, round % 2 == 0 ? Metric::kL1 : Metric::kL2, {{1}, {2}}, false);
    settled.use_center({-0.1F * uniform(random_)});
    const Vector x = {uniform(random_)};
    Vector q = x;
    for (int step = 0; step <= round % 8; ++step) q[0] = std::nextafter(q[0], 3.0F);
    expect_bound_below_operator(settled.space, q, x, "round " + std::to_string(round), tally);
    if (HasFatalFailure()) return;
  }
}

TEST_P(Space, bounds_and_values_are_close_for_ordinary_rows) {
  for (const std::size_t dim : {16U, 100U, 384U, 784U}) {
    for (const double scale : {1e-6, 1.0, 1e6}) {
      std::vector<Vector> rows;
      for (int i = 0; i < 20; ++i) rows.push_back(random_vector(dim, scale));
      for (const Metric metric : kMetrics) {
        for (const bool has_center : {false, true}) {
          Settled settled;
          settle(settled, metric, rows, has_center);
          Vector y(dim), query_y(dim);
          std::vector<std::int8_t> z(dim);
          std::vector<std::int16_t> query_z(dim);
          const QueryPoint query =
              place_query(settled.space, rows[0], query_y.data(), query_z.data());
          for (std::size_t i = 1; i < rows.size(); ++i) {
            const PlacedPoint point = place_point(settled.space, rows[i], y.data(), z.data());
            EXPECT_TRUE(point.is_coded);
            const PointDistance found =
                distance_to(settled.space, query, z.data(), point.code, point.traits);
            const double value = operator_result(metric, rows[0], rows[i]);
            const double size = metric == Metric::kInnerProduct
                                    ? norm_of(rows[0]) * norm_of(rows[i])
                                    : std::fabs(value);
            EXPECT_NEAR(found.value, value, 0.02 * size) << dim << " " << static_cast<int>(metric);
            EXPECT_GE(found.bound, value - 0.03 * size) << dim << " " << static_cast<int>(metric);
          }
        }
      }
    }
  }
}

/// Whatever is nearer by the metric is nearer in the graph's own distance.
TEST_P(Space, steering_orders_rows_as_the_metric_does) {
  constexpr std::size_t kDim = 100;
  std::vector<Vector> rows;
  for (int i = 0; i < 60; ++i) rows.push_back(random_vector(kDim, 1 + 0.05 * i));
  for (const Metric metric : kMetrics) {
    if (metric == Metric::kL1) continue;  // steers by L2, near enough
    Settled settled;
    settle(settled, metric, rows, true);
    Vector y(kDim), query_y(kDim);
    std::vector<std::int8_t> z(kDim);
    std::vector<std::int16_t> query_z(kDim);
    const QueryPoint query = place_query(settled.space, rows[0], query_y.data(), query_z.data());
    std::vector<std::pair<double, double>> pairs;
    for (std::size_t i = 1; i < rows.size(); ++i) {
      const PlacedPoint point = place_point(settled.space, rows[i], y.data(), z.data());
      const PointDistance found =
          distance_to(settled.space, query, z.data(), point.code, point.traits);
      pairs.emplace_back(operator_result(metric, rows[0], rows[i]), found.steering);
    }
    std::sort(pairs.begin(), pairs.end());
    int disorders = 0, orders = 0;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      for (std::size_t j = i + 1; j < pairs.size(); ++j) {
        ++(pairs[i].second <= pairs[j].second ? orders : disorders);
      }
    }
    EXPECT_LT(disorders, orders / 30) << static_cast<int>(metric);
  }
}

TEST_P(Space, vectors_that_are_too_long_have_no_code_and_promise_nothing) {
  for (const Metric metric : {Metric::kL2, Metric::kInnerProduct, Metric::kL1}) {
    Settled settled;
    settle(settled, metric, {random_vector(8, 1)}, false);
    // Once too long for float32 sums, once too long for the space that others settled.
    for (const double unit : {1.0, 1e-40}) {
      settled.space.unit = unit_near(unit);
      const Vector x(8, unit == 1 ? 2e30F : 1.0F);
      Vector y(8);
      std::vector<std::int8_t> z(8, 1);
      const PlacedPoint point = place_point(settled.space, x, y.data(), z.data());
      EXPECT_FALSE(point.is_coded);
      EXPECT_EQ(point.code.error, std::numeric_limits<float>::infinity());
      EXPECT_EQ(z, std::vector<std::int8_t>(8));
      EXPECT_EQ(y, Vector(8));
    }
  }
}

/// What a damaged page may hold must not lead astray: only the result may be anything.
TEST_P(Space, any_stored_code_gives_some_distance) {
  const float sizes[] = {0, 1e-45F, 1, 1e30F, 3e38F, std::numeric_limits<float>::infinity()};
  for (const Metric metric : kMetrics) {
    Settled settled;
    settle(settled, metric, {random_vector(16, 1), random_vector(16, 1)}, true);
    const Vector q = random_vector(16, 1);
    Vector y(16);
    std::vector<std::int16_t> query_z(16);
    const std::vector<std::int8_t> z(16, -127);
    const QueryPoint query = place_query(settled.space, q, y.data(), query_z.data());
    for (const float size : sizes) {
      for (const float error : sizes) {
        for (const std::uint32_t square : {0U, 0xFFFF'FFFFU}) {
          const PointDistance found =
              distance_to(settled.space, query, z.data(), {size, error, square}, {size, -size});
          EXPECT_FALSE(std::isnan(found.bound));
        }
      }
    }
  }
}

// Each term of a bound alone: with distances that are exact and codes that lose nothing, only what
// the term is for can make the operator's result smaller than the distance.

/// Of an index of one metric without center, whose unit is 1.
GraphSpace plain_space(Metric metric, std::size_t dim) {
  GraphSpace space{};
  space.metric = metric;
  space.dim = static_cast<std::uint32_t>(dim);
  space.unit = space.longest = space.query_norm = 1;
  return space;
}

/// A query that lost nothing.
QueryPoint exact_query(const Vector& q) {
  QueryPoint query{};
  query.norm = norm_of(q);
  query.factor = 1;
  query.is_bounded = true;
  return query;
}

/// 1, then terms that a float32 sum which begins with 1 does not even notice.
Vector one_and_many_lost(std::size_t dim, float lost) {
  Vector x(dim, lost);
  x[0] = 1;
  return x;
}

double exact_square(const Vector& x) {
  double sum = 0;
  for (const float e : x) sum += double{e} * e;
  return sum;
}

constexpr std::size_t kLongDims[] = {2048, 4100};

TEST_P(Space, l2_bounds_count_what_long_sums_lose) {
  for (const std::size_t dim : kLongDims) {
    const Vector x = one_and_many_lost(dim, 0.999F * 0x1p-12F), q(dim);
    const double bound =
        l2_bound(plain_space(Metric::kL2, dim), exact_query(q), {1, 0, 0}, exact_square(x));
    EXPECT_LE(bound, l2_distance<float>(q, x));
    EXPECT_GT(bound, 0.999 * l2_distance<float>(q, x));
  }
}

TEST_P(Space, cosine_bounds_count_what_long_sums_lose) {
  for (const std::size_t dim : kLongDims) {
    // The product is exact, and the squares lose what lies in a lane with the 1.
    Vector a(dim), b(dim);
    a[0] = b[0] = 1;
    for (std::size_t i = 1; i < dim; ++i) (i % 32 < 16 ? a : b)[i] = 0.999F * 0x1p-12F;
    const double exact = 1 - 1 / std::sqrt(exact_square(a) * exact_square(b));
    const double bound =
        cosine_bound(plain_space(Metric::kCosine, dim), exact_query(a), {1, 0, 0}, 2 * exact);
    EXPECT_LE(bound, cosine_distance<float>(a, b));
  }
  // What is not lost is promised.
  EXPECT_GT(cosine_bound(plain_space(Metric::kCosine, 4100), exact_query({1}), {1, 0, 0}, 0.2),
            0.0999);
}

TEST_P(Space, l1_bounds_count_what_long_sums_lose_on_both_sides) {
  for (const std::size_t dim : kLongDims) {
    const Vector x = one_and_many_lost(dim, 0.999F * 0x1p-24F), q(dim);
    double exact = 0;
    for (const float e : x) exact += double{e};
    // The kernel that sums over codes may have lost nothing, or have found as much too much.
    const double sum = exact * (1 + kernel_error(dim));
    const double bound = l1_bound(plain_space(Metric::kL1, dim), exact_query(q), {0, 0, 0}, sum);
    EXPECT_LE(bound, l1_distance<float>(q, x));
    EXPECT_GT(bound, 0.999 * l1_distance<float>(q, x));
  }
}

/// Codes whose scale is so rounded that 127 of it are, as a float, not the element that they stand
/// for.
TEST_P(Space, l1_bounds_count_the_rounding_of_codes) {
  constexpr std::size_t kDim = 1000;
  int tested = 0;
  for (float element = 1.9F; element < 1.99F; element += 0x1p-14F) {
    const Vector x(kDim, element);
    std::vector<std::int8_t> z(kDim);
    ScalarCode code = encode_scalar(x, ErrorNorm::kAbsolute, z.data());
    if (code.scale * static_cast<float>(kScalarCodeMax) >= element) continue;
    ++tested;
    Vector q = x;
    for (float& e : q) e += 8 * 0x1p-23F;
    const double sum = kernels().l1_f32_i8(q.data(), z.data(), code.scale, kDim);
    const double bound = l1_bound(plain_space(Metric::kL1, kDim), exact_query(q), code, sum);
    EXPECT_LE(bound, l1_distance<float>(q, x)) << element;
    EXPECT_GT(bound, 0.5 * l1_distance<float>(q, x)) << element;
  }
  EXPECT_GT(tested, 10);
}

TEST_P(Space, inner_product_bounds_count_what_long_sums_lose) {
  for (const std::size_t dim : kLongDims) {
    // The products are negative but for the first, which hides them.
    const Vector q = one_and_many_lost(dim, 0.99F * 0x1p-12F);
    Vector x = one_and_many_lost(dim, -0x1p-13F);
    double product = 0;
    for (std::size_t i = 0; i < dim; ++i) product += double{q[i]} * x[i];
    const double value = negative_inner_product<float>(q, x);
    const PointTraits traits{round_up(norm_of(x)), 0};
    const double bound = inner_product_bound(plain_space(Metric::kInnerProduct, dim),
                                             exact_query(q), {0, 0, 0}, traits, product);
    EXPECT_LE(bound, value);
    EXPECT_GT(bound, value - 1e-3);
  }
}

TEST_P(Space, the_longest_coded_vector_follows_the_unit) {
  for (const Metric metric : {Metric::kL2, Metric::kInnerProduct, Metric::kL1}) {
    GraphSpace space = plain_space(metric, 4);
    space.unit = 0x1p-50;
    const auto limit = static_cast<float>(kFarthestCoded * space.unit);  // about 888
    for (const float factor : {0.99F, 1.01F}) {
      const Vector x = {limit * factor, 0, 0, 0};
      Vector y(4), query_y(4);
      std::vector<std::int8_t> z(4);
      std::vector<std::int16_t> query_z(4);
      EXPECT_EQ(place_point(space, x, y.data(), z.data()).is_coded, factor < 1);
      space.query_norm = norm_of(x);  // inner product: queries are scaled to it
      EXPECT_EQ(place_query(space, x, query_y.data(), query_z.data()).is_bounded, factor < 1);
    }
    space.unit = 0x1p100;
    EXPECT_EQ(longest_coded(space), kLongestCoded);
  }
}

TEST_P(Space, the_added_coordinate_ends_at_the_longest) {
  GraphSpace space = plain_space(Metric::kInnerProduct, 4);
  space.unit = 2;
  space.longest = 10;
  EXPECT_EQ(added_square(space, 0), 25);
  EXPECT_EQ(added_square(space, 3), 16);
  EXPECT_EQ(added_square(space, 5), 0);
  EXPECT_EQ(added_square(space, 7), 0);
  EXPECT_EQ(added_square(space, std::numeric_limits<float>::infinity()), 0);
}

std::vector<std::string> available_names() {
  std::vector<std::string> names;
  for (const KernelTable* table : available_kernels()) names.emplace_back(table->name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, Space, testing::ValuesIn(available_names()),
                         [](const auto& set) { return set.param; });

}  // namespace
}  // namespace nearest::core
