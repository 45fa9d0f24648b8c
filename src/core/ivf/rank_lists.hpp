/// Which lists are nearest to a query: all centroids by codes of 8 bits, or those of the nearest
/// groups if there are thousands.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/cluster/two_level.hpp"
#include "core/quantize/scalar_code.hpp"

namespace nearest::core {

/// A list, or a group of lists, and how far its center is.
struct RankedList {
  float squared;
  std::uint32_t list;

  friend bool operator<(const RankedList& a, const RankedList& b) {
    return a.squared != b.squared ? a.squared < b.squared : a.list < b.list;
  }
};

/// Centroids in a quarter of their bytes. Good for ranking; the distances that estimates build on
/// come from the centroids themselves, of the probed lists only. Borrowed memory.
struct CoarseCodes {
  const std::int8_t* z;          ///< (n, dim)
  const float* scales;           ///< (n); NaN: a list that takes no rows, as take_nearest sees it
  const std::uint32_t* squares;  ///< (n)
  std::size_t n, dim;

  /// |q - ĉ|² of the lists in [begin, end).
  void score(const ScalarQuery& query, std::size_t begin, std::size_t end,
             RankedList* ranked) const {
    for (std::size_t c = begin; c < end; ++c) {
      const double squared = l2_squared_to(query, z + c * dim, scales[c], squares[c], dim);
      *ranked++ = {static_cast<float>(squared), static_cast<std::uint32_t>(c)};
    }
  }
  /// Makes the nearest list in [begin, end) the best one if it is nearer; of equals the first.
  void take_nearest(const ScalarQuery& query, std::size_t begin, std::size_t end,
                    RankedList* best) const {
    for (std::size_t c = begin; c < end; ++c) {
      if (std::isnan(scales[c])) continue;
      const double squared = l2_squared_to(query, z + c * dim, scales[c], squares[c], dim);
      *best = std::min(*best, {static_cast<float>(squared), static_cast<std::uint32_t>(c)});
    }
  }
};

/// centroids: (n, dim); z: (n, dim), scales, squares: (n).
inline void encode_centroids(const float* centroids, std::size_t n, std::size_t dim, std::int8_t* z,
                             float* scales, std::uint32_t* squares) {
  for (std::size_t c = 0; c < n; ++c) {
    const ScalarCode code =
        encode_scalar({centroids + c * dim, dim}, ErrorNorm::kEuclidean, z + c * dim);
    scales[c] = code.scale;
    squares[c] = code.square;
  }
}

/// The lists of each group lie behind one another (train_lists).
struct ListGroups {
  CoarseCodes centers;          ///< of the groups; n = 0 or 1: there are none
  const std::uint32_t* starts;  ///< (centers.n + 1)
};

/// How many lists are scored for each one that is probed, in whole groups.
inline constexpr std::size_t kScoredPerProbe = 16, kFewestScored = 1024;

/// The nearest `probes` lists, nearest first. ranked: work space of lists.n entries plus
/// groups.centers.n. Returns how many there are: as many as asked, or all.
inline std::size_t rank_lists(const CoarseCodes& lists, const ListGroups& groups,
                              const ScalarQuery& query, std::size_t probes, RankedList* ranked) {
  std::size_t n = 0;
  if (groups.centers.n <= 1 || kScoredPerProbe * probes >= lists.n) {
    lists.score(query, 0, lists.n, ranked);
    n = lists.n;
  } else {
    RankedList* const order = ranked + lists.n;
    groups.centers.score(query, 0, groups.centers.n, order);
    std::sort(order, order + groups.centers.n);
    const std::size_t wanted = std::max(kFewestScored, kScoredPerProbe * probes);
    for (std::size_t g = 0; g < groups.centers.n && n < wanted; ++g) {
      const std::size_t begin = groups.starts[order[g].list];
      const std::size_t end = groups.starts[order[g].list + 1];
      lists.score(query, begin, end, ranked + n);
      n += end - begin;
    }
  }
  const std::size_t found = std::min(probes, n);
  if (found < n) std::nth_element(ranked, ranked + found, ranked + n);
  std::sort(ranked, ranked + found);
  return found;
}

inline constexpr std::uint32_t kNoList = std::numeric_limits<std::uint32_t>::max();

/// The list nearest to a row that comes alone: of the nearest `tried` groups that have lists, where
/// there are groups; kNoList if none of these takes rows. ranked: work space of groups.centers.n
/// entries.
inline std::uint32_t nearest_list(const CoarseCodes& lists, const ListGroups& groups,
                                  const ScalarQuery& row, std::size_t tried, RankedList* ranked) {
  RankedList best = {std::numeric_limits<float>::infinity(), kNoList};
  if (groups.centers.n <= 1) {
    lists.take_nearest(row, 0, lists.n, &best);
    return best.list;
  }
  groups.centers.score(row, 0, groups.centers.n, ranked);
  RankedList* const end =
      std::remove_if(ranked, ranked + groups.centers.n, [&groups](const RankedList& group) {
        return groups.starts[group.list] == groups.starts[group.list + 1];
      });
  const auto n = static_cast<std::size_t>(end - ranked);
  if (tried < n) std::nth_element(ranked, ranked + tried, end);
  for (std::size_t g = 0; g < std::min(tried, n); ++g) {
    lists.take_nearest(row, groups.starts[ranked[g].list], groups.starts[ranked[g].list + 1],
                       &best);
  }
  return best.list;
}

}  // namespace nearest::core
