#include <array>
#include <cstddef>
#include <iterator>

#include "core/kernels/isa.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::core {
namespace {

bool always() noexcept { return true; }
#if defined(__x86_64__)
bool has_avx2() noexcept { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() noexcept {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
bool has_avx512vnni() noexcept {
  return has_avx512() && __builtin_cpu_supports("avx512vnni") &&
         __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512bitalg") &&
         __builtin_cpu_supports("avx512vbmi");
}
#endif

struct Compiled {
  const KernelTable* table;
  bool (*is_supported)() noexcept;
};

/// Slowest first.
constexpr Compiled kCompiled[] = {
    {&kBaselineKernels, always},
#if defined(__x86_64__)
    {&kAvx2Kernels, has_avx2},
    {&kAvx512Kernels, has_avx512},
    {&kAvx512VnniKernels, has_avx512vnni},
#elif defined(__aarch64__)
    {&kNeonKernels, always},  // Advanced SIMD is part of the architecture
#endif
};

/// Filled once, before any caller can run: constant data plus what the CPU says.
struct Available {
  std::array<const KernelTable*, std::size(kCompiled)> tables{};
  std::size_t count = 0;

  Available() noexcept {
#if defined(__x86_64__)
    __builtin_cpu_init();  // this may run before the C library's own constructor
#endif
    for (const Compiled& compiled : kCompiled) {
      if (compiled.is_supported()) tables[count++] = compiled.table;
    }
  }
};

/// Never null, not even for a constructor of another file that runs before the ones here.
constinit const KernelTable* in_use = &kBaselineKernels;

const Available available;
[[maybe_unused]] const bool best_chosen_at_load = choose_kernels("auto");

}  // namespace

const KernelTable& kernels() noexcept { return *in_use; }

std::span<const KernelTable* const> available_kernels() noexcept {
  return {available.tables.data(), available.count};
}

bool choose_kernels(std::string_view name) noexcept {
  if (name == "auto") {
    in_use = available.tables[available.count - 1];
    return true;
  }
  for (const KernelTable* table : available_kernels()) {
    if (table->name == name) {
      in_use = table;
      return true;
    }
  }
  return false;
}

}  // namespace nearest::core
