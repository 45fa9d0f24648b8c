/// AVX-512 (F, BW, DQ, VL: every server CPU since 2017): sixteen lanes, the tail by a mask.
#if defined(__x86_64__)
#include <immintrin.h>

#include "core/kernels/isa.hpp"
#include "core/kernels/register_loops.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::core {
namespace avx512 {

struct Register {
  static constexpr std::size_t kLanes = 16, kTileRows = 4, kTileColumns = 4;
  __m512 lanes;

  static Register zero() { return {_mm512_setzero_ps()}; }
  static Register load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Register load_first(const float* p, std::size_t n) {
    return {_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1U), p)};
  }
  friend Register operator-(Register a, Register b) { return {_mm512_sub_ps(a.lanes, b.lanes)}; }
  friend Register operator+(Register a, Register b) { return {_mm512_add_ps(a.lanes, b.lanes)}; }
  friend Register abs(Register a) { return {_mm512_abs_ps(a.lanes)}; }
  friend Register multiply_add(Register a, Register b, Register sum) {
    return {_mm512_fmadd_ps(a.lanes, b.lanes, sum.lanes)};
  }
  friend float sum(Register a) {
    // By halves, with zeroing forms: _mm512_reduce_add_ps is the same code, but its header trips
    // -Wuninitialized in g++ 12.
    const __m256 eight = _mm256_add_ps(_mm512_maskz_extractf32x8_ps(0xFF, a.lanes, 0),
                                       _mm512_maskz_extractf32x8_ps(0xFF, a.lanes, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
};

}  // namespace avx512

constinit const KernelTable kAvx512Kernels = make_table<avx512::Register>("avx512");

}  // namespace nearest::core
#endif
