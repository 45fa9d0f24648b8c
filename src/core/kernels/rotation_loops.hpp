/// The rotation of core/rotate/hadamard.hpp, written once over a register type.
///
/// Beside what register_loops.hpp asks for, R offers
///   store(p)        kLanes floats to any address
///   butterfly(a, h) for h = 1, 2, 4 .. kLanes / 2: lane i becomes a_i + a_(i+h) if i has not the
///   bit
///                   h, and a_(i-h) - a_i if it has
/// Plain loops are vectorized by the compiler, each file for its own instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nearest::core {

/// SplitMix64 (Steele, Lea and Flood 2014): one step of a counter, well mixed.
template <class R>
std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9E37'79B9'7F4A'7C15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9U;
  z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBU;
  return z ^ (z >> 31);
}

template <class R>
void flip_signs(float* x, std::size_t n, std::uint64_t& state) {
  for (std::size_t begin = 0; begin < n; begin += 64) {
    const std::uint64_t bits = next_random<R>(state);
    const std::uint32_t halves[2] = {static_cast<std::uint32_t>(bits),
                                     static_cast<std::uint32_t>(bits >> 32)};
    for (std::size_t half = 0; half < 2; ++half) {
      float* const part = x + begin + 32 * half;
      const std::size_t left = n - begin > 32 * half ? n - begin - 32 * half : 0;
      const std::size_t count = left < 32 ? left : 32;
      const std::uint32_t signs = halves[half];
#pragma omp simd
      for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t is_flipped = signs >> static_cast<std::uint32_t>(i) & 1U;
        part[i] *= 1.0F - 2.0F * static_cast<float>(static_cast<std::int32_t>(is_flipped));
      }
    }
  }
}

/// n is a power of two. Scaled first, so that no stage grows beyond the norm of x.
template <class R>
void walsh_hadamard(float* x, std::size_t n) {
  const float scale = 1.0F / __builtin_sqrtf(static_cast<float>(n));
  if (n < R::kLanes) {
    for (std::size_t i = 0; i < n; ++i) x[i] *= scale;
    for (std::size_t h = 1; h < n; h *= 2) {
      for (std::size_t i = 0; i < n; i += 2 * h) {
        for (std::size_t j = i; j < i + h; ++j) {
          const float a = x[j], b = x[j + h];
          x[j] = a + b;
          x[j + h] = a - b;
        }
      }
    }
    return;
  }
  const R zero = R::zero(), factor = R::broadcast(scale);
  for (std::size_t i = 0; i < n; i += R::kLanes) {
    R part = multiply_add(R::load(x + i), factor, zero);
    part = butterfly<1>(part);
    part = butterfly<2>(part);
    if constexpr (R::kLanes > 4) part = butterfly<4>(part);
    if constexpr (R::kLanes > 8) part = butterfly<8>(part);
    part.store(x + i);
  }
  for (std::size_t h = R::kLanes; h < n; h *= 2) {
    for (std::size_t i = 0; i < n; i += 2 * h) {
      for (std::size_t j = i; j < i + h; j += R::kLanes) {
        const R a = R::load(x + j), b = R::load(x + j + h);
        (a + b).store(x + j);
        (a - b).store(x + j + h);
      }
    }
  }
}

template <class R>
void turn_halves(float* x, std::size_t n) {
  constexpr float kHalfRoot = 0.70710678F;
  const std::size_t half = n / 2;
  float* const high = x + (n - half);
#pragma omp simd
  for (std::size_t i = 0; i < half; ++i) {
    const float a = x[i] * kHalfRoot, b = high[i] * kHalfRoot;
    x[i] = a + b;
    high[i] = a - b;
  }
}

template <class R>
void rotate_loop(float* x, std::size_t dim, std::uint64_t seed) {
  constexpr int kRounds = 4;
  if (dim == 0) return;
  std::size_t window = 1;
  while (2 * window <= dim) window *= 2;
  std::uint64_t state = seed;
  for (int round = 0; round < kRounds; ++round) {
    flip_signs<R>(x, dim, state);
    walsh_hadamard<R>(round % 2 == 0 ? x : x + (dim - window), window);
    // Once, when both windows were mixed: a turn before would bring coordinates out of the window
    // that comes next.
    if (window != dim && round == 1) turn_halves<R>(x, dim);
  }
}

}  // namespace nearest::core
