/// What every CPU of the architecture can run: four lanes by the compiler's own vector type, which
/// becomes SSE2 on x86-64, Advanced SIMD on AArch64 and plain code elsewhere.
#include <cstring>

#include "core/kernels/isa.hpp"
#include "core/kernels/register_loops.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::core {
namespace baseline {

using Lanes [[gnu::vector_size(16)]] = float;
using Bits [[gnu::vector_size(16)]] = unsigned;  // of the same size: a cast keeps the bits

struct Register {
  static constexpr std::size_t kLanes = 4, kTileRows = 2, kTileColumns = 4;
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
  friend Register operator-(Register a, Register b) { return {a.lanes - b.lanes}; }
  friend Register operator+(Register a, Register b) { return {a.lanes + b.lanes}; }
  friend Register abs(Register a) { return {(Lanes)((Bits)a.lanes & 0x7FFF'FFFFU)}; }
  friend Register multiply_add(Register a, Register b, Register sum) {
    return {sum.lanes + a.lanes * b.lanes};
  }
  friend float sum(Register a) { return (a.lanes[0] + a.lanes[1]) + (a.lanes[2] + a.lanes[3]); }
};

}  // namespace baseline

constinit const KernelTable kBaselineKernels = make_table<baseline::Register>("baseline");

}  // namespace nearest::core
