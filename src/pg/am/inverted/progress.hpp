/// What pg_stat_progress_create_index shows of a build.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "commands/progress.h"
#include "pgstat.h"
}

#include <cstdint>

namespace nearest::pg::inverted {

enum class Phase : std::int64_t {
  kInitialize = PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE,
  kSample,     ///< tuples_done: rows of the sample
  kCluster,    ///< tuples_done: steps of the training at hand, of tuples_total
  kCodebooks,  ///< likewise
  kEncode,     ///< tuples_done: rows
  kSort,
  kWrite,  ///< tuples_done: rows
};

inline void show_progress(std::size_t done, std::size_t total) {
  const int params[] = {PROGRESS_CREATEIDX_TUPLES_DONE, PROGRESS_CREATEIDX_TUPLES_TOTAL};
  const int64 values[] = {static_cast<int64>(done), static_cast<int64>(total)};
  pgstat_progress_update_multi_param(2, params, values);
}
inline void show_done(std::size_t done) {
  pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, static_cast<int64>(done));
}
inline void begin_phase(Phase phase, std::size_t total) {
  pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, static_cast<int64>(phase));
  show_progress(0, total);
}

}  // namespace nearest::pg::inverted
