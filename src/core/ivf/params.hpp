/// Ranges and defaults of the inverted file, measured in bench/README.md.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace nearest::core {

inline constexpr std::size_t kMaxLists = 65536;

/// Rows that training looks at: for each list, and for all.
inline constexpr int kSampleRowsPerList = 64;
inline constexpr std::size_t kFewestSampleRows = 10000;

/// Bits of a level in all: the index is a fifth of the vectors, and scans read 14 to 16 rows
/// for 10.
inline constexpr unsigned kDefaultLevelBits = 6;

/// With fewer rows an index has one list, and its searches are exact.
inline constexpr std::size_t kFewestTrainingRows = 100;

/// As many lists as rows in each: what ranking the lists costs and what scanning the nearest costs
/// grow alike.
inline std::size_t default_lists(std::size_t rows) {
  const auto root = static_cast<std::size_t>(std::sqrt(static_cast<double>(rows)));
  return std::clamp<std::size_t>(root, 1, kMaxLists);
}

/// Holds 0.9 of the true ten at least on all sets measured, with half to four times the default
/// number of lists.
inline std::size_t default_probes(std::size_t lists) {
  const auto root = static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(lists))));
  return std::min(lists, root + 1);
}

}  // namespace nearest::core
