/// Pages that leave their lists, and centroids and directories that others replaced: they become
/// free once no scan can be led to them any more.
///
/// Contract:
///   1. Only who holds a lock on the table that conflicts with itself takes pages out of lists
///      (ShareUpdateExclusiveLock: VACUUM, nearest_compact), so there is one at a time.
///   2. A page that has left stays as it is, its next page included. A scan that is led to it goes
///      on from there, and sees the rows of its snapshot, each once: the rows that left with the
///      page are on no page behind it, and those that came later are too young.
///   3. It becomes free when every snapshot is younger than its stamp. Snapshots of standbys that
///      are not are told of by a record, as btree indexes do, before the page changes; those of
///      this session count for temporary tables, too, of which the server's horizon does not know
///      that a scan may be at work.
#pragma once

#include "pg/postgres.hpp"

#include "pg/am/inverted/list_pages.hpp"
#include "pg/bits.hpp"

namespace nearest::pg::inverted {

/// The stamp of a page that nothing leads to from now on.
std::uint64_t retired_stamp();

/// Takes a page without rows out of its list. before: the page that leads to it, or kNoBlock.
/// False if it has rows by now.
bool unlink_empty_page(Relation index, const InvertedState& state, std::uint32_t list,
                       BlockNumber before, BlockNumber block);

/// Makes the metapage say whether there are pages that have left their lists, for the next VACUUM.
/// True before the first one leaves.
void set_has_left(Relation index, bool has_left);

/// Marks a page of a list, of centroids or of the directory that nothing leads to any more.
void retire_page(Relation index, BlockNumber block, std::uint64_t stamp);
/// The same for all pages of a list that the directory does not lead to any more: entry is how it
/// did. All of them must be closed. Returns how many there are, their cold pages included.
BlockNumber retire_list(Relation index, const InvertedState& state, std::uint32_t list,
                        const format::ListEntry& entry, std::uint64_t stamp);

/// Tells standbys that rows were left out of what is about to replace lists, as no snapshot of this
/// server sees them: theirs may.
void log_left_out(Relation heap, Relation index);

/// The pages of an index that something leads to, as found by walks along all lists.
class LinkedPages {
 public:
  /// For an index as large as it is now. Memory comes from the current context.
  void begin(Relation index, const format::InvertedMeta& meta);
  /// A list page, and its cold pages.
  void add(const format::ConstListPage& page, BlockNumber block);
  /// The pages of all lists.
  void add_all(Relation index, const InvertedState& state);

  bool has(BlockNumber block) const { return linked_.has(block); }
  BlockNumber n_blocks() const { return n_blocks_; }

 private:
  void add_block(BlockNumber block) {
    if (block < n_blocks_) linked_.add(block);
  }
  Bits linked_{};
  BlockNumber n_blocks_ = 0;
};

struct Reclaimed {
  BlockNumber freed;    ///< pages that became free
  BlockNumber free;     ///< free pages in all
  BlockNumber leaving;  ///< pages that some snapshot may still need
};

/// Makes pages free that nothing leads to: those that left their lists, once they may, and what
/// interrupted inserts and compactions left behind. The map of free pages knows all of them then.
/// linked: of walks that began before this does. leaves_more: pages of it have left since.
Reclaimed reclaim_pages(Relation heap, Relation index, const InvertedState& state,
                        const LinkedPages& linked, bool leaves_more);

}  // namespace nearest::pg::inverted
