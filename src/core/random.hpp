/// Random numbers that are the same on every machine: what is trained must repeat.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nearest::core {

inline constexpr std::uint64_t kRandomStep = 0x9E37'79B9'7F4A'7C15U;

/// The end of SplitMix64 (Steele, Lea and Flood 2014): all bits depend on all of z's.
constexpr std::uint64_t mix_bits(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9U;
  z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBU;
  return z ^ (z >> 31);
}

/// SplitMix64: a counter, well mixed.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += kRandomStep;
    return mix_bits(state_);
  }
  /// In [0, n), n > 0. For n far below 2^64 the remainder favors nothing by more than n / 2^64.
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }
  /// In [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::uint64_t state_;
};

}  // namespace nearest::core
