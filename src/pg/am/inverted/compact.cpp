#include "pg/am/inverted/compact.hpp"

extern "C" {
#include "miscadmin.h"
}

#include <algorithm>
#include <cstring>

#include "core/arena.hpp"
#include "pg/am/inverted/list_row.hpp"
#include "pg/am/inverted/page_group.hpp"
#include "pg/am/inverted/retired_pages.hpp"

namespace nearest::pg::inverted {
namespace {

/// A list is worth writing anew if that saves a page, and so much of its slots has no rows.
constexpr double kLeastRoom = 0.2;

class Compactor {
 public:
  Compactor(Relation heap, Relation index, const InvertedState& state)
      : heap_(heap), index_(index), state_(&state), group_(index, state) {
    page_ = static_cast<Page>(palloc(BLCKSZ));
    for (std::uint32_t i = 0; i < state.shape.n_cold; ++i) {
      cold_pages_[i] = static_cast<Page>(palloc(BLCKSZ));
    }
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

  /// Rows of a page, dead ones in the table included.
  static std::uint32_t count_rows(const format::ConstListPage& page) {
    std::uint32_t rows = 0;
    for (std::uint32_t slot = 0; slot < page.header().n_slots; ++slot) {
      rows += format::is_dead(page.tids()[slot]) ? 0 : 1;
    }
    return rows;
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
    for (const BlockNumber block : blocks_) {
      CHECK_FOR_INTERRUPTS();
      with_exclusive_page(index_, block, format::PageKind::kList, [&](Page page) {
        rows += count_rows(list_page(page, *shape_));
        if (!list_header(page)->is_open()) return false;
        list_header(page)->set_page_use(format::PageUse::kClosed);
        return true;
      });
    }
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
      compacted_.retired_blocks += 1 + copy_page(blocks_[i]);
      const format::ConstListPage page = list_page(page_, *shape_);
      for (std::uint32_t slot = page.header().n_slots; slot-- > 0;) {
        if (format::is_dead(page.tids()[slot])) continue;
        if (++copied > rows) elog(ERROR, "closed pages of list %u have more rows", list_);
        take_row(page, slot);
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

  /// Copies a closed page of the list and its cold pages, which nobody changes. Returns how many
  /// these are.
  std::uint32_t copy_page(BlockNumber block) {
    with_shared_page(index_, block, format::PageKind::kList,
                     [&](Page page) { std::memcpy(page_, page, BLCKSZ); });
    const format::ConstListPage page = list_page(page_, *shape_);
    if (shape_->n_cold == 0) return 0;
    std::uint32_t i = 0;
    for (; i * shape_->cold_per_page < page.header().n_slots; ++i) {
      CHECK_FOR_INTERRUPTS();
      const BlockNumber cold = page.cold_pages()[i];
      if (cold == format::kNoBlock || cold >= RelationGetNumberOfBlocks(index_)) {
        report_damaged(index_, block, "It leads to a page that is not there.");
      }
      with_shared_page(index_, cold, format::PageKind::kCold,
                       [&](Page copied) { std::memcpy(cold_pages_[i], copied, BLCKSZ); });
      const format::ConstPageBytes content = content_of(cold_pages_[i]);
      const std::uint32_t first_slot = i * shape_->cold_per_page;
      const char* fault =
          format::cold_page_fault(content, used_bytes(cold_pages_[i]), *shape_, block, first_slot);
      const std::uint32_t n =
          std::min<std::uint32_t>(page.header().n_slots - first_slot, shape_->cold_per_page);
      if (fault == nullptr && format::at<format::ColdPageHeader>(content, 0)->n_slots < n) {
        fault = "A page that refines a list's rows has not all of them.";
      }
      if (fault != nullptr) report_damaged(index_, cold, fault);
    }
    return i;
  }

  /// Puts a row of the copied page in front of those taken before.
  void take_row(const format::ConstListPage& page, std::uint32_t slot) {
    const RecordShape record(*shape_);
    const std::uint32_t place = --n_missing_;
    std::byte* const to = records_ + place * record.bytes;
    tids_[place] = page.tids()[slot];
    std::memset(to, 0, record.bytes);
    get_hot_row(page, record, slot, to);
    if (shape_->n_cold == 0) return;
    get_cold_row(content_of(cold_pages_[slot / shape_->cold_per_page]), *shape_, slot, to);
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
  Page page_, cold_pages_[format::kMostColdPages];  ///< copies
  format::Tid* tids_;                               ///< (slots) of the page that is being made
  std::byte* records_;                              ///< likewise
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

Compacted compact(Relation heap, Relation index) {
  const InvertedState* const state = load_state(index);
  auto* const compactor = new (palloc(sizeof(Compactor))) Compactor(heap, index, *state);
  return compactor->run();
}

}  // namespace nearest::pg::inverted
