/// Distances from codes of residuals, without bias and with a bound.
///
/// x lies in the list of centroid c, r = x - c is coded as r̂ (any quantizer: only its direction
/// counts). With B = |r|² / <r̂, r>, B·r̂ has the right share in the direction of r, and after a
/// random rotation the rest of it is as likely to one side of any query as to the other:
///
///     <r, q - c> ~ B·<r̂, q - c>,   off by about |r||q - c|·sqrt(1/x² - 1) / sqrt(d - 1),
///
/// x = <r̂, r> / |r̂||r| (RaBitQ, Gao and Long 2024, for their 1-bit codes; nothing in it needs
/// r̂ to be one of those). Expanded, what depends on the query alone is <r̂, q>, so one table
/// serves all lists, and three numbers a code:
///
///     |q - x|² ~ |q - c|² + a - b·<r̂, q>     a = |r|² + 2B·<r̂, c>,       b = 2B
///     -<q, x>  ~ -<q, c>  + a - b·<r̂, q>     a = B·<r̂, c> - <r, c>,      b = B
///
/// `error` is the standard deviation for |q - c| = 1. The distance |q - c - r̂|² of product
/// quantization proper is biased, most of all for near neighbors: it leaves out |r - r̂|².
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace nearest::core {

/// How many standard deviations a bound is wide: RaBitQ's own choice.
inline constexpr float kBoundDeviations = 1.9F;
/// The same where what is found must be what distances of all rows would find, but for a row in
/// some thousand.
inline constexpr float kSureDeviations = 2.5F;

enum class EstimateOf : std::uint8_t { kSquaredDistance, kNegativeProduct };

/// What is stored with a code.
struct CodeFactors {
  float a, b, error;
};

/// What the factors are made of.
struct ResidualSums {
  double residual_squared;   ///< |r|²
  double code_squared;       ///< |r̂|²
  double code_residual;      ///< <r̂, r>
  double code_centroid;      ///< <r̂, c>
  double residual_centroid;  ///< <r, c>; only for products

  static ResidualSums of(const float* r, const float* code, const float* c, std::size_t dim) {
    double rr = 0, kk = 0, kr = 0, kc = 0, rc = 0;
#pragma omp simd reduction(+ : rr, kk, kr, kc, rc)
    for (std::size_t i = 0; i < dim; ++i) {
      const double ri = r[i], ki = code[i], ci = c[i];
      rr += ri * ri;
      kk += ki * ki;
      kr += ki * ri;
      kc += ki * ci;
      rc += ri * ci;
    }
    return {rr, kk, kr, kc, rc};
  }
};

/// A code that has nothing in common with its residual tells nothing: then b = 0, and the bound is
/// that of Cauchy and Schwarz.
inline CodeFactors make_factors(EstimateOf what, const ResidualSums& sums, std::size_t dim) {
  const bool is_distance = what == EstimateOf::kSquaredDistance;
  const double twice = is_distance ? 2 : 1;
  const double length = std::sqrt(sums.residual_squared);
  const double plain = is_distance ? sums.residual_squared : -sums.residual_centroid;
  const double cosine = sums.code_residual / (length * std::sqrt(sums.code_squared));
  if (!(cosine > 1e-3)) {
    return {static_cast<float>(plain), 0, static_cast<float>(twice * length)};
  }
  const double b = twice * sums.residual_squared / sums.code_residual;
  const double lost = 1 / (cosine * cosine) - 1;
  const double freedom = dim > 1 ? static_cast<double>(dim - 1) : 1;
  return {static_cast<float>(plain + b * sums.code_centroid), static_cast<float>(b),
          static_cast<float>(twice * length * std::sqrt((lost > 0 ? lost : 0) / freedom))};
}

/// What a code loses of a residual of this length, as a part of it, by the factors made of them:
/// sqrt(1 - x²).
inline double error_of(EstimateOf what, const CodeFactors& factors, double length,
                       std::size_t dim) {
  if (!(length > 0)) return 0;
  const double twice = what == EstimateOf::kSquaredDistance ? 2 : 1;
  const double freedom = dim > 1 ? static_cast<double>(dim - 1) : 1;
  const double deviation = static_cast<double>(factors.error) / (twice * length);
  const double lost = deviation * deviation * freedom;
  return std::sqrt(lost / (1 + lost));
}

/// How much larger the errors of real residuals are than `error` says, which is right after a
/// random rotation: where directions matter, as without one or after a trained one, errors of codes
/// and directions of queries go together. Measured on pairs of rows of one list, one as the query.
class ErrorRatio {
 public:
  /// r, code: a residual and what stands for it; y: another residual to the same centroid.
  void add(const float* r, const float* code, const float* y, std::size_t dim) {
    const ResidualSums sums = ResidualSums::of(r, code, y, dim);  // y in place of c
    const CodeFactors factors = make_factors(EstimateOf::kNegativeProduct, sums, dim);
    double yy = 0;
#pragma omp simd reduction(+ : yy)
    for (std::size_t i = 0; i < dim; ++i)
      yy += static_cast<double>(y[i]) * static_cast<double>(y[i]);
    const double expected = static_cast<double>(factors.error) * std::sqrt(yy);
    if (!(expected > 0)) return;
    const double off = static_cast<double>(factors.b) * sums.code_centroid - sums.residual_centroid;
    squares_ += off * off / (expected * expected);
    n_ += 1;
  }
  /// By which errors are to be multiplied: never below 1, so that chance widens no less than this.
  double value() const {
    const double mean = n_ > 0 ? squares_ / n_ : 1;
    return mean > 1 ? std::sqrt(mean) : 1;
  }

 private:
  double squares_ = 0, n_ = 0;
};

}  // namespace nearest::core
