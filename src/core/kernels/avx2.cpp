/// AVX2 with FMA: eight lanes. Compiled with -mavx2 -mfma, run only where the CPU has both.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#include "core/kernels/isa.hpp"
#include "core/kernels/register_loops.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::core {
namespace avx2 {

/// Eight ones, then eight zeros: a load that starts n before the zeros is the mask of n lanes.
alignas(64) constexpr int kMaskWindow[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

struct Register {
  static constexpr std::size_t kLanes = 8, kTileRows = 3, kTileColumns = 4;
  static constexpr std::size_t kPanelRows = 6, kPanelRegisters = 2;
  __m256 lanes;

  static Register zero() { return {_mm256_setzero_ps()}; }
  static Register load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static Register load_first(const float* p, std::size_t n) {
    const __m256i mask =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMaskWindow + kLanes - n));
    return {_mm256_maskload_ps(p, mask)};
  }
  void store(float* p) const { _mm256_storeu_ps(p, lanes); }
  static Register load_codes(const std::int8_t* p) {
    const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes))};
  }
  static Register load_first_codes(const std::int8_t* p, std::size_t n) {
    std::int8_t window[kLanes] = {};
    __builtin_memcpy(window, p, n);
    return load_codes(window);
  }
  static Register broadcast(float x) { return {_mm256_set1_ps(x)}; }
  friend Register operator-(Register a, Register b) { return {_mm256_sub_ps(a.lanes, b.lanes)}; }
  friend Register operator+(Register a, Register b) { return {_mm256_add_ps(a.lanes, b.lanes)}; }
  friend Register abs(Register a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0F), a.lanes)}; }
  friend Register multiply_add(Register a, Register b, Register sum) {
    return {_mm256_fmadd_ps(a.lanes, b.lanes, sum.lanes)};
  }
  template <int h>
  friend Register butterfly(Register a) {
    const __m256 sums = _mm256_add_ps(a.lanes, swap<h>(a.lanes));
    const __m256 differences = _mm256_sub_ps(swap<h>(a.lanes), a.lanes);
    return {_mm256_blend_ps(sums, differences, h == 1 ? 0xAA : h == 2 ? 0xCC : 0xF0)};
  }
  template <int h>
  static __m256 swap(__m256 a) {
    if constexpr (h == 4) {
      return _mm256_permute2f128_ps(a, a, 1);
    } else {
      return _mm256_permute_ps(a, h == 1 ? 0xB1 : 0x4E);
    }
  }
  static Register load_integers(const std::uint32_t* p) {
    return {_mm256_cvtepi32_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
  friend std::uint32_t at_most(Register a, Register b) {
    return static_cast<std::uint32_t>(
        _mm256_movemask_ps(_mm256_cmp_ps(a.lanes, b.lanes, _CMP_LE_OQ)));
  }
  friend void store_sums(const Register* a, float* p) {
    const __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(a[0].lanes, a[1].lanes),
                                        _mm256_hadd_ps(a[2].lanes, a[3].lanes));
    _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1)));
  }
  friend float sum(Register a) {
    const __m128 four =
        _mm_add_ps(_mm256_castps256_ps128(a.lanes), _mm256_extractf128_ps(a.lanes, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
};

static __m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

static std::int32_t sum_lanes(__m256i a) {
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

/// |a|·(b with the sign of a): the multiplication of bytes wants one factor unsigned. Two products
/// of codes fit 16 bits, so nothing saturates; widening both factors first takes half as long
/// again.
struct ByteProducts {
  static constexpr std::size_t kLanes = 32;
  __m256i sums = _mm256_setzero_si256();

  void add(const std::int8_t* a, const std::int8_t* b) { add(load(a), load(b)); }
  void add_last(const std::int8_t* a, const std::int8_t* b, std::size_t n) {
    add(load(a), _mm256_and_si256(load(b), load(last_elements<ByteProducts, std::int8_t>(n))));
  }
  void add_rest(const std::int8_t* a, const std::int8_t* b, std::size_t i, std::size_t dim) {
    add_overlapping(*this, a, b, i, dim);
  }
  void add(__m256i a, __m256i b) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a));
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  friend ByteProducts operator+(ByteProducts a, ByteProducts b) {
    return {_mm256_add_epi32(a.sums, b.sums)};
  }
  std::int32_t total() const { return sum_lanes(sums); }
};

struct WordProducts {
  static constexpr std::size_t kLanes = 16;
  __m256i sums = _mm256_setzero_si256();

  void add(const std::int8_t* a, const std::int16_t* b) { add(a, load(b)); }
  void add_last(const std::int8_t* a, const std::int16_t* b, std::size_t n) {
    add(a, _mm256_and_si256(load(b), load(last_elements<WordProducts, std::int16_t>(n))));
  }
  void add_rest(const std::int8_t* a, const std::int16_t* b, std::size_t i, std::size_t dim) {
    add_overlapping(*this, a, b, i, dim);
  }
  void add(const std::int8_t* a, __m256i b) {
    const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a)));
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(wide, b));
  }
  friend WordProducts operator+(WordProducts a, WordProducts b) {
    return {_mm256_add_epi32(a.sums, b.sums)};
  }
  std::int32_t total() const { return sum_lanes(sums); }
};

struct Words {
  static constexpr std::size_t kCodes = 4;
  __m256i words;

  static Words zero() { return {_mm256_setzero_si256()}; }
  static Words load(const std::uint64_t* p) { return {avx2::load(p)}; }
  static Words load_table(const std::int8_t* p) {
    return {_mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  static Words broadcast(std::uint64_t word) {
    return {_mm256_set1_epi64x(static_cast<long long>(word))};
  }
  static Words low_nibbles() { return {_mm256_set1_epi8(0x0F)}; }
  static void add_counts(Words code, const std::uint64_t* planes, Words& positive,
                         Words& negative) {
    add_nibble_counts(code, planes, positive, negative);
  }
  friend Words operator&(Words a, Words b) { return {_mm256_and_si256(a.words, b.words)}; }
  friend Words operator+(Words a, Words b) { return {_mm256_add_epi8(a.words, b.words)}; }
  friend Words add_words(Words a, Words b) { return {_mm256_add_epi64(a.words, b.words)}; }
  friend Words shift_right_4(Words a) { return {_mm256_srli_epi64(a.words, 4)}; }
  friend Words look_up(Words table, Words a) { return {_mm256_shuffle_epi8(table.words, a.words)}; }
  friend Words sum_bytes(Words a) { return {_mm256_sad_epu8(a.words, _mm256_setzero_si256())}; }
  friend void store(Words positive, Words negative, std::int32_t* sums) {
    const __m256i difference =
        _mm256_sub_epi64(positive.words, _mm256_slli_epi64(negative.words, 3));
    const __m256i halves = _mm256_shuffle_epi32(difference, _MM_SHUFFLE(2, 0, 2, 0));
    const __m128i four =
        _mm_unpacklo_epi64(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums), four);
  }
};

/// Two segments.
struct Symbols {
  static constexpr std::size_t kSegments = 2;
  __m256i bytes;

  static Symbols zero() { return {_mm256_setzero_si256()}; }
  static Symbols load(const std::uint8_t* p) { return {avx2::load(p)}; }
  static Symbols load_first(const std::uint8_t* p, std::size_t) {  // one is left at most
    return {_mm256_zextsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  friend Symbols low_nibbles(Symbols a) {
    return {_mm256_and_si256(a.bytes, _mm256_set1_epi8(0x0F))};
  }
  friend Symbols high_nibbles(Symbols a) {
    return {_mm256_and_si256(_mm256_srli_epi16(a.bytes, 4), _mm256_set1_epi8(0x0F))};
  }
  friend Symbols look_up(Symbols table, Symbols a) {
    return {_mm256_shuffle_epi8(table.bytes, a.bytes)};
  }
  friend Symbols add_words(Symbols a, Symbols b) { return {_mm256_add_epi16(a.bytes, b.bytes)}; }
  friend Symbols subtract_words(Symbols a, Symbols b) {
    return {_mm256_sub_epi16(a.bytes, b.bytes)};
  }
  friend Symbols high_bytes(Symbols a) { return {_mm256_srli_epi16(a.bytes, 8)}; }
  friend Symbols shift_left_8(Symbols a) { return {_mm256_slli_epi16(a.bytes, 8)}; }
  friend Symbols fold_segments(Symbols a) {
    return {_mm256_add_epi16(a.bytes, _mm256_permute4x64_epi64(a.bytes, 0x4E))};
  }
  friend void add_sums(Symbols even, Symbols odd, std::uint32_t* sums) {
    const __m128i e = _mm256_castsi256_si128(even.bytes), o = _mm256_castsi256_si128(odd.bytes);
    add_eight(_mm_unpacklo_epi16(e, o), sums);
    add_eight(_mm_unpackhi_epi16(e, o), sums + 8);
  }
  static void add_eight(__m128i words, std::uint32_t* sums) {
    auto* const place = reinterpret_cast<__m256i*>(sums);
    _mm256_storeu_si256(place,
                        _mm256_add_epi32(_mm256_loadu_si256(place), _mm256_cvtepu16_epi32(words)));
  }
};

}  // namespace avx2

constinit const KernelTable kAvx2Kernels = make_table<avx2::Register>(
    "avx2", {.inner_product_i8 = fold_codes<avx2::ByteProducts, std::int8_t>,
             .inner_product_i8_i16 = fold_codes<avx2::WordProducts, std::int16_t>,
             .masked_sums_x8 = masked_sums<avx2::Words>,
             .table_sums_x32 = table_sums<avx2::Symbols>});

}  // namespace nearest::core
#endif
