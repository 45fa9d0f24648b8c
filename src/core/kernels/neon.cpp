/// Advanced SIMD of AArch64 with its fused multiply-add: four lanes.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstring>

#include "core/kernels/isa.hpp"
#include "core/kernels/register_loops.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::core {
namespace neon {

struct Register {
  static constexpr std::size_t kLanes = 4, kTileRows = 4, kTileColumns = 4;
  float32x4_t lanes;

  static Register zero() { return {vdupq_n_f32(0.0F)}; }
  static Register load(const float* p) { return {vld1q_f32(p)}; }
  static Register load_first(const float* p, std::size_t n) {
    float window[kLanes] = {};
    std::memcpy(window, p, n * sizeof(float));
    return load(window);
  }
  friend Register operator-(Register a, Register b) { return {vsubq_f32(a.lanes, b.lanes)}; }
  friend Register operator+(Register a, Register b) { return {vaddq_f32(a.lanes, b.lanes)}; }
  friend Register abs(Register a) { return {vabsq_f32(a.lanes)}; }
  friend Register multiply_add(Register a, Register b, Register sum) {
    return {vfmaq_f32(sum.lanes, a.lanes, b.lanes)};
  }
  friend float sum(Register a) { return vaddvq_f32(a.lanes); }
};

}  // namespace neon

constinit const KernelTable kNeonKernels = make_table<neon::Register>("neon");

}  // namespace nearest::core
#endif
