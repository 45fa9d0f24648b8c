/// Which list each of many rows belongs to, as builds ask it.
#pragma once

#include "pg/postgres.hpp"

#include "core/cluster/nearest_centroid.hpp"
#include "pg/am/inverted/trainer.hpp"
#include "pg/memory.hpp"

namespace nearest::pg::inverted {

/// Compares rows with all centroids, or if there are thousands, with those of the nearest groups.
/// Touches plain memory only once it is made, so threads may share it.
class ListFinder {
 public:
  /// Memory comes from the context. With 65,536 lists, a row that is compared with the lists of
  /// eight groups of 256 finds its nearest one in all but some percent of cases, and then one that
  /// is about as near.
  static constexpr std::size_t kGroupsTried = 8;

  ListFinder(MemoryContext context, const Model& model);
  void release();

  /// y: rows.n points of the model's space, at most kRowsAtOnce; lists: (rows.n).
  void find(const core::Rows& y, std::uint32_t* lists) const;
  static constexpr std::size_t kRowsAtOnce = 48;

 private:
  ContextArena arena_;
  std::size_t groups_;
  core::CentroidPanels all_;  ///< of the lists, or of the groups if there are several
  core::CentroidPanels* members_ = nullptr;  ///< (groups) of each group's lists
  const std::uint32_t* begins_ = nullptr;    ///< (groups) their first lists
};

}  // namespace nearest::pg::inverted
