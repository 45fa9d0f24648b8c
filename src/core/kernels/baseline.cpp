/// What every CPU of the architecture can run: four lanes by the compiler's own vector type, which
/// becomes SSE2 on x86-64, Advanced SIMD on AArch64 and plain code elsewhere.
#include <cstdint>
#include <cstring>

#include "core/kernels/isa.hpp"
#include "core/kernels/register_loops.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::core {
namespace baseline {

using Lanes [[gnu::vector_size(16)]] = float;
using Bits [[gnu::vector_size(16)]] = unsigned;  // of the same size: a cast keeps the bits
using Integers [[gnu::vector_size(16)]] = int;
using Codes [[gnu::vector_size(4)]] = std::int8_t;

struct Register {
  static constexpr std::size_t kLanes = 4, kTileRows = 2, kTileColumns = 4;
  static constexpr std::size_t kPanelRows = 3, kPanelRegisters = 4;
  Lanes lanes;

  static Register zero() { return {Lanes{}}; }
  static Register load(const float* p) {
    Register r;
    std::memcpy(&r.lanes, p, sizeof r.lanes);
    return r;
  }
  static Register load_first(const float* p, std::size_t n) {
    Register r = zero();
    std::memcpy(&r.lanes, p, n * sizeof(float));
    return r;
  }
  void store(float* p) const { std::memcpy(p, &lanes, sizeof lanes); }
  static Register load_codes(const std::int8_t* p) {
    Codes codes;
    std::memcpy(&codes, p, sizeof codes);
    return {__builtin_convertvector(codes, Lanes)};
  }
  static Register load_first_codes(const std::int8_t* p, std::size_t n) {
    std::int8_t window[kLanes] = {};
    std::memcpy(window, p, n);
    return load_codes(window);
  }
  static Register broadcast(float x) { return {Lanes{} + x}; }
  friend Register operator-(Register a, Register b) { return {a.lanes - b.lanes}; }
  friend Register operator+(Register a, Register b) { return {a.lanes + b.lanes}; }
  friend Register abs(Register a) { return {(Lanes)((Bits)a.lanes & 0x7FFF'FFFFU)}; }
  friend Register multiply_add(Register a, Register b, Register sum) {
    return {sum.lanes + a.lanes * b.lanes};
  }
  template <int h>
  friend Register butterfly(Register a) {
    if constexpr (h == 1) {
      return {Lanes{a.lanes[0] + a.lanes[1], a.lanes[0] - a.lanes[1], a.lanes[2] + a.lanes[3],
                    a.lanes[2] - a.lanes[3]}};
    } else {
      return {Lanes{a.lanes[0] + a.lanes[2], a.lanes[1] + a.lanes[3], a.lanes[0] - a.lanes[2],
                    a.lanes[1] - a.lanes[3]}};
    }
  }
  static Register load_integers(const std::uint32_t* p) {
    Integers integers;
    std::memcpy(&integers, p, sizeof integers);
    return {__builtin_convertvector(integers, Lanes)};
  }
  friend std::uint32_t at_most(Register a, Register b) {
    const Integers is = a.lanes <= b.lanes;
    return (is[0] & 1U) | (is[1] & 2U) | (is[2] & 4U) | (is[3] & 8U);
  }
  friend void store_sums(const Register* a, float* p) {
    for (std::size_t i = 0; i < 4; ++i) p[i] = sum(a[i]);
  }
  friend float sum(Register a) { return (a.lanes[0] + a.lanes[1]) + (a.lanes[2] + a.lanes[3]); }
};

/// For B of 8 or 16 bits; compilers know the inner loop, if its sum has a sign. Sums of a step
/// cannot overflow; those of all steps, of codes that should not be, may, and wrap as on other
/// sets.
template <class B>
std::int32_t inner_product(const std::int8_t* a, const B* b, std::size_t dim) {
  constexpr std::size_t kStep = 256;  // 256 · 128 · 32,768 < 2^31
  std::uint32_t total = 0;
  for (std::size_t begin = 0; begin < dim; begin += kStep) {
    const std::size_t end = begin + kStep < dim ? begin + kStep : dim;
    std::int32_t sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::size_t i = begin; i < end; ++i) {
      sum += static_cast<std::int16_t>(a[i]) * static_cast<std::int16_t>(b[i]);
    }
    total += static_cast<std::uint32_t>(sum);
  }
  return static_cast<std::int32_t>(total);
}

using TwoWords [[gnu::vector_size(16)]] = std::uint64_t;

/// Counts by shifts and masks, since not even x86-64 has an instruction for them.
struct Words {
  static constexpr std::size_t kCodes = 2;
  static constexpr std::uint64_t kPairs = 0x3333'3333'3333'3333, kNibbles = 0x0F0F'0F0F'0F0F'0F0F;
  TwoWords words;

  static Words zero() { return {TwoWords{}}; }
  static Words load(const std::uint64_t* p) {
    Words r;
    std::memcpy(&r.words, p, sizeof r.words);
    return r;
  }
  static void add_counts(Words code, const std::uint64_t* planes, Words& positive,
                         Words& negative) {
    const TwoWords one = nibble_counts(code.words & planes[0]);
    const TwoWords two = nibble_counts(code.words & planes[1]);
    // Worth at most 12, which half a byte holds; with plane 2 it would be 28.
    const TwoWords low = byte_sums(one + two + two);
    positive.words += low + (byte_sums(nibble_counts(code.words & planes[2])) << 2);
    negative.words += byte_sums(nibble_counts(code.words & planes[3]));
  }
  static TwoWords nibble_counts(TwoWords a) {
    a -= (a >> 1) & 0x5555'5555'5555'5555;
    return (a & kPairs) + ((a >> 2) & kPairs);
  }
  static TwoWords byte_sums(TwoWords a) { return (a & kNibbles) + ((a >> 4) & kNibbles); }
  friend Words add_words(Words a, Words b) { return {a.words + b.words}; }
  friend Words sum_bytes(Words a) {
    constexpr std::uint64_t kEven = 0x00FF'00FF'00FF'00FF;
    TwoWords sums = (a.words & kEven) + ((a.words >> 8) & kEven);
    sums += sums >> 16;
    sums += sums >> 32;
    return {sums & 0xFFFF};
  }
  friend void store(Words positive, Words negative, std::int32_t* sums) {
    const TwoWords difference = positive.words - (negative.words << 3);
    sums[0] = static_cast<std::int32_t>(difference[0]);
    sums[1] = static_cast<std::int32_t>(difference[1]);
  }
};

/// Without an instruction for lookups: one after another.
static void table_sums_x32(const std::uint8_t* codes, const std::uint8_t* tables,
                           std::size_t segments, std::uint32_t* sums) {
  for (std::size_t j = 0; j < 32; ++j) sums[j] = 0;
  for (std::size_t s = 0; s < segments; ++s) {
    for (std::size_t j = 0; j < 16; ++j) {
      const unsigned code = codes[16 * s + j];
      sums[j] += tables[16 * s + (code & 0x0FU)];
      sums[j + 16] += tables[16 * s + (code >> 4)];
    }
  }
}

}  // namespace baseline

constinit const KernelTable kBaselineKernels = make_table<baseline::Register>(
    "baseline", {.inner_product_i8 = baseline::inner_product<std::int8_t>,
                 .inner_product_i8_i16 = baseline::inner_product<std::int16_t>,
                 .masked_sums_x8 = masked_sums<baseline::Words>,
                 .table_sums_x32 = baseline::table_sums_x32});

}  // namespace nearest::core
