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
  static constexpr std::size_t kPanelRows = 6, kPanelRegisters = 4;
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
  static Avx512Register load_integers(const std::uint32_t* p) {
    return {_mm512_maskz_cvtepi32_ps(kAll16, _mm512_loadu_si512(p))};
  }
  friend std::uint32_t at_most(Avx512Register a, Avx512Register b) {
    return _mm512_cmp_ps_mask(a.lanes, b.lanes, _CMP_LE_OQ);
  }
  /// Lanes of a and b, added by twos: a, b, a, b in each quarter.
  static __m512 add_pairs(__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_maskz_unpacklo_ps(kAll16, a, b),
                         _mm512_maskz_unpackhi_ps(kAll16, a, b));
  }
  friend void store_sums(const Avx512Register* a, float* p) {
    const __m512 ab = add_pairs(a[0].lanes, a[1].lanes), cd = add_pairs(a[2].lanes, a[3].lanes);
    const __m512 quarters = _mm512_add_ps(_mm512_maskz_shuffle_ps(kAll16, ab, cd, 0x44),
                                          _mm512_maskz_shuffle_ps(kAll16, ab, cd, 0xEE));
    const __m256 halves = _mm256_add_ps(_mm512_maskz_extractf32x8_ps(0xFF, quarters, 0),
                                        _mm512_maskz_extractf32x8_ps(0xFF, quarters, 1));
    _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1)));
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

/// Four segments of a block of 4-bit codes.
struct Avx512Symbols {
  static constexpr std::size_t kSegments = 4;
  __m512i bytes;

  static Avx512Symbols zero() { return {_mm512_setzero_si512()}; }
  static Avx512Symbols load(const std::uint8_t* p) { return {_mm512_loadu_si512(p)}; }
  static Avx512Symbols load_first(const std::uint8_t* p, std::size_t segments) {
    return {_mm512_maskz_loadu_epi8((1ULL << (16 * segments)) - 1U, p)};
  }
  friend Avx512Symbols low_nibbles(Avx512Symbols a) {
    return {_mm512_and_si512(a.bytes, _mm512_set1_epi8(0x0F))};
  }
  friend Avx512Symbols high_nibbles(Avx512Symbols a) {
    return {_mm512_and_si512(_mm512_srli_epi16(a.bytes, 4), _mm512_set1_epi8(0x0F))};
  }
  friend Avx512Symbols look_up(Avx512Symbols table, Avx512Symbols a) {
    return {_mm512_shuffle_epi8(table.bytes, a.bytes)};
  }
  friend Avx512Symbols add_words(Avx512Symbols a, Avx512Symbols b) {
    return {_mm512_add_epi16(a.bytes, b.bytes)};
  }
  friend Avx512Symbols subtract_words(Avx512Symbols a, Avx512Symbols b) {
    return {_mm512_sub_epi16(a.bytes, b.bytes)};
  }
  friend Avx512Symbols high_bytes(Avx512Symbols a) { return {_mm512_srli_epi16(a.bytes, 8)}; }
  friend Avx512Symbols shift_left_8(Avx512Symbols a) { return {_mm512_slli_epi16(a.bytes, 8)}; }
  friend Avx512Symbols fold_segments(Avx512Symbols a) {
    const __m256i two = _mm256_add_epi16(_mm512_maskz_extracti32x8_epi32(0xFF, a.bytes, 0),
                                         _mm512_maskz_extracti32x8_epi32(0xFF, a.bytes, 1));
    const __m128i one =
        _mm_add_epi16(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
    return {_mm512_zextsi128_si512(one)};
  }
  friend void add_sums(Avx512Symbols even, Avx512Symbols odd, std::uint32_t* sums) {
    const __m128i e = _mm512_maskz_extracti32x4_epi32(0xF, even.bytes, 0);
    const __m128i o = _mm512_maskz_extracti32x4_epi32(0xF, odd.bytes, 0);
    const __m256i words = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi16(e, o)),
                                                  _mm_unpackhi_epi16(e, o), 1);
    _mm512_storeu_si512(sums, _mm512_add_epi32(_mm512_loadu_si512(sums),
                                               _mm512_maskz_cvtepu16_epi32(kAll16, words)));
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
