/// A fixed random rotation that needs no stored matrix.
///
/// Four rounds of random signs and a fast Walsh-Hadamard transform of the first or the last 2^k
/// coordinates in turn, and between the second and the third, if the dimension is not a power of
/// two, a turn by 45 degrees between the two halves, which mixes what the windows keep apart. After
/// it the coordinates of any vector look like independent Gaussians, which is what codes of one
/// scale per vector need (Ailon and Chazelle 2009; Gao and Long 2024).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/kernels/table.hpp"

namespace nearest::core {

/// Rotates x in place; the same seed and dimension always give the same rotation, to the last bit.
/// Relative error of the result, in norm: below rotation_error(x.size()).
inline void rotate(std::span<float> x, std::uint64_t seed) {
  kernels().rotate_f32(x.data(), x.size(), seed);
}

/// Bound of |rotate(x) - exact| / |x|. Every stage of additions rounds each coordinate once, the
/// signs are exact, and scaling rounds three times a round, its factor included; twice that is
/// ample for the turn too.
constexpr double rotation_error(std::size_t dim) {
  constexpr int kRounds = 4;
  int stages = 0;
  while ((std::size_t{2} << stages) <= dim) ++stages;
  return 2 * kRounds * (stages + 4) * kUnitRoundoff;
}

}  // namespace nearest::core
