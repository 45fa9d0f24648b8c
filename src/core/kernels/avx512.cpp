/// AVX-512 (F, BW, DQ, VL: every server CPU since 2017).
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#include "core/kernels/avx512_registers.hpp"
#include "core/kernels/isa.hpp"
#include "core/kernels/register_loops.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::core {
namespace avx512 {

/// Of codes with integers of 8 or 16 bits.
struct Products {
  static constexpr std::size_t kLanes = 32;
  Avx512Sums sums = Avx512Sums::zero();

  void add(const std::int8_t* a, const std::int8_t* b) {
    add(load_wide_codes(a), load_wide_codes(b));
  }
  void add(const std::int8_t* a, const std::int16_t* b) {
    add(load_wide_codes(a), _mm512_loadu_si512(b));
  }
  void add_rest(const std::int8_t* a, const std::int8_t* b, std::size_t i, std::size_t dim) {
    add(load_first_wide_codes(a + i, dim - i), load_first_wide_codes(b + i, dim - i));
  }
  void add_rest(const std::int8_t* a, const std::int16_t* b, std::size_t i, std::size_t dim) {
    add(load_first_wide_codes(a + i, dim - i), load_first_words(b + i, dim - i));
  }
  void add(__m512i a, __m512i b) { sums = sums + Avx512Sums{_mm512_madd_epi16(a, b)}; }
  friend Products operator+(Products a, Products b) { return {a.sums + b.sums}; }
  std::int32_t total() const { return sums.total(); }
};

struct Words {
  static constexpr std::size_t kCodes = 8;
  __m512i words;

  static Words zero() { return {_mm512_setzero_si512()}; }
  static Words load(const std::uint64_t* p) { return {_mm512_loadu_si512(p)}; }
  static Words load_table(const std::int8_t* p) {
    return {
        _mm512_maskz_broadcast_i32x4(kAll16, _mm_load_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  static Words broadcast(std::uint64_t word) {
    return {_mm512_set1_epi64(static_cast<long long>(word))};
  }
  static Words low_nibbles() { return {_mm512_set1_epi8(0x0F)}; }
  static void add_counts(Words code, const std::uint64_t* planes, Words& positive,
                         Words& negative) {
    add_nibble_counts(code, planes, positive, negative);
  }
  friend Words operator&(Words a, Words b) { return {_mm512_and_si512(a.words, b.words)}; }
  friend Words operator+(Words a, Words b) { return {_mm512_add_epi8(a.words, b.words)}; }
  friend Words add_words(Words a, Words b) { return {_mm512_add_epi64(a.words, b.words)}; }
  friend Words shift_right_4(Words a) { return {_mm512_maskz_srli_epi64(0xFF, a.words, 4)}; }
  friend Words look_up(Words table, Words a) {
    return {_mm512_maskz_shuffle_epi8(kAll64, table.words, a.words)};
  }
  friend Words sum_bytes(Words a) { return {_mm512_sad_epu8(a.words, _mm512_setzero_si512())}; }
  friend void store(Words positive, Words negative, std::int32_t* sums) {
    const __m512i difference =
        _mm512_sub_epi64(positive.words, _mm512_maskz_slli_epi64(0xFF, negative.words, 3));
    _mm512_mask_cvtepi64_storeu_epi32(sums, 0xFF, difference);
  }
};

}  // namespace avx512

constinit const KernelTable kAvx512Kernels = make_table<Avx512Register>(
    "avx512", {.inner_product_i8 = fold_codes<avx512::Products, std::int8_t>,
               .inner_product_i8_i16 = fold_codes<avx512::Products, std::int16_t>,
               .masked_sums_x8 = masked_sums<avx512::Words>,
               .table_sums_x32 = table_sums<Avx512Symbols>});

}  // namespace nearest::core
#endif
