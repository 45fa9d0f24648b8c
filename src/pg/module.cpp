/// What happens when the server loads the library.
#include "pg/postgres.hpp"

extern "C" {
#include "utils/builtins.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);  // NOLINT(bugprone-reserved-identifier): the server's name
}

#include "core/kernels/table.hpp"

namespace nearest::pg {
namespace {

/// Values of nearest.kernels; the texts are the names in core's tables.
enum class KernelSet : int { kAuto, kBaseline, kAvx2, kAvx512, kAvx512Vnni, kNeon };

const config_enum_entry kKernelSets[] = {
    {"auto", static_cast<int>(KernelSet::kAuto), false},
    {"baseline", static_cast<int>(KernelSet::kBaseline), false},
    {"avx2", static_cast<int>(KernelSet::kAvx2), false},
    {"avx512", static_cast<int>(KernelSet::kAvx512), false},
    {"avx512vnni", static_cast<int>(KernelSet::kAvx512Vnni), false},
    {"neon", static_cast<int>(KernelSet::kNeon), false},
    {nullptr, 0, false},
};

int kernels_setting = static_cast<int>(KernelSet::kAuto);

bool cpu_has_kernels(int* new_value, void** /*extra*/, GucSource /*source*/) {
  if (*new_value == static_cast<int>(KernelSet::kAuto)) return true;
  for (const core::KernelTable* table : core::available_kernels()) {
    if (table->name == kKernelSets[*new_value].name) return true;
  }
  GUC_check_errdetail("This CPU cannot run kernels for \"%s\".", kKernelSets[*new_value].name);
  return false;
}

void use_kernels(int new_value, void* /*extra*/) {
  core::choose_kernels(kKernelSets[new_value].name);
}

}  // namespace
}  // namespace nearest::pg

void _PG_init(void) {
  using namespace nearest::pg;
  DefineCustomEnumVariable("nearest.kernels", "Instruction set of the distance functions.",
                           "Automatic is the best that the CPU has. The last digits of distances "
                           "can differ between the sets.",
                           &kernels_setting, static_cast<int>(KernelSet::kAuto), kKernelSets,
                           PGC_SUSET, 0, cpu_has_kernels, use_kernels, nullptr);
  MarkGUCPrefixReserved("nearest");
}

/// nearest_kernels() -> text: the instruction set in use.
NEAREST_FUNCTION(nearest_kernels) {
  const std::string_view name = nearest::core::kernels().name;
  PG_RETURN_TEXT_P(cstring_to_text_with_len(name.data(), static_cast<int>(name.size())));
}
