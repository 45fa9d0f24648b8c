/// Whether inserted rows are still like those that an index was built on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/drift/figures.hpp"

namespace nearest::core {

/// Fewer rows tell nothing: of an index that was built on so few, and of inserted ones.
inline constexpr double kFewestBuilt = 100;
inline constexpr double kFewestInserted = 16;

/// By how many standard errors the means of two samples of the same rows may differ.
inline constexpr double kChanceDeviations = 3;
/// A spread counts as this part of the mean at least: of vectors of length 1, rounding is no drift.
inline constexpr double kLeastSpread = 0.02;
inline constexpr double kMostScore = 1000;

/// By how many spreads of the built rows the mean of inserted ones is off, what chance may have
/// done taken off. Of distances and errors only more is worse.
inline double shift_score(Figure figure, const Moments& built, const Moments& inserted) {
  if (built.n < kFewestBuilt || inserted.n < kFewestInserted) return 0;
  const double spread = std::max(built.spread(), kLeastSpread * built.mean);
  if (!(spread > 0)) return inserted.mean > built.mean ? kMostScore : 0;
  const double off = (inserted.mean - built.mean) / spread;
  // The spread of few rows may be small by chance.
  const double inserted_spread = std::max(inserted.spread() / spread, 1.0);
  const double error =
      kChanceDeviations * std::sqrt(1 / built.n + inserted_spread * inserted_spread / inserted.n);
  const double shift = (figure == Figure::kNorm ? std::fabs(off) : off) - error;
  return std::clamp(shift, 0.0, kMostScore);
}

/// By how many doublings rows lie more unevenly than they did.
inline double imbalance_score(double built, double now) {
  return built > 0 && now > built ? std::log2(now / built) : 0;
}

enum class Verdict : std::uint8_t { kOk, kUntrained, kWatch, kRetrain };

/// Scores from which on a verdict is given.
struct DriftLimits {
  double watch, retrain;
};

constexpr Verdict verdict_of(double score, const DriftLimits& limits) {
  if (score >= limits.retrain) return Verdict::kRetrain;
  return score >= limits.watch ? Verdict::kWatch : Verdict::kOk;
}

}  // namespace nearest::core
