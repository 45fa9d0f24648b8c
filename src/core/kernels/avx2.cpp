/// AVX2 with FMA: eight lanes. Compiled with -mavx2 -mfma, run only where the CPU has both.
#if defined(__x86_64__)
#include <immintrin.h>

#include "core/kernels/isa.hpp"
#include "core/kernels/register_loops.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::core {
namespace avx2 {

/// Eight ones, then eight zeros: a load that starts n before the zeros is the mask of n lanes.
alignas(64) constexpr int kMaskWindow[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

struct Register {
  static constexpr std::size_t kLanes = 8, kTileRows = 3, kTileColumns = 4;
  __m256 lanes;

  static Register zero() { return {_mm256_setzero_ps()}; }
  static Register load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static Register load_first(const float* p, std::size_t n) {
    const __m256i mask =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMaskWindow + kLanes - n));
    return {_mm256_maskload_ps(p, mask)};
  }
  friend Register operator-(Register a, Register b) { return {_mm256_sub_ps(a.lanes, b.lanes)}; }
  friend Register operator+(Register a, Register b) { return {_mm256_add_ps(a.lanes, b.lanes)}; }
  friend Register abs(Register a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0F), a.lanes)}; }
  friend Register multiply_add(Register a, Register b, Register sum) {
    return {_mm256_fmadd_ps(a.lanes, b.lanes, sum.lanes)};
  }
  friend float sum(Register a) {
    const __m128 four =
        _mm_add_ps(_mm256_castps256_ps128(a.lanes), _mm256_extractf128_ps(a.lanes, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
};

}  // namespace avx2

constinit const KernelTable kAvx2Kernels = make_table<avx2::Register>("avx2");

}  // namespace nearest::core
#endif
