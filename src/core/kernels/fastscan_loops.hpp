/// The loops over blocks of 32 codes, written once over types that each instruction set's file
/// supplies and keeps to itself; see register_loops.hpp for why.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kernels/table.hpp"

namespace nearest::core {

/// KernelTable::table_sums_x32 by lookups in registers. F is a register of F::kSegments times
/// sixteen bytes:
///   zero(), load(p), load_first(p, segments)     other bytes are 0, nothing behind is read
///   low_nibbles(a), high_nibbles(a)              of each byte
///   look_up(table, a)                            within each sixteen bytes
///   add_words(a, b), subtract_words(a, b), high_bytes(a), shift_left_8(a)   of words of 16 bits
///   fold_segments(a)                             the sum of all its sixteen bytes, as words
///   add_sums(even, odd, sums)                    adds 8 + 8 words, interleaved, to 16 sums
template <class F>
struct HalfBlockSums {
  // Sums of words count each odd byte 256 times; so they are summed once more alone.
  F all = F::zero(), odd = F::zero();

  void add(F values) {
    all = add_words(all, values);
    odd = add_words(odd, high_bytes(values));
  }
  void flush(std::uint32_t* sums) const {
    const F total = fold_segments(all), odd_total = fold_segments(odd);
    add_sums(subtract_words(total, shift_left_8(odd_total)), odd_total, sums);
  }
};

template <class F>
void table_sums(const std::uint8_t* codes, const std::uint8_t* tables, std::size_t segments,
                std::uint32_t* sums) {
  constexpr std::size_t kBytes = 16, kSegmentsInWords = 256;  // 256 · 255 < 2^16
  for (std::size_t j = 0; j < 32; ++j) sums[j] = 0;
  for (std::size_t begin = 0; begin < segments; begin += kSegmentsInWords) {
    const std::size_t end =
        begin + kSegmentsInWords < segments ? begin + kSegmentsInWords : segments;
    HalfBlockSums<F> low, high;
    const auto step = [&](F code, F table) {
      low.add(look_up(table, low_nibbles(code)));
      high.add(look_up(table, high_nibbles(code)));
    };
    std::size_t s = begin;
    for (; s + F::kSegments <= end; s += F::kSegments) {
      step(F::load(codes + s * kBytes), F::load(tables + s * kBytes));
    }
    if (s < end) {
      step(F::load_first(codes + s * kBytes, end - s), F::load_first(tables + s * kBytes, end - s));
    }
    low.flush(sums);
    high.flush(sums + 16);
  }
}

/// KernelTable::estimate_x32. Beside what register_loops.hpp asks for, R offers
///   load_integers(p)      kLanes integers in [0, 2^24), converted
///   at_most(a, b)         bit i is set where lane i of a is <= that of b
template <class R>
std::uint32_t estimate_block(const std::uint32_t* sums, const CodeFactors32& factors,
                             const EstimateTerms& terms, float* bounds) {
  const R zero = R::zero(), base = R::broadcast(terms.base), limit = R::broadcast(terms.limit);
  const R offset = R::broadcast(terms.offset), step = R::broadcast(terms.step);
  const R slack = R::broadcast(terms.slack), rounding = R::broadcast(terms.rounding);
  std::uint32_t mask = 0;
  for (std::size_t j = 0; j < 32; j += R::kLanes) {
    const R product = multiply_add(R::load_integers(sums + j), step, offset);
    const R plus = base + R::load(factors.a + j);
    const R b = R::load(factors.b + j);
    const R estimate = plus - multiply_add(b, product, zero);
    const R width =
        multiply_add(R::load(factors.error + j), slack, multiply_add(b, rounding, zero));
    const R bound = estimate - width;
    bound.store(bounds + j);
    mask |= at_most(bound, limit) << j;
  }
  return mask;
}

}  // namespace nearest::core
