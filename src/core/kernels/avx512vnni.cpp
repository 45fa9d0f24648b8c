/// AVX-512 as in avx512.cpp with VNNI, VPOPCNTDQ, BITALG and VBMI: Intel since Ice Lake (2019), AMD
/// since Zen 4 (2022). Products are summed as they are made, and bits are counted by words.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#include "core/kernels/avx512_registers.hpp"
#include "core/kernels/isa.hpp"
#include "core/kernels/register_loops.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::core {
namespace avx512vnni {

/// The multiplication of bytes wants one factor unsigned: Σ (a + 128)·b - Σ 128·b. Cheaper than to
/// move the signs of a to b, and far from overflow: 255 · 127 · 16,384 < 2^30.
struct ByteProducts {
  static constexpr std::size_t kLanes = 64;
  Avx512Sums sums = Avx512Sums::zero(), excess = Avx512Sums::zero();

  void add(const std::int8_t* a, const std::int8_t* b) {
    add(_mm512_loadu_si512(a), _mm512_loadu_si512(b));
  }
  void add_rest(const std::int8_t* a, const std::int8_t* b, std::size_t i, std::size_t dim) {
    const __mmask64 mask = (1ULL << (dim - i)) - 1U;
    add(_mm512_maskz_loadu_epi8(mask, a + i), _mm512_maskz_loadu_epi8(mask, b + i));
  }
  void add(__m512i a, __m512i b) {
    asm("" : "+v"(b));  // or compilers load it from memory for each of its uses
    const __m512i offset = _mm512_set1_epi8(-128);  // 128 as an unsigned factor
    sums.lanes = _mm512_dpbusd_epi32(sums.lanes, _mm512_xor_si512(a, offset), b);
    excess.lanes = _mm512_dpbusd_epi32(excess.lanes, offset, b);
  }
  friend ByteProducts operator+(ByteProducts a, ByteProducts b) {
    return {a.sums + b.sums, a.excess + b.excess};
  }
  std::int32_t total() const {
    return Avx512Sums{_mm512_sub_epi32(sums.lanes, excess.lanes)}.total();
  }
};

struct WordProducts {
  static constexpr std::size_t kLanes = 32;
  Avx512Sums sums = Avx512Sums::zero();

  void add(const std::int8_t* a, const std::int16_t* b) {
    add(load_wide_codes(a), _mm512_loadu_si512(b));
  }
  void add_rest(const std::int8_t* a, const std::int16_t* b, std::size_t i, std::size_t dim) {
    add(load_first_wide_codes(a + i, dim - i), load_first_words(b + i, dim - i));
  }
  void add(__m512i a, __m512i b) { sums.lanes = _mm512_dpwssd_epi32(sums.lanes, a, b); }
  friend WordProducts operator+(WordProducts a, WordProducts b) { return {a.sums + b.sums}; }
  std::int32_t total() const { return sums.total(); }
};

/// One register holds a word of all eight codes; one sum for each plane.
static void masked_sums_x8(const std::uint64_t* codes, std::size_t words,
                           const std::uint64_t* planes, std::int32_t* sums) {
  constexpr std::size_t kCodes = 8, kPlanes = 4;
  __m512i counts[kPlanes];
  for (__m512i& count : counts) count = _mm512_setzero_si512();
  for (std::size_t w = 0; w < words; ++w) {
    const __m512i code = _mm512_loadu_si512(codes + w * kCodes);
#pragma GCC unroll 4
    for (std::size_t p = 0; p < kPlanes; ++p) {
      const __m512i plane = _mm512_set1_epi64(static_cast<long long>(planes[w * kPlanes + p]));
      counts[p] = _mm512_add_epi64(counts[p], _mm512_popcnt_epi64(_mm512_and_si512(code, plane)));
    }
  }
  // By Horner's rule from the highest plane, which counts negative.
  __m512i total = _mm512_sub_epi64(counts[2], _mm512_maskz_slli_epi64(0xFF, counts[3], 1));
  total = _mm512_add_epi64(counts[1], _mm512_maskz_slli_epi64(0xFF, total, 1));
  total = _mm512_add_epi64(counts[0], _mm512_maskz_slli_epi64(0xFF, total, 1));
  _mm512_mask_cvtepi64_storeu_epi32(sums, 0xFF, total);
}

}  // namespace avx512vnni

constinit const KernelTable kAvx512VnniKernels = make_table<Avx512Register>(
    "avx512vnni", {.inner_product_i8 = fold_codes<avx512vnni::ByteProducts, std::int8_t>,
                   .inner_product_i8_i16 = fold_codes<avx512vnni::WordProducts, std::int16_t>,
                   .masked_sums_x8 = avx512vnni::masked_sums_x8,
                   .table_sums_x32 = table_sums<Avx512Symbols>});

}  // namespace nearest::core
#endif
