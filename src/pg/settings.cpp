#include "pg/postgres.hpp"

extern "C" {
#include "utils/guc.h"
#include "utils/plancache.h"
}

#include <climits>
#include <cstdlib>
#include <cstring>

#include "core/drift/verdict.hpp"
#include "core/graph/params.hpp"
#include "core/ivf/params.hpp"
#include "core/kernels/table.hpp"
#include "pg/maintain/settings.hpp"
#include "pg/settings.hpp"

namespace nearest::pg {

namespace {

constexpr int kMaxFlatProbes = 32768;  // pgvector's

// Measured (bench/README.md).
constexpr double kDriftWatch = 0.5, kDriftRetrain = 1.5;

Settings settings{
    core::kDefaultEfSearch,
    static_cast<int>(IterativeScan::kComplete),
    20000,
    1,
    {0, static_cast<int>(IterativeScan::kComplete), kMaxFlatProbes},
    {0, static_cast<int>(IterativeScan::kComplete), core::kMaxLists},
    static_cast<int>(StaleIndexes::kWarn),
    kDriftWatch,
    kDriftRetrain,
};

const config_enum_entry kStaleIndexes[] = {
    {"warn", static_cast<int>(StaleIndexes::kWarn), false},
    {"error", static_cast<int>(StaleIndexes::kError), false},
    {"avoid", static_cast<int>(StaleIndexes::kAvoid), false},
    {nullptr, 0, false},
};

const config_enum_entry kHnswIterativeScans[] = {
    {"off", static_cast<int>(IterativeScan::kOff), false},
    {"relaxed_order", static_cast<int>(IterativeScan::kRelaxedOrder), false},
    {"strict_order", static_cast<int>(IterativeScan::kStrictOrder), false},
    {"complete", static_cast<int>(IterativeScan::kComplete), false},
    {nullptr, 0, false},
};

const config_enum_entry kListIterativeScans[] = {
    {"off", static_cast<int>(IterativeScan::kOff), false},
    {"relaxed_order", static_cast<int>(IterativeScan::kRelaxedOrder), false},
    {"complete", static_cast<int>(IterativeScan::kComplete), false},
    {nullptr, 0, false},
};

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

/// Another vector extension's library in the same process has settings of the same names, and
/// defining a setting twice is an error. A value that was set before any library came does not
/// count: it waits for us.
bool is_defined(const char* name) {
  return GetConfigOption(name, true, false) != nullptr &&
         (GetConfigOptionFlags(name, true) & GUC_CUSTOM_PLACEHOLDER) == 0;
}

bool graph_settings_are_foreign = false, ivfflat_settings_are_foreign = false;

/// What plans of our indexes were made under has changed: makes cached ones anew. Called when the
/// settings are defined, too, and at the end of transactions, so it raises nothing.
void use_hnsw_iterative_scan(int new_value, void* /*extra*/) {
  if (new_value != settings.hnsw_iterative_scan) ResetPlanCache();
}

void use_ivfflat_iterative_scan(int new_value, void* /*extra*/) {
  if (new_value != settings.ivfflat.iterative_scan) ResetPlanCache();
}

void use_ivfpq_iterative_scan(int new_value, void* /*extra*/) {
  if (new_value != settings.ivfpq.iterative_scan) ResetPlanCache();
}

void use_stale_indexes(int new_value, void* /*extra*/) {
  if (new_value != settings.stale_indexes) ResetPlanCache();
}

int foreign_mode(const char* name) {
  const char* const value = GetConfigOption(name, true, false);
  for (const config_enum_entry* entry = kHnswIterativeScans; entry->name != nullptr; ++entry) {
    if (value != nullptr && std::strcmp(entry->name, value) == 0) return entry->val;
  }
  return static_cast<int>(IterativeScan::kComplete);
}

int foreign_int(const char* name, int otherwise) {
  const char* const value = GetConfigOption(name, true, false);
  return value != nullptr ? std::atoi(value) : otherwise;
}

void define_graph_settings() {
  graph_settings_are_foreign = is_defined("hnsw.ef_search");
  if (graph_settings_are_foreign) return;
  DefineCustomIntVariable("hnsw.ef_search", "How many candidates a search keeps.",
                          "More find more of the true neighbors and take longer.",
                          &settings.hnsw_ef_search, core::kDefaultEfSearch, core::kMinEfSearch,
                          core::kMaxEfSearch, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable(
      "hnsw.iterative_scan", "Whether a scan goes on when more rows are asked for.", nullptr,
      &settings.hnsw_iterative_scan, static_cast<int>(IterativeScan::kComplete),
      kHnswIterativeScans, PGC_USERSET, 0, nullptr, use_hnsw_iterative_scan, nullptr);
  DefineCustomIntVariable(
      "hnsw.max_scan_tuples", "After how many rows an iterative scan stops searching.",
      "Counts for relaxed_order and strict_order.", &settings.hnsw_max_scan_tuples, 20000, 1,
      INT_MAX, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomRealVariable(
      "hnsw.scan_mem_multiplier", "How many times work_mem a scan may keep candidates in.", nullptr,
      &settings.hnsw_scan_mem_multiplier, 1, 1, 1000, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  MarkGUCPrefixReserved("hnsw");
}

void define_ivfflat_settings() {
  ivfflat_settings_are_foreign = is_defined("ivfflat.probes");
  if (ivfflat_settings_are_foreign) return;
  DefineCustomIntVariable("ivfflat.probes", "How many lists a search reads.",
                          "More find more of the true neighbors and take longer. 0 is about the "
                          "square root of the number of lists.",
                          &settings.ivfflat.probes, 0, 0, kMaxFlatProbes, PGC_USERSET, 0, nullptr,
                          nullptr, nullptr);
  DefineCustomEnumVariable(
      "ivfflat.iterative_scan", "Whether a scan goes on when more rows are asked for.", nullptr,
      &settings.ivfflat.iterative_scan, static_cast<int>(IterativeScan::kComplete),
      kListIterativeScans, PGC_USERSET, 0, nullptr, use_ivfflat_iterative_scan, nullptr);
  DefineCustomIntVariable("ivfflat.max_probes", "How many lists an iterative scan reads at most.",
                          "Counts for relaxed_order.", &settings.ivfflat.max_probes, kMaxFlatProbes,
                          1, kMaxFlatProbes, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  MarkGUCPrefixReserved("ivfflat");
}

void define_ivfpq_settings() {
  DefineCustomIntVariable("ivfpq.probes", "How many lists a search reads.",
                          "More find more of the true neighbors and take longer. 0 is about the "
                          "square root of the number of lists.",
                          &settings.ivfpq.probes, 0, 0, core::kMaxLists, PGC_USERSET, 0, nullptr,
                          nullptr, nullptr);
  DefineCustomEnumVariable(
      "ivfpq.iterative_scan", "Whether a scan goes on when more rows are asked for.", nullptr,
      &settings.ivfpq.iterative_scan, static_cast<int>(IterativeScan::kComplete),
      kListIterativeScans, PGC_USERSET, 0, nullptr, use_ivfpq_iterative_scan, nullptr);
  DefineCustomIntVariable("ivfpq.max_probes", "How many lists an iterative scan reads at most.",
                          "Counts for relaxed_order.", &settings.ivfpq.max_probes, core::kMaxLists,
                          1, core::kMaxLists, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  MarkGUCPrefixReserved("ivfpq");
}

}  // namespace

const Settings& current_settings() {
  if (graph_settings_are_foreign) {
    settings.hnsw_ef_search = foreign_int("hnsw.ef_search", core::kDefaultEfSearch);
    settings.hnsw_iterative_scan = foreign_mode("hnsw.iterative_scan");
    settings.hnsw_max_scan_tuples = foreign_int("hnsw.max_scan_tuples", 20000);
    settings.hnsw_scan_mem_multiplier = foreign_int("hnsw.scan_mem_multiplier", 1);
  }
  if (ivfflat_settings_are_foreign) {
    settings.ivfflat.probes = foreign_int("ivfflat.probes", 0);
    settings.ivfflat.iterative_scan = foreign_mode("ivfflat.iterative_scan");
    settings.ivfflat.max_probes = foreign_int("ivfflat.max_probes", kMaxFlatProbes);
  }
  return settings;
}

void define_settings() {
  DefineCustomEnumVariable("nearest.kernels", "Instruction set of the distance functions.",
                           "Automatic is the best that the CPU has. The last digits of distances "
                           "can differ between the sets.",
                           &kernels_setting, static_cast<int>(KernelSet::kAuto), kKernelSets,
                           PGC_SUSET, 0, cpu_has_kernels, use_kernels, nullptr);
  maintain::define_maintenance_settings();
  DefineCustomEnumVariable("nearest.stale_indexes",
                           "What queries do with an index built under another model.",
                           "They warn once per session, fail, or scan without the index.",
                           &settings.stale_indexes, static_cast<int>(StaleIndexes::kWarn),
                           kStaleIndexes, PGC_USERSET, 0, nullptr, use_stale_indexes, nullptr);
  constexpr const char* kDriftUnit =
      "In standard deviations of the rows that the index was built on.";
  DefineCustomRealVariable("nearest.drift_watch",
                           "How far inserted rows are off when nearest_drift says watch.",
                           kDriftUnit, &settings.drift_watch, kDriftWatch, 0, core::kMostScore,
                           PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomRealVariable("nearest.drift_retrain",
                           "How far inserted rows are off when nearest_drift says retrain.",
                           kDriftUnit, &settings.drift_retrain, kDriftRetrain, 0, core::kMostScore,
                           PGC_USERSET, 0, nullptr, nullptr, nullptr);
  MarkGUCPrefixReserved("nearest");
  define_graph_settings();
  define_ivfflat_settings();
  define_ivfpq_settings();
}

}  // namespace nearest::pg
