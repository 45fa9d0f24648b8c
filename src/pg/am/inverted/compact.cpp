#include "pg/am/inverted/compact.hpp"

extern "C" {
#include "miscadmin.h"
}

#include <algorithm>
#include <cstring>

#include "core/arena.hpp"
#include "pg/am/inverted/page_copy.hpp"
#include "pg/am/inverted/page_group.hpp"
#include "pg/am/inverted/retired_pages.hpp"

namespace nearest::pg::inverted {
namespace {

/// A list is worth writing anew if that saves a page, and so much of its slots has no rows.
constexpr double kLeastRoom = 0.2;

class Compactor {
 public:
  Compactor(Relation heap, Relation index, const InvertedState& state)
      : heap_(heap), index_(index), state_(&state), group_(index, state), copy_(index, state) {
    const std::uint32_t most_slots = std::max(state.shape.slots, state.tid_shape.slots);
    tids_ = allocate_in<format::Tid>(CurrentMemoryContext, most_slots);
    const std::size_t vectors = state.shape.slots * RecordShape(state.shape).bytes;
    const std::size_t others = state.tid_shape.slots * RecordShape(state.tid_shape).bytes;
    records_ = allocate_in<std::byte>(CurrentMemoryContext, std::max(vectors, others));
    list_context_ =
        AllocSetContextCreate(CurrentMemoryContext, "list compaction", ALLOCSET_DEFAULT_SIZES);
  }

  Compacted run() {
    for (std::uint32_t list = 0; list < format::directory_entries(state_->meta); ++list) {
      if (is_sparse(list)) rewrite(list);
    }
    // Pages that left before this are looked at; those that left now are all too young.
    LinkedPages linked;
    linked.begin(index_, state_->meta);
    linked.add_all(index_, *state_);
    compacted_.free_blocks = reclaim_pages(heap_, index_, *state_, linked, false).free;
    compacted_.written_blocks = group_.n_written();
    return compacted_;
  }

 private:
  ListWalk walk_along(std::uint32_t list) const {
    return {index_, state_, list, read_entry(index_, state_->meta, list)};
  }

  bool is_sparse(std::uint32_t list) const {
    const std::uint64_t slots = shape_of(*state_, list).slots;
    std::uint64_t rows = 0, pages = 0;
    ListWalk walk = walk_along(list);
    while (!walk.is_at_end()) {
      walk.visit([&](const format::ConstListPage& page) -> const char* {
        rows += count_rows(page);
        ++pages;
        return nullptr;
      });
    }
    return (rows + slots - 1) / slots < pages &&
           static_cast<double>(rows) <= (1 - kLeastRoom) * static_cast<double>(pages * slots);
  }

  /// Writes a list anew.
  void rewrite(std::uint32_t list) {
    list_ = list;
    shape_ = &shape_of(*state_, list);
    entry_ = read_entry(index_, state_->meta, list);
    MemoryContextReset(list_context_);
    blocks_ = {};
    set_has_left(index_, true);
    const std::uint64_t rows = close_pages();
    const BlockNumber last = copy_rows(rows);
    swap(last);
    const std::uint64_t stamp = retired_stamp();
    for (const BlockNumber block : blocks_) {
      CHECK_FOR_INTERRUPTS();
      retire_page(index_, block, stamp);
    }
    ++compacted_.lists;
  }

  /// Closes the pages that the list has now, and returns how many rows they have.
  std::uint64_t close_pages() {
    std::uint64_t rows = 0;
    ListWalk walk(index_, state_, list_, entry_);
    while (!walk.is_at_end()) {
      blocks_.push_back(ContextArena{list_context_}, walk.block());
      walk.visit([](const format::ConstListPage&) -> const char* { return nullptr; });
    }
    for (const BlockNumber block : blocks_) rows += close_page(index_, *shape_, block);
    return rows;
  }

  /// Copies the rows of the closed pages, the last ones first, so that each new page can name the
  /// next one. Only the last one has room. Returns that, or kNoBlock, and sets first_.
  BlockNumber copy_rows(std::uint64_t rows) {
    const std::uint32_t slots = shape_->slots;
    BlockNumber last = format::kNoBlock;
    first_ = format::kNoBlock;
    n_wanted_ = n_missing_ = static_cast<std::uint32_t>(
        rows % slots == 0 ? std::min<std::uint64_t>(rows, slots) : rows % slots);
    std::uint64_t copied = 0;
    for (std::size_t i = blocks_.size(); i-- > 0;) {
      compacted_.retired_blocks += 1 + copy_.copy(blocks_[i], *shape_);
      for (std::uint32_t slot = copy_.n_slots(); slot-- > 0;) {
        if (format::is_dead(copy_.tid(slot))) continue;
        if (++copied > rows) elog(ERROR, "closed pages of list %u have more rows", list_);
        take_row(slot);
        if (n_missing_ > 0) continue;
        write_group();
        if (last == format::kNoBlock) last = first_;
        n_wanted_ = n_missing_ =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(rows - copied, slots));
      }
    }
    if (copied != rows) elog(ERROR, "closed pages of list %u have fewer rows", list_);
    return last;
  }

  /// Puts a row of the copied page in front of those taken before.
  void take_row(std::uint32_t slot) {
    const std::uint32_t place = --n_missing_;
    tids_[place] = copy_.tid(slot);
    copy_.read(slot, records_ + place * RecordShape(*shape_).bytes);
  }

  void write_group() {
    const std::size_t bytes = RecordShape(*shape_).bytes;
    group_.begin(list_, entry_.version);
    for (std::uint32_t i = 0; i < n_wanted_; ++i) {
      group_.add(tids_[i], list_ < state_->meta.lists ? records_ + i * bytes : nullptr);
    }
    first_ = group_.write(first_);
  }

  /// Makes the directory lead to the new pages, and them to those that came meanwhile.
  void swap(BlockNumber last) {
    const BlockNumber old_last = blocks_[blocks_.size() - 1];
    const Buffer directory = ReadBuffer(index_, directory_page(state_->meta, list_));
    LockBuffer(directory, BUFFER_LOCK_EXCLUSIVE);
    const format::ListEntry now = *entry_on(index_, state_->meta, BufferGetPage(directory), list_);
    if (now.first != blocks_[0]) elog(ERROR, "list %u was changed by another", list_);
    // Pages are added under the directory's lock.
    BlockNumber behind = format::kNoBlock;
    with_shared_page(index_, old_last, format::PageKind::kList,
                     [&](Page page) { behind = trailer_of(page)->next; });
    Buffer last_buffer = InvalidBuffer;
    if (last != format::kNoBlock) {
      last_buffer = ReadBuffer(index_, last);
      LockBuffer(last_buffer, BUFFER_LOCK_EXCLUSIVE);
    }
    GenericXLogState* const log = GenericXLogStart(index_);
    format::ListEntry* const entry =
        entry_on(index_, state_->meta, GenericXLogRegisterBuffer(log, directory, 0), list_);
    entry->first = last == format::kNoBlock ? behind : first_;
    if (behind == format::kNoBlock) entry->last = last;
    entry->room = format::kNoBlock;
    if (last != format::kNoBlock) {
      const Page page = GenericXLogRegisterBuffer(log, last_buffer, 0);
      trailer_of(page)->next = behind;
      list_header(page)->set_page_use(format::PageUse::kOpen);
    }
    GenericXLogFinish(log);
    if (last_buffer != InvalidBuffer) UnlockReleaseBuffer(last_buffer);
    UnlockReleaseBuffer(directory);
  }

  Relation heap_, index_;
  const InvertedState* state_;
  PageGroup group_;
  MemoryContext list_context_;
  PageCopy copy_;
  format::Tid* tids_;   ///< (slots) of the page that is being made
  std::byte* records_;  ///< likewise
  Compacted compacted_{};

  // Of the list at hand.
  std::uint32_t list_ = 0;
  const format::ListShape* shape_ = nullptr;
  format::ListEntry entry_{};
  core::ArenaArray<BlockNumber> blocks_;
  BlockNumber first_ = format::kNoBlock;        ///< of the new pages, so far
  std::uint32_t n_wanted_ = 0, n_missing_ = 0;  ///< rows of the page that is being made
};
static_assert(std::is_trivially_destructible_v<Compactor>);

}  // namespace

Compacted compact(Relation heap, Relation index, const ListLimits& limits) {
  const Rebalanced rebalanced = rebalance(heap, index, limits);
  const InvertedState* const state = load_state(index);
  auto* const compactor = new (palloc(sizeof(Compactor))) Compactor(heap, index, *state);
  Compacted done = compactor->run();
  done.written_blocks += rebalanced.written_blocks;
  done.retired_blocks += rebalanced.retired_blocks;
  done.split = rebalanced.split;
  done.merged = rebalanced.merged;
  return done;
}

}  // namespace nearest::pg::inverted
