/// The tables of the instruction sets compiled into this library, for dispatch.cpp alone.
#pragma once

#include "core/kernels/table.hpp"

namespace nearest::core {

extern const KernelTable kBaselineKernels;
#if defined(__x86_64__)
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx512Kernels;
extern const KernelTable kAvx512VnniKernels;
#elif defined(__aarch64__)
extern const KernelTable kNeonKernels;
#endif

}  // namespace nearest::core
