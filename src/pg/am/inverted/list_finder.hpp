/// Which list each of many rows belongs to, as builds ask it.
#pragma once

#include "pg/postgres.hpp"

#include "core/cluster/two_level.hpp"
#include "pg/am/inverted/trainer.hpp"
#include "pg/memory.hpp"
#include "pg/thread_team.hpp"

namespace nearest::pg::inverted {

/// Compares rows with all centroids, or if there are thousands, with those of the nearest groups:
/// the rows of a batch that want the same group are compared with its centroids together, because
/// products of many rows with many centroids cost a fraction of the same row by row.
class ListFinder {
 public:
  static constexpr std::size_t kGroupsTried = core::kGroupsTried;
  static constexpr std::size_t kBatchRows = 4096;

  /// Borrows the model; memory comes from the current context.
  ListFinder(const Model& model, ThreadTeam team);
  void release();

  /// y: points of the model's space; lists: (y.n). Serves interrupts.
  void find(const core::Rows& y, std::uint32_t* lists);

 private:
  static constexpr std::size_t kChunkRows = 48;

  void find_in_groups(const core::Rows& y, std::uint32_t* lists);
  void choose_groups(const core::Rows& y, std::size_t begin);
  void compare_with_group(const core::Rows& y, std::size_t group);

  ContextArena arena_;
  ThreadTeam team_;
  std::size_t groups_, dim_;  ///< one group: all centroids at once
  core::CentroidPanels all_;  ///< of the lists, or of the groups if there are several

  // Only if there are several groups. A wish is that a row be compared with a group's lists.
  core::CentroidPanels* members_ = nullptr;  ///< (groups) of each group's lists
  const std::uint32_t* begins_ = nullptr;    ///< (groups) their first lists
  std::uint32_t* wished_ = nullptr;          ///< (rows of a batch, kGroupsTried) groups
  core::BestCentroid* best_ = nullptr;       ///< likewise, what came of it
  core::ClusterOrder wishes_{};              ///< in the order of groups
  float* gathered_ = nullptr;                ///< (threads, kChunkRows, dim)
};

}  // namespace nearest::pg::inverted
