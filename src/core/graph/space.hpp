/// Where vectors lie in a graph: how each metric's vectors become points that are near to each
/// other when the vectors are, and how the distance of two points bounds the metric's value.
///
/// A vector x becomes the point y = P(f(x) - c) / unit, with
///   f   x / |x| for cosine, x otherwise
///   c   a center, about the mean of the rows
///   P   a rotation: a fixed one, a trained one, or none (never one for L1, which none keeps)
///   unit  a power of two near the points' length, so that no square leaves the range of float32
/// Points keep Euclidean distances (L1 distances without P), divided by the unit.
///
/// Inner product: the greatest product is the nearest point once every vector has one more
/// coordinate sqrt(M² - |x|²) (Bachrach et al. 2014), which queries have as 0. The coordinate is
/// not coded: it follows from |x|, which every node stores. Queries are scaled to a usual length
/// first, which changes no order.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "core/metric.hpp"
#include "core/quantize/scalar_code.hpp"
#include "core/rotate/hadamard.hpp"

namespace nearest::core {

/// On disk: never renumber.
enum class Metric : std::uint8_t { kL2 = 1, kInnerProduct = 2, kCosine = 3, kL1 = 4 };

/// Vectors longer than this, or with elements that large, are kept without a code: sums over them
/// could overflow. They are found like all others, by bounds that promise nothing. The same holds
/// for points, in units: the rows that settled the unit may be that much shorter than later ones.
inline constexpr double kLongestCoded = 1e30;

/// Neither have vectors a code that are longer than this many units, as rows may be that come after
/// the unit was chosen: squares of points, and of their differences, stay far inside float32.
inline constexpr double kFarthestCoded = 1e12;

/// Bound of the relative error of an operator's float32 sum of non-negative terms, and of what it
/// makes of the sum.
constexpr double sum_error(std::size_t dim) { return kernel_error(dim) + 6 * kUnitRoundoff; }

/// What a place or a rotation loses of values below the smallest normal float, in norm: products
/// are rounded to multiples of 2^-149, twice a round, and a transform that is scaled before makes
/// that sqrt(dim) times as much.
constexpr double least_error(std::size_t dim) { return static_cast<double>(dim) * 0x1p-146; }

/// What P is.
enum class Turn : std::uint8_t {
  kFixed,    ///< rotate(y, seed)
  kTrained,  ///< a matrix
  kNone,
};

/// Dimensions that a trained rotation has at most: more, and its two matrices of doubles and its
/// time are more than the gain is worth.
inline constexpr std::size_t kMaxTurnDim = 2048;

/// Bound of |M·y - exact| / |y| for a matrix that is orthogonal but for the rounding of its
/// elements to float32.
inline double matrix_error(std::size_t dim) {
  return std::sqrt(static_cast<double>(dim)) * (kernel_error(dim) + 2 * kUnitRoundoff);
}

/// What is fixed when an index is built. Borrowed memory.
struct GraphSpace {
  Metric metric;
  std::uint32_t dim;
  std::uint64_t seed;           ///< of the rotation
  const float* center;          ///< (dim) of f(x), or null for the origin
  const float* rotated_center;  ///< (dim) P(c), inner product only
  double center_norm;           ///< |c|; for L1 Σ|c_i|
  double unit;                  ///< a power of two
  double longest;               ///< M: inner product only
  double query_norm;            ///< to which queries are scaled: inner product only
  Turn turn;                    ///< unused for L1
  const float* matrix;          ///< (dim, dim) for kTrained, dim <= kMaxTurnDim

  bool is_rotated() const { return metric != Metric::kL1 && turn != Turn::kNone; }
  ErrorNorm error_norm() const {
    return metric == Metric::kL1 ? ErrorNorm::kAbsolute : ErrorNorm::kEuclidean;
  }
};

/// The longest vector that has a code, for all metrics but cosine.
inline double longest_coded(const GraphSpace& space) {
  return std::min(kLongestCoded, kFarthestCoded * space.unit);
}

/// The power of two next to a length, or 1: the unit of a space whose points are about that long.
inline double unit_near(double length) {
  if (!(length > 1e-300) || !(length < 1e300)) return 1;
  return std::exp2(std::round(std::log2(length)));
}

/// What is known of a stored vector besides its code. All in units of the space.
struct PointTraits {
  float norm;            ///< |x|, rounded up; inner product only, otherwise 0
  float center_product;  ///< <P(c), ŷ> / unit: inner product only, otherwise 0
};

/// |x|, for all that views can be made of.
inline double norm_of(VectorView<float> x) { return norm<float>(x); }

inline double absolute_norm_of(VectorView<float> x) {
  double sum = 0;
  for (const float element : x) sum += std::fabs(static_cast<double>(element));
  return sum;
}

/// Turns y, in place; a space that has no rotation leaves it as it is. Returns a bound of the
/// relative error, in norm.
inline double turn_in(const GraphSpace& space, std::span<float> y) {
  if (!space.is_rotated()) return 0;
  if (space.turn == Turn::kFixed) {
    rotate(y, space.seed);
    return rotation_error(y.size());
  }
  float copy[kMaxTurnDim];
  std::copy(y.begin(), y.end(), copy);
  kernels().inner_product_block_f32(copy, 1, space.matrix, y.size(), y.size(), y.data());
  return matrix_error(y.size());
}

/// Places x times `factor`: y: (dim). Returns a bound of |y - exact| in the space's error norm.
/// `size` is |factor·x| in that norm. What lies too far out for float32 is placed at the center,
/// and the bound is infinite.
inline double place_scaled(const GraphSpace& space, VectorView<float> x, double factor, double size,
                           float* y) {
  const double to_unit = 1 / space.unit;
  const std::size_t n = x.size();
  const double largest = (size + space.center_norm) * to_unit;
  if (!(largest <= kLongestCoded)) {
    for (std::size_t i = 0; i < n; ++i) y[i] = 0;
    return std::numeric_limits<double>::infinity();
  }
  const float* const center = space.center;
  if (center != nullptr) {
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i) {
      const double centered = static_cast<double>(x[i]) * factor - static_cast<double>(center[i]);
      y[i] = static_cast<float>(centered * to_unit);
    }
  } else {
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i) {
      y[i] = static_cast<float>(static_cast<double>(x[i]) * factor * to_unit);
    }
  }
  const double relative = 4 * kUnitRoundoff + turn_in(space, {y, x.size()});
  return largest * relative + least_error(x.size());
}

/// A stored vector's point and code.
struct PlacedPoint {
  ScalarCode code;
  PointTraits traits;
  bool is_coded;  ///< false: too long for a code, nothing is known of it
};

/// Places and encodes a vector; y: (dim) work space, left with the point; z: (dim) the code.
/// x must not be the zero vector if the metric is cosine.
inline PlacedPoint place_point(const GraphSpace& space, VectorView<float> x, float* y,
                               std::int8_t* z) {
  constexpr double kNowhere = std::numeric_limits<double>::infinity();
  const double norm = norm_of(x);
  const bool is_cosine = space.metric == Metric::kCosine;
  double size = is_cosine ? 1 : space.metric == Metric::kL1 ? absolute_norm_of(x) : norm;
  if (!is_cosine && !(norm <= longest_coded(space))) size = kNowhere;
  const double misplaced = place_scaled(space, x, is_cosine ? 1 / norm : 1, size, y);
  if (misplaced == kNowhere) {
    for (std::size_t i = 0; i < x.size(); ++i) z[i] = 0;
    return {
        {0, std::numeric_limits<float>::infinity(), 0}, {round_up(norm / space.unit), 0}, false};
  }
  PlacedPoint point{encode_scalar({y, x.size()}, space.error_norm(), z), {0, 0}, true};
  point.code.error = round_up(static_cast<double>(point.code.error) + misplaced);
  if (space.metric == Metric::kInnerProduct) {
    point.traits.norm = round_up(norm / space.unit);
    double product = 0;
    if (space.rotated_center != nullptr) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        product += static_cast<double>(space.rotated_center[i]) * point.code.scale * z[i];
      }
    }
    point.traits.center_product = static_cast<float>(product / space.unit);
  }
  // The operator sums squares in float32: for vectors this short or long they are not what they
  // should be, and its result can be anything.
  if (is_cosine && !(norm > 1e-15 && norm < 1e15)) {
    point.code.error = std::numeric_limits<float>::infinity();
  }
  return point;
}

/// The square of the coordinate that inner product adds, in units; vectors beyond M count as M.
inline double added_square(const GraphSpace& space, float norm) {
  const double longest = space.longest / space.unit;
  const double square = longest * longest - static_cast<double>(norm) * norm;
  return square > 0 ? square : 0;
}

/// A query's point: what bounds need of it.
struct QueryPoint {
  ScalarQuery code;       ///< its z is unused for L1
  const float* y;         ///< (dim) the point itself
  double error;           ///< bound of |coded point - exact point|
  double norm;            ///< |q|
  double factor;          ///< the query was scaled by this before it was placed
  double center_product;  ///< <scaled q, c> / unit², inner product only
  bool is_bounded;        ///< false: nothing can be promised, every bound is the lowest
};

/// Places a query; y, z: (dim), owned by the caller and to be kept as long as the query.
/// q must not be the zero vector if the metric is cosine.
inline QueryPoint place_query(const GraphSpace& space, VectorView<float> q, float* y,
                              std::int16_t* z) {
  QueryPoint point{};
  point.y = y;
  point.norm = norm_of(q);
  point.factor = 1;
  point.is_bounded = point.norm <= kLongestCoded;
  double size = point.norm;
  switch (space.metric) {
    case Metric::kCosine:
      point.is_bounded = point.norm > 1e-15 && point.norm < 1e15;
      point.factor = 1 / point.norm;
      size = 1;
      break;
    case Metric::kInnerProduct:
      if (point.norm > 0) point.factor = space.query_norm / point.norm;
      size = point.norm * point.factor;
      break;
    case Metric::kL1:
      size = absolute_norm_of(q);
      break;
    case Metric::kL2:
      break;
  }
  if (space.metric != Metric::kCosine && !(point.norm * point.factor <= longest_coded(space))) {
    point.is_bounded = false;
    point.factor = 0;  // its place would overflow: search from the center
    size = 0;
  }
  point.error = place_scaled(space, q, point.factor, size, y);
  point.code = encode_query({y, q.size()}, z);
  point.error += space.metric == Metric::kL1 ? 0 : point.code.error;
  if (space.metric == Metric::kInnerProduct && space.center != nullptr) {
    double product = 0;
    for (std::size_t i = 0; i < q.size(); ++i) {
      product += q[i] * point.factor * static_cast<double>(space.center[i]);
    }
    point.center_product = product / (space.unit * space.unit);
  }
  return point;
}

// Bounds ------------------------------------------------------------------------------------------
// Of what an operator returns for a query and a stored vector, from the distance of the one's point
// and the other's code. What could be wrong with the distance is taken off it, then what could be
// wrong with the operator's own sums.

/// squared: |q - x|² of the points, in units².
inline double l2_bound(const GraphSpace& space, const QueryPoint& query, const ScalarCode& code,
                       double squared) {
  const double least = (std::sqrt(squared) - code.error - query.error) * space.unit;
  if (!(least > 0)) return 0;
  // The operator's sum may be too small by its error and by terms that underflow.
  const double least_sum =
      least * least * (1 - sum_error(space.dim)) - static_cast<double>(space.dim) * 0x1p-148;
  return least_sum > 0 ? std::sqrt(least_sum) * (1 - 4 * kUnitRoundoff) : 0;
}

/// squared: as above.
inline double cosine_bound(const GraphSpace& space, const QueryPoint& query, const ScalarCode& code,
                           double squared) {
  const double least = (std::sqrt(squared) - code.error - query.error) * space.unit;
  if (!(least > 0)) return 0;
  // 1 - p / (|a||b|): the error of p and half of that of each square, which have half as many
  // partial sums as the sum that sum_error is of.
  static_assert(2 * cosine_kernel_error(1U << 14) < 4 * sum_error(1U << 14));
  const double bound = least * least / 2 - 4 * sum_error(space.dim);
  return bound > 0 ? bound : 0;
}

/// sum: Σ |q_i - x_i| of the points, in units, from the kernel.
inline double l1_bound(const GraphSpace& space, const QueryPoint& query, const ScalarCode& code,
                       double sum) {
  const double error = sum_error(space.dim);  // once of the kernel's sum, once of the operator's
  // The kernel rounds each scale·z before it subtracts.
  const double rounded =
      2 * kUnitRoundoff * code.scale * std::sqrt(static_cast<double>(space.dim) * code.square);
  const double least = (sum * (1 - error) - rounded - code.error - query.error) * space.unit;
  return least > 0 ? least * (1 - error) : 0;
}

/// product: of the scaled query and the vector that the code stands for, in units²; the query's
/// factor must be above zero.
inline double inner_product_bound(const GraphSpace& space, const QueryPoint& query,
                                  const ScalarCode& code, const PointTraits& traits,
                                  double product) {
  const double unit = space.unit, center = space.center_norm / unit;
  const double query_length = query.norm * query.factor / unit;
  const double code_length = std::sqrt(static_cast<double>(code.square)) * code.scale;
  const double lost =
      query_length * code.error + query.error * code_length +
      4 * kUnitRoundoff * (query_length + center) * (center + code_length) +
      // of P(c) and of the stored product
      (rotation_error(space.dim) * center + least_error(space.dim) / unit) * code_length + 0x1p-149;
  const double lengths = query.norm * traits.norm * unit;
  const double operator_error = sum_error(space.dim) * lengths;
  const double bound = -(product + lost) * unit * unit / query.factor - operator_error -
                       static_cast<double>(space.dim) * 0x1p-148;
  return std::isfinite(bound) && lengths < 1e37 ? bound : -std::numeric_limits<double>::infinity();
}

/// What a visit computes of a stored vector.
struct PointDistance {
  double squared;   ///< |q - x|² of the points, in units²
  double steering;  ///< by which searches go: for inner product the same with what that adds, up to
                    ///< a constant of the query; for L1 the square of the L1 distance
  double value;     ///< the operator's result for the code, as near as the code can tell
  double bound;     ///< true lower bound of the operator's result
};

/// z, code, traits: of a stored vector, which may be damaged: any values give some result.
inline PointDistance distance_to(const GraphSpace& space, const QueryPoint& query,
                                 const std::int8_t* z, const ScalarCode& code,
                                 const PointTraits& traits) {
  constexpr double kLowest = -std::numeric_limits<double>::infinity();
  const std::size_t dim = space.dim;
  const double squared = l2_squared_to(query.code, z, code.scale, code.square, dim);
  PointDistance result{squared, squared, 0, 0};
  const bool is_bounded = query.is_bounded && code.error < std::numeric_limits<float>::infinity();
  switch (space.metric) {
    case Metric::kL2:
      result.value = std::sqrt(squared) * space.unit;
      if (is_bounded) result.bound = l2_bound(space, query, code, squared);
      break;
    case Metric::kCosine:
      result.value = squared * space.unit * space.unit / 2;
      if (is_bounded) result.bound = cosine_bound(space, query, code, squared);
      break;
    case Metric::kL1: {
      const double sum = kernels().l1_f32_i8(query.y, z, code.scale, dim);
      result.value = sum * space.unit;
      result.steering = sum * sum;
      if (is_bounded) result.bound = l1_bound(space, query, code, sum);
      break;
    }
    case Metric::kInnerProduct: {
      // <scaled q, x> / unit² = <scaled q, c> + <w, ŷ> + <P(c), ŷ>, as scaled q = c + P⁻¹w.
      const double with_code = product_with(query.code, z, code.scale, dim);
      const double product = query.center_product + with_code + traits.center_product;
      result.steering = squared + added_square(space, traits.norm);
      result.value = query.factor > 0 ? -product * space.unit * space.unit / query.factor : 0;
      result.bound = is_bounded && query.factor > 0
                         ? inner_product_bound(space, query, code, traits, product)
                     : query.norm == 0 ? 0
                                       : kLowest;
      break;
    }
  }
  // Results get sorted, which NaN would break.
  if (std::isnan(result.value)) result.value = std::numeric_limits<double>::infinity();
  if (std::isnan(result.bound)) result.bound = kLowest;
  return result;
}

}  // namespace nearest::core
