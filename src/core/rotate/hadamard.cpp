#include "core/rotate/hadamard.hpp"

#include <bit>
#include <cmath>

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::core {
namespace {

/// SplitMix64 (Steele, Lea and Flood 2014): one step of a counter, well mixed.
std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9E37'79B9'7F4A'7C15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9U;
  z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBU;
  return z ^ (z >> 31);
}

void flip_signs(float* x, std::size_t n, std::uint64_t& state) {
  for (std::size_t begin = 0; begin < n; begin += 64) {
    const std::uint64_t bits = next_random(state);
    const std::size_t count = n - begin < 64 ? n - begin : 64;
#pragma omp simd
    for (std::size_t i = 0; i < count; ++i) {
      const auto sign = static_cast<std::uint32_t>(bits >> i) << 31;
      x[begin + i] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(x[begin + i]) ^ sign);
    }
  }
}

/// The first three stages within eight neighbors, where the loop below would have strides that do
/// not fill a register.
void transform_eight(float* x) {
  for (int h = 1; h < 8; h *= 2) {
    for (int i = 0; i < 8; i += 2 * h) {
      for (int j = i; j < i + h; ++j) {
        const float a = x[j], b = x[j + h];
        x[j] = a + b;
        x[j + h] = a - b;
      }
    }
  }
}

/// n is a power of two. Scaled first, so that no stage grows beyond the norm of x.
void walsh_hadamard(float* x, std::size_t n) {
  const float scale = 1.0F / std::sqrt(static_cast<float>(n));
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) x[i] *= scale;
  std::size_t h = 1;
  if (n >= 8) {
    for (std::size_t i = 0; i < n; i += 8) transform_eight(x + i);
    h = 8;
  }
  for (; h < n; h *= 2) {
    for (std::size_t i = 0; i < n; i += 2 * h) {
      float* const low = x + i;
      float* const high = x + i + h;
#pragma omp simd
      for (std::size_t j = 0; j < h; ++j) {
        const float a = low[j], b = high[j];
        low[j] = a + b;
        high[j] = a - b;
      }
    }
  }
}

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

}  // namespace

void rotate(std::span<float> x, std::uint64_t seed) noexcept {
  const std::size_t dim = x.size();
  if (dim == 0) return;
  const std::size_t window = std::bit_floor(dim);
  std::uint64_t state = seed;
  for (int round = 0; round < kRotationRounds; ++round) {
    flip_signs(x.data(), dim, state);
    walsh_hadamard(round % 2 == 0 ? x.data() : x.data() + (dim - window), window);
    if (window != dim) turn_halves(x.data(), dim);
  }
}

}  // namespace nearest::core
