/// Registers of sixteen lanes, the tail by a mask, for the files compiled for AVX-512 (F, BW, DQ,
/// VL) or more. In an unnamed namespace, so that each of these files has its own instances of all
/// that is made of them: the linker must not let one compiled for more replace another's.
#pragma once

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace nearest::core {
namespace {

/// Where an intrinsic without a mask is the same instruction, but trips -Wmaybe-uninitialized in
/// g++ 12 by its header, the zeroing form with all lanes is used.
constexpr __mmask16 kAll16 = 0xFFFF;
constexpr __mmask32 kAll32 = 0xFFFF'FFFF;
constexpr __mmask64 kAll64 = 0xFFFF'FFFF'FFFF'FFFF;

struct Avx512Register {
  static constexpr std::size_t kLanes = 16, kTileRows = 4, kTileColumns = 4;
  __m512 lanes;

  static Avx512Register zero() { return {_mm512_setzero_ps()}; }
  static Avx512Register load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Avx512Register load_first(const float* p, std::size_t n) {
    return {_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1U), p)};
  }
  void store(float* p) const { _mm512_storeu_ps(p, lanes); }
  static Avx512Register load_codes(const std::int8_t* p) {
    return convert(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Avx512Register load_first_codes(const std::int8_t* p, std::size_t n) {
    return convert(_mm_maskz_loadu_epi8(static_cast<__mmask16>((1U << n) - 1U), p));
  }
  static Avx512Register broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static Avx512Register convert(__m128i codes) {
    return {_mm512_maskz_cvtepi32_ps(kAll16, _mm512_maskz_cvtepi8_epi32(kAll16, codes))};
  }
  friend Avx512Register operator-(Avx512Register a, Avx512Register b) {
    return {_mm512_sub_ps(a.lanes, b.lanes)};
  }
  friend Avx512Register operator+(Avx512Register a, Avx512Register b) {
    return {_mm512_add_ps(a.lanes, b.lanes)};
  }
  friend Avx512Register abs(Avx512Register a) { return {_mm512_abs_ps(a.lanes)}; }
  friend Avx512Register multiply_add(Avx512Register a, Avx512Register b, Avx512Register sum) {
    return {_mm512_fmadd_ps(a.lanes, b.lanes, sum.lanes)};
  }
  template <int h>
  friend Avx512Register butterfly(Avx512Register a) {
    __m512 other = a.lanes;
    __mmask16 high = 0;
    if constexpr (h == 1) {
      other = _mm512_maskz_permute_ps(kAll16, a.lanes, 0xB1), high = 0xAAAA;
    } else if constexpr (h == 2) {
      other = _mm512_maskz_permute_ps(kAll16, a.lanes, 0x4E), high = 0xCCCC;
    } else if constexpr (h == 4) {
      other = _mm512_maskz_shuffle_f32x4(kAll16, a.lanes, a.lanes, 0xB1), high = 0xF0F0;
    } else {
      other = _mm512_maskz_shuffle_f32x4(kAll16, a.lanes, a.lanes, 0x4E), high = 0xFF00;
    }
    return {_mm512_mask_sub_ps(_mm512_add_ps(a.lanes, other), high, other, a.lanes)};
  }
  friend float sum(Avx512Register a) {
    // By halves: _mm512_reduce_add_ps is the same code, but its header trips the warning too.
    const __m256 eight = _mm256_add_ps(_mm512_maskz_extractf32x8_ps(0xFF, a.lanes, 0),
                                       _mm512_maskz_extractf32x8_ps(0xFF, a.lanes, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
};

/// Sixteen partial sums of products; shared by what adds to them.
struct Avx512Sums {
  __m512i lanes;

  static Avx512Sums zero() { return {_mm512_setzero_si512()}; }
  friend Avx512Sums operator+(Avx512Sums a, Avx512Sums b) {
    return {_mm512_add_epi32(a.lanes, b.lanes)};
  }
  std::int32_t total() const {
    const __m256i eight = _mm256_add_epi32(_mm512_maskz_extracti32x8_epi32(0xFF, lanes, 0),
                                           _mm512_maskz_extracti32x8_epi32(0xFF, lanes, 1));
    const __m128i four =
        _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
  }
};

/// Thirty-two codes in 16 bits each, and as many integers of 16 bits.
__m512i load_wide_codes(const std::int8_t* p) {
  return _mm512_maskz_cvtepi8_epi16(kAll32,
                                    _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
__m512i load_first_wide_codes(const std::int8_t* p, std::size_t n) {
  return _mm512_maskz_cvtepi8_epi16(
      kAll32, _mm256_maskz_loadu_epi8(static_cast<__mmask32>((1ULL << n) - 1U), p));
}
__m512i load_first_words(const std::int16_t* p, std::size_t n) {
  return _mm512_maskz_loadu_epi16(static_cast<__mmask32>((1ULL << n) - 1U), p);
}

}  // namespace
}  // namespace nearest::core
#endif
