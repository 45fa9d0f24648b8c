/// How many lists a scan reads, by the settings.
#pragma once

#include "pg/postgres.hpp"

#include <algorithm>
#include <cstddef>

#include "core/ivf/params.hpp"
#include "format/inverted_meta.hpp"
#include "pg/settings.hpp"

namespace nearest::pg::inverted {

struct Probes {
  std::size_t first;  ///< lists of the first batch
  std::size_t most;   ///< lists in all
  bool is_complete;   ///< every row is returned, those without vectors too
};

inline Probes probes_of(const format::InvertedMeta& meta, const Settings& settings) {
  const auto mode = static_cast<IterativeScan>(settings.ivfflat_iterative_scan);
  const std::size_t first =
      std::min<std::size_t>(meta.lists, static_cast<std::size_t>(settings.ivfflat_probes));
  switch (mode) {
    case IterativeScan::kComplete:
      return {first, meta.lists, true};
    case IterativeScan::kOff:
      return {first, first, false};
    default:
      return {first, std::max(first, static_cast<std::size_t>(settings.ivfflat_max_probes)), false};
  }
}

/// Whether rows come in the order of their distances: those of lists beyond the first ones do not.
inline bool keeps_order(const format::InvertedMeta& meta, const Settings& settings) {
  return meta.lists == 1 ||
         static_cast<IterativeScan>(settings.ivfflat_iterative_scan) == IterativeScan::kOff;
}

}  // namespace nearest::pg::inverted
