/// Centroids and directory of all lists, which take the place of those before when lists are split
/// or merged.
///
/// Whoever holds a state (state.hpp) goes on with the centroids and the directory that its metapage
/// named, and with the pages of lists these lead to: none of them change but for rows that are
/// added to lists that stay, and none becomes free before the snapshots are gone that may need them
/// (retired_pages.hpp). One record of the metapage makes others see the new ones.
///
/// Inserts add pages and move marks under the lock of the directory's page, which says whether it
/// is in use. It is closed before its entries are copied, and is never opened again once the
/// metapage names another: an insert then waits for that, and places its row anew. What was
/// interrupted in between leaves closed pages behind, which the next insert that meets one opens.
///
/// Locks: the lock (of the lock manager) on the metapage's number before pages. It is held from the
/// closing of the directory to its replacement, and by checks of the whole index.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "storage/lock.h"
}

#include <algorithm>

#include "pg/am/inverted/list_pages.hpp"

namespace nearest::pg::inverted {

/// Keep lists from being replaced, or are about to replace them.
void lock_lists(Relation index, LOCKMODE mode);
void unlock_lists(Relation index, LOCKMODE mode);

/// Returns once an insert that found the directory of its state closed can go on, with a state that
/// is loaded again.
void await_lists(Relation index, const InvertedState& state);

/// Next centroids and directory. One at a time: the caller holds ShareUpdateExclusiveLock on the
/// table. In this order: all numbers, all centroids, write_centroids, close, entries, swap, retire.
class NextLists {
 public:
  /// Memory comes from the current context, which must live as long; `before` is borrowed.
  /// n_new: lists that are added at most.
  NextLists(Relation index, const InvertedState& before, std::uint32_t n_new);

  bool is_merged(std::uint32_t list) const { return lists_.headers[list].begin != 0; }
  /// 0 if lists are in no groups.
  std::uint32_t group_of(std::uint32_t list) const;

  /// Makes n more lists out of one: numbers: (n) of lists that have no rows. To be called in the
  /// order of the lists' groups, so that new ones of a group are in one, too.
  void add_lists(std::uint32_t list, std::uint32_t n, std::uint32_t* numbers);
  /// centroid: (dim) becomes what the list's code stands for.
  void set_centroid(std::uint32_t list, float* centroid);
  /// Of a list that keeps its centroid never less than before: a few rows that are farther out, as
  /// merges leave them, do not show in the mean of all.
  void set_reach(std::uint32_t list, float reach) {
    lists_.headers[list].reach = std::max(lists_.headers[list].reach, reach);
  }
  /// A list that has no rows from now on.
  void merge_away(std::uint32_t list) {
    lists_.headers[list].begin = format::CentroidHeader::kMerged;
  }

  /// What will be loaded afterwards. Complete after write_centroids(), before that all but where
  /// centroids are.
  const InvertedState& state() const { return state_; }

  /// Writes centroids to pages of their own.
  void write_centroids();
  /// Closes the directory and copies its entries, which do not change from now on.
  void close();
  /// The entry of a list, by its new number; only after close().
  format::ListEntry& entry(std::uint32_t list) { return entries_[list]; }
  const format::ListEntry& entry_before(std::uint32_t list) const { return entries_before_[list]; }
  /// What reaches at least so far, of centroids that are written, and that nobody else reads yet.
  void widen_reach(std::uint32_t list, float reach);
  /// Writes the directory, makes the metapage lead to all of it, and lets inserts go on.
  void swap();
  /// Marks the pages of the ones before.
  void retire(std::uint64_t stamp);

  /// Pages that were written, and those that were retired.
  BlockNumber n_written() const { return n_pages(state_.meta); }
  BlockNumber n_retired() const { return n_pages(before_->meta); }

 private:
  /// Centroids as they are on pages.
  struct Codes {
    format::CentroidHeader* headers;  ///< (room)
    std::int8_t* z;                   ///< (room, dim)
  };

  static BlockNumber n_pages(const format::InvertedMeta& meta);
  Codes read_centroids(BlockNumber first, std::uint32_t n, std::uint32_t room) const;
  void code_new_groups();
  bool write_run(BlockNumber first);
  bool write_centroid_pages(BlockNumber* block, const Codes& codes, std::uint32_t n);
  bool write_directory_pages(BlockNumber first, bool is_new);
  bool write_page(BlockNumber block, format::PageKind kind, bool is_new);
  template <class Change>
  void change_directory(const format::InvertedMeta& meta, Change&& change);

  Relation index_;
  const InvertedState* before_;
  InvertedState state_;
  std::uint32_t room_;  ///< lists that there is room for
  Codes lists_, groups_{};
  std::uint32_t adding_to_ = ~0U;  ///< the group that lists of the last group come from
  format::ListEntry *entries_, *entries_before_;
  Page page_;
};
static_assert(std::is_trivially_destructible_v<NextLists>);

}  // namespace nearest::pg::inverted
