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

inline const ListSettings& settings_of(const format::InvertedMeta& meta, const Settings& settings) {
  return format::has_vectors(meta) ? settings.ivfflat : settings.ivfpq;
}

inline Probes probes_of(const format::InvertedMeta& meta, const Settings& all) {
  const ListSettings& settings = settings_of(meta, all);
  const std::size_t first = settings.probes == 0
                                ? core::default_probes(meta.lists)
                                : std::min<std::size_t>(meta.lists, settings.probes);
  switch (static_cast<IterativeScan>(settings.iterative_scan)) {
    case IterativeScan::kComplete:
      return {first, meta.lists, true};
    case IterativeScan::kOff:
      return {first, first, false};
    default:
      return {first, std::max(first, static_cast<std::size_t>(settings.max_probes)), false};
  }
}

/// Whether rows come in the order of their distances: those of lists beyond the first ones do not.
inline bool keeps_order(const format::InvertedMeta& meta, const Settings& settings) {
  return meta.lists == 1 || static_cast<IterativeScan>(
                                settings_of(meta, settings).iterative_scan) == IterativeScan::kOff;
}

}  // namespace nearest::pg::inverted
