/// The own code of a vector: 8 bits per dimension, one scale per vector, and how much was lost.
///
/// x is stood for by scale · z with whole z in [-127, 127]. The error norm makes true bounds of
/// distances to the code: | |q - x| - |q - scale·z| | <= error (triangle inequality).
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "core/kernels/table.hpp"

namespace nearest::core {

inline constexpr int kScalarCodeMax = 127;

/// What belongs to a code besides its z.
struct ScalarCode {
  float scale;           ///< of one unit of z; 0 for the zero vector
  float error;           ///< |x - scale·z|, in the norm asked for, rounded up
  std::uint32_t square;  ///< Σ z², exact
};

enum class ErrorNorm : std::uint8_t { kEuclidean, kAbsolute };

/// The nearest whole number, by the rounding of an addition: unlike nearbyint it is no call, so
/// that loops become vectors. For |x| below 2^22, resp. 2^51; NaN stays NaN.
inline float round_small(float x) {
  constexpr float kShift = 0x1.8p23F;
  return (x + kShift) - kShift;
}
inline double round_small(double x) {
  constexpr double kShift = 0x1.8p52;
  return (x + kShift) - kShift;
}

/// The next float above a non-negative number in double.
inline float round_up(double value) {
  const auto nearest = static_cast<float>(value);
  return static_cast<double>(nearest) >= value
             ? nearest
             : std::nextafter(nearest, std::numeric_limits<float>::infinity());
}

/// Encodes x; z: as many bytes as x has elements. The elements must be finite.
inline ScalarCode encode_scalar(std::span<const float> x, ErrorNorm norm, std::int8_t* z) {
  const std::size_t n = x.size();
  float largest = 0;
#pragma omp simd reduction(max : largest)
  for (std::size_t i = 0; i < n; ++i) {
    const float magnitude = std::fabs(x[i]);
    largest = magnitude > largest ? magnitude : largest;
  }
  const float scale = largest / kScalarCodeMax;
  if (!(scale >= std::numeric_limits<float>::min())) {
    // Too small for a scale of full precision: the zero code, all of x is error.
    double lost = 0;
    for (std::size_t i = 0; i < n; ++i) {
      z[i] = 0;
      lost += norm == ErrorNorm::kEuclidean ? static_cast<double>(x[i]) * x[i]
                                            : std::fabs(static_cast<double>(x[i]));
    }
    return {0, round_up(norm == ErrorNorm::kEuclidean ? std::sqrt(lost) : lost), 0};
  }
  const float inverse = 1.0F / scale;
  std::int32_t square = 0;
  double squares_lost = 0, lost = 0;
#pragma omp simd reduction(+ : square, squares_lost, lost)
  for (std::size_t i = 0; i < n; ++i) {
    // At most 127 and a rounding error: the largest element decides the scale.
    const float rounded = round_small(x[i] * inverse);
    const auto whole = static_cast<std::int32_t>(rounded);
    z[i] = static_cast<std::int8_t>(whole);
    square += whole * whole;
    const double rest =
        static_cast<double>(x[i]) - static_cast<double>(scale) * static_cast<double>(rounded);
    squares_lost += rest * rest;
    lost += std::fabs(rest);
  }
  return {scale, round_up(norm == ErrorNorm::kEuclidean ? std::sqrt(squares_lost) : lost),
          static_cast<std::uint32_t>(square)};
}

/// x̂ = scale · z.
inline void decode_scalar(std::span<const std::int8_t> z, float scale, float* x) {
  for (std::size_t i = 0; i < z.size(); ++i) x[i] = scale * static_cast<float>(z[i]);
}

/// |x̂ - ŷ|², from codes alone; in double, so that near vectors keep their digits.
inline double l2_squared_between(const std::int8_t* x, float x_scale, std::uint32_t x_square,
                                 const std::int8_t* y, float y_scale, std::uint32_t y_square,
                                 std::size_t dim) {
  const double product = kernels().inner_product_i8(x, y, dim);
  const double a = x_scale, b = y_scale;
  const double squared = a * a * x_square + b * b * y_square - 2 * a * b * product;
  return squared > 0 ? squared : 0;
}

/// A query in 16 bits per dimension, so that its distances to codes are sums of whole numbers.
/// The 16 bits lose 1/256 of what the codes lose; `error` says how much.
struct ScalarQuery {
  const std::int16_t* z;  ///< (dim)
  double step;            ///< of one unit of z
  double square;          ///< |step·z|²
  double error;           ///< |q - step·z|
};

/// Prepares a query; z: as many elements as q has, owned by the caller. Keeps 127·Σ|z| below 2^31,
/// as inner_product_i8_i16 asks.
inline ScalarQuery encode_query(std::span<const float> q, std::int16_t* z) {
  const std::size_t n = q.size();
  float largest = 0;
  double sum = 0;
#pragma omp simd reduction(max : largest) reduction(+ : sum)
  for (std::size_t i = 0; i < n; ++i) {
    const float magnitude = std::fabs(q[i]);
    largest = magnitude > largest ? magnitude : largest;
    sum += static_cast<double>(magnitude);
  }
  constexpr double kLargest = 32767;
  const double kLargestSum = 2147483647.0 / kScalarCodeMax - static_cast<double>(n);
  double step = static_cast<double>(largest) / kLargest;
  if (sum / kLargestSum > step) step = sum / kLargestSum;
  if (!(step > 0)) step = 1;  // a query of zeros
  const double inverse = 1 / step;
  double square = 0, lost = 0;
#pragma omp simd reduction(+ : square, lost)
  for (std::size_t i = 0; i < n; ++i) {
    const double element = q[i];
    // At most kLargest and a rounding error: the largest element decides the step.
    const double whole = round_small(element * inverse);
    z[i] = static_cast<std::int16_t>(static_cast<std::int32_t>(whole));
    square += whole * whole;
    const double rest = element - step * whole;
    lost += rest * rest;
  }
  return {z, step, step * step * square, std::sqrt(lost)};
}

/// |q̂ - x̂|²; exact but for the last digits of double.
inline double l2_squared_to(const ScalarQuery& query, const std::int8_t* z, float scale,
                            std::uint32_t square, std::size_t dim) {
  const double product = kernels().inner_product_i8_i16(z, query.z, dim);
  const double a = scale;
  const double squared = query.square + a * a * square - 2 * query.step * a * product;
  return squared > 0 ? squared : 0;
}

/// <q̂, x̂>.
inline double product_with(const ScalarQuery& query, const std::int8_t* z, float scale,
                           std::size_t dim) {
  return query.step * static_cast<double>(scale) * kernels().inner_product_i8_i16(z, query.z, dim);
}

}  // namespace nearest::core
