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

#include "core/metric.hpp"

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

double power_of_two_near(double length) {
  return length > 1e-300 && length < 1e300 ? std::exp2(std::round(std::log2(length))) : 1;
}

/// Sizes from the rows, as a build finds them.
void settle(Settled& settled, Metric metric, const std::vector<Vector>& rows, bool has_center) {
  GraphSpace& space = settled.space;
  space.metric = metric;
  space.dim = static_cast<std::uint32_t>(rows[0].size());
  space.seed = 42;
  space.unit = 1;
  std::vector<double> sums(space.dim);
  double longest = 0, norms = 0, used = 0, squares = 0;
  const auto factor_of = [&](const Vector& row) {
    const double norm = norm_of(row);
    if (metric == Metric::kCosine) return norm > 0 ? 1 / norm : 0;
    return norm <= kLongestCoded ? 1.0 : 0.0;
  };
  for (const Vector& row : rows) {
    const double factor = factor_of(row);
    if (factor == 0) continue;
    longest = std::max(longest, norm_of(row));
    norms += norm_of(row);
    used += 1;
    for (std::size_t i = 0; i < row.size(); ++i) sums[i] += row[i] * factor;
  }
  Vector center(space.dim);
  for (std::size_t i = 0; i < center.size() && used > 0 && has_center; ++i) {
    center[i] = static_cast<float>(sums[i] / used);
  }
  if (has_center) settled.use_center(center);
  for (const Vector& row : rows) {
    const double factor = factor_of(row);
    if (factor == 0) continue;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const double difference = row[i] * factor - center[i];
      squares += difference * difference / used;
    }
  }
  const double spread = std::sqrt(squares);
  space.unit = power_of_two_near(spread > 1e-6 * space.center_norm ? spread : space.center_norm);
  space.longest = 1.1 * longest;
  space.query_norm = norms > 0 ? norms / used : 1;
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
    if (part(random_) < 0.3) settled.space.unit = power_of_two_near(near_scale());
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
      settled.space.unit = power_of_two_near(unit);
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

std::vector<std::string> available_names() {
  std::vector<std::string> names;
  for (const KernelTable* table : available_kernels()) names.emplace_back(table->name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, Space, testing::ValuesIn(available_names()),
                         [](const auto& set) { return set.param; });

}  // namespace
}  // namespace nearest::core
