#include "pg/am/inverted/list_insert.hpp"

extern "C" {
#include "miscadmin.h"
}

#include "pg/am/graph/page_space.hpp"
#include "pg/am/inverted/list_pages.hpp"
#include "pg/am/inverted/list_row.hpp"

namespace nearest::pg::inverted {
namespace {

constexpr std::uint32_t kNoSlot = ~0U;

enum class Tried : std::uint8_t {
  kDone,
  kAgain,      ///< another was faster, or a page that was thought free is not
  kNeedsPage,  ///< a cold page has to be begun
  kMoved,      ///< the directory is not in use any more, or being copied
  kFull,
};

/// A buffer of a page that a change needs, locked.
struct Locked {
  Buffer buffer = InvalidBuffer;
  BlockNumber block = format::kNoBlock;

  bool is_there() const { return buffer != InvalidBuffer; }
  Page page() const { return BufferGetPage(buffer); }
};

void unlock(const Locked& locked) {
  if (locked.is_there()) UnlockReleaseBuffer(locked.buffer);
}

std::uint32_t find_dead_slot(const format::ConstListPage& page) {
  for (std::uint32_t slot = 0; slot < page.header().n_slots; ++slot) {
    if (format::is_dead(page.tids()[slot])) return slot;
  }
  return kNoSlot;
}

class ListInserter {
 public:
  ListInserter(Relation index, const InvertedState& state, std::uint32_t list,
               const format::Tid& tid, const std::byte* record)
      : index_(index),
        hints_(BufferHints::of(index)),
        meta_(&state.meta),
        shape_(&shape_of(state, list)),
        record_shape_(*shape_),
        list_(list),
        number_(format::number_on_pages(state.meta, list)),
        state_(&state),
        tid_(tid),
        record_(record) {}

  bool run() {
    Tried tried = Tried::kAgain;
    while (tried != Tried::kDone && tried != Tried::kMoved) {
      if (INTERRUPTS_PENDING_CONDITION()) {
        // What was found for the row is not lost if it is not inserted.
        give_back(&list_spare_);
        give_back(&cold_spare_);
        CHECK_FOR_INTERRUPTS();
      }
      entry_ = read_entry(index_, *meta_, list_, &is_in_use_);
      if (entry_.room != format::kNoBlock) {
        tried = fill_dead_slot();
        continue;
      }
      tried = entry_.last == format::kNoBlock ? Tried::kFull : append();
      if (tried == Tried::kNeedsPage) take_spare(&cold_spare_);
      if (tried != Tried::kFull) continue;
      take_spare(&list_spare_);
      if (shape_->n_cold > 0) take_spare(&cold_spare_);
      tried = add_page();
    }
    give_back(&list_spare_);
    give_back(&cold_spare_);
    return tried == Tried::kDone;
  }

 private:
  Locked lock_page(BlockNumber block) {
    const Buffer buffer = hints_->read(index_, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    return {buffer, block};
  }

  /// Locks a page of the list. Raises if it is damaged.
  Locked lock_list_page(BlockNumber block) {
    if (!hints_->has_block(index_, block)) {
      report_damaged(index_, directory_page(*meta_, list_), "It leads behind the index's end.");
    }
    const Locked locked = lock_page(block);
    const char* fault =
        is_page_of_kind(locked.page(), format::PageKind::kList)
            ? format::list_page_fault(list_page(locked.page(), *shape_), used_bytes(locked.page()),
                                      number_, entry_.version)
            : "The page is not of its kind.";
    if (fault != nullptr) report_damaged(index_, block, fault);
    return locked;
  }

  /// Locks the cold page of a slot of a locked page: one that is there, or else the spare one, to
  /// be begun. Without any if the list has no cold pages; kNeedsPage, or kAgain, if the spare one
  /// is missing or not free.
  Tried lock_cold_page(const Locked& hot, std::uint32_t slot, bool is_new, Locked* cold) {
    if (shape_->n_cold == 0) return Tried::kDone;
    const std::uint32_t i = slot / shape_->cold_per_page;
    if (is_new && slot % shape_->cold_per_page == 0) {
      if (cold_spare_ == InvalidBlockNumber) return Tried::kNeedsPage;
      return lock_spare(&cold_spare_, cold);
    }
    const BlockNumber block = list_page(hot.page(), *shape_).cold_pages()[i];
    if (block == hot.block || block == format::kNoBlock || !hints_->has_block(index_, block)) {
      report_damaged(index_, hot.block, "It leads to a page that is not there.");
    }
    *cold = lock_page(block);
    const char* fault =
        is_page_of_kind(cold->page(), format::PageKind::kCold)
            ? format::cold_page_fault(content_of(cold->page()), used_bytes(cold->page()), *shape_,
                                      hot.block, i * shape_->cold_per_page)
            : "The page is not of its kind.";
    if (fault != nullptr) report_damaged(index_, block, fault);
    return Tried::kDone;
  }

  /// Locks a page that was found free. If it is not any more, another has to be found. Two sessions
  /// may have found the same page, or this one a page that is the list's last one by now: whoever
  /// waited for it could wait forever.
  Tried lock_spare(BlockNumber* spare, Locked* locked) {
    const Buffer buffer = ReadBuffer(index_, *spare);
    if (ConditionalLockBuffer(buffer)) {
      *locked = {buffer, *spare};
      if (graph::is_free_page(locked->page())) return Tried::kDone;
      unlock(*locked);
      *locked = {};
    } else {
      ReleaseBuffer(buffer);
    }
    *spare = InvalidBlockNumber;
    return Tried::kAgain;
  }

  /// Where a list page names the cold page of a slot.
  BlockNumber* cold_place(Page hot_page, std::uint32_t slot) const {
    const format::ListPage page{content_of(hot_page), shape_};
    return page.cold_pages() + slot / shape_->cold_per_page;
  }

  /// Writes the row into registered copies.
  void put(Page hot_page, Page cold_page, BlockNumber cold, std::uint32_t slot) {
    const format::ListPage page{content_of(hot_page), shape_};
    put_hot_row(page, record_shape_, slot, tid_, record_);
    if (cold_page == nullptr || record_ == nullptr) return;
    put_cold_row(cold_page, *shape_, slot, tid_, record_);
    if (slot % shape_->cold_per_page == 0) *cold_place(hot_page, slot) = cold;
  }

  /// Changes a list page and its cold page as one record.
  void put_logged(const Locked& hot, const Locked& cold, std::uint32_t slot, bool begins_cold) {
    PageEdits edits(index_);
    edits.begin();
    const Page hot_page = edits.add(hot.buffer, false);
    edit_hot_row(&edits, hot_page, *shape_, record_shape_, slot, tid_, record_);
    if (cold.is_there()) {
      const Page cold_page = edits.add(cold.buffer, begins_cold);
      if (begins_cold) {
        init_cold_page(cold_page, hot.block, slot);
        BlockNumber* const place = cold_place(hot_page, slot);
        *place = cold.block;
        edits.fragment(hot_page, place, sizeof *place);
      }
      edit_cold_row(&edits, cold_page, *shape_, slot, tid_, record_);
    }
    edits.finish();
    if (begins_cold) cold_spare_ = InvalidBlockNumber;
  }

  /// Uses a dead slot of the page that the directory names, or makes it name the next page.
  Tried fill_dead_slot() {
    const Locked hot = lock_list_page(entry_.room);
    const format::ConstListPage page = list_page(hot.page(), *shape_);
    const std::uint32_t slot = page.header().is_open() ? find_dead_slot(page) : kNoSlot;
    if (slot == kNoSlot) {
      unlock(hot);
      if (++rooms_passed_ > RelationGetNumberOfBlocks(index_)) {
        report_damaged(index_, entry_.room, "The pages of a list are a ring.");
      }
      return pass_room();
    }
    Locked cold;
    lock_cold_page(hot, slot, false, &cold);
    put_logged(hot, cold, slot, false);
    unlock(cold);
    unlock(hot);
    return Tried::kDone;
  }

  /// Makes the directory name the page behind the one that it named. Pages leave lists under the
  /// directory's lock, so that it is in the list.
  Tried pass_room() {
    Tried tried = Tried::kAgain;
    with_exclusive_page(
        index_, directory_page(*meta_, list_), format::PageKind::kDirectory, [&](Page page) {
          format::ListEntry* const entry = entry_on(index_, *meta_, page, list_);
          if (!directory_header(page)->use.is_open()) tried = Tried::kMoved;
          if (tried == Tried::kMoved || entry->room != entry_.room) return false;
          with_shared_page(index_, entry_.room, format::PageKind::kList,
                           [&](Page named) { entry->room = trailer_of(named)->next; });
          return true;
        });
    return tried;
  }

  /// Whether rows behind the last one of a page need another page.
  bool is_full(const format::ListPageHeader& header) const {
    return header.n_slots == shape_->slots || !header.is_open();
  }

  /// Adds the row behind the last one.
  Tried append() {
    const Locked hot = lock_list_page(entry_.last);
    const format::ListPageHeader& header = list_page(hot.page(), *shape_).header();
    const std::uint32_t slot = header.n_slots;
    Tried tried = Tried::kDone;
    if (trailer_of(hot.page())->next != format::kNoBlock || header.has_left()) {
      // The directory names the next one as soon as it can be read again, if it is still in use.
      if (is_in_use_ && passed_ == hot.block) {
        report_damaged(index_, directory_page(*meta_, list_),
                       "The last page of a list is another one.");
      }
      passed_ = hot.block;
      tried = is_in_use_ ? Tried::kAgain : Tried::kMoved;
    } else if (is_full(header)) {
      tried = Tried::kFull;
    }
    Locked cold;
    if (tried == Tried::kDone) tried = lock_cold_page(hot, slot, true, &cold);
    if (tried == Tried::kDone) {
      put_logged(hot, cold, slot, cold.is_there() && slot % shape_->cold_per_page == 0);
    }
    unlock(cold);
    unlock(hot);
    return tried;
  }

  /// Links a new last page with the row into the list: directory, old last page, new page and its
  /// first cold page in one record.
  Tried add_page() {
    const BlockNumber directory = directory_page(*meta_, list_);
    if (entry_.last == directory) {
      report_damaged(index_, directory, "It leads to a page that is another's.");
    }
    if (list_spare_ == cold_spare_) {  // given back by another session in between
      cold_spare_ = InvalidBlockNumber;
      return Tried::kAgain;
    }
    const Locked entries = lock_page(directory);
    const format::ListEntry* const now = entry_on(index_, *meta_, entries.page(), list_);
    Locked last, hot, cold;
    Tried tried =
        now->last == entry_.last && now->version == entry_.version ? Tried::kDone : Tried::kAgain;
    if (!directory_header(entries.page())->use.is_open()) tried = Tried::kMoved;
    if (tried == Tried::kDone && entry_.last != format::kNoBlock) {
      last = lock_list_page(entry_.last);
      const bool needs_page = is_full(list_page(last.page(), *shape_).header());
      if (!needs_page || trailer_of(last.page())->next != format::kNoBlock) tried = Tried::kAgain;
    }
    if (tried == Tried::kDone) tried = lock_spare(&list_spare_, &hot);
    if (tried == Tried::kDone && shape_->n_cold > 0) tried = lock_spare(&cold_spare_, &cold);
    if (tried == Tried::kDone) {
      link_page(entries, last, hot, cold);
      list_spare_ = InvalidBlockNumber;
      if (cold.is_there()) cold_spare_ = InvalidBlockNumber;
    }
    unlock(cold);
    unlock(hot);
    unlock(last);
    unlock(entries);
    return tried;
  }

  void link_page(const Locked& entries, const Locked& last, const Locked& hot, const Locked& cold) {
    GenericXLogState* const log = GenericXLogStart(index_);
    const Page directory_copy = GenericXLogRegisterBuffer(log, entries.buffer, 0);
    format::ListEntry* const entry = entry_on(index_, *meta_, directory_copy, list_);
    if (last.is_there()) {
      trailer_of(GenericXLogRegisterBuffer(log, last.buffer, 0))->next = hot.block;
    } else {
      entry->first = hot.block;
    }
    entry->last = hot.block;
    const Page hot_page = GenericXLogRegisterBuffer(log, hot.buffer, GENERIC_XLOG_FULL_IMAGE);
    init_list_page(hot_page, *state_, list_, entry_.version);
    Page cold_page = nullptr;
    if (cold.is_there()) {
      cold_page = GenericXLogRegisterBuffer(log, cold.buffer, GENERIC_XLOG_FULL_IMAGE);
      init_cold_page(cold_page, hot.block, 0);
    }
    put(hot_page, cold_page, cold.block, 0);
    GenericXLogFinish(log);
  }

  void take_spare(BlockNumber* spare) {
    if (*spare == InvalidBlockNumber) *spare = graph::find_page(index_);
  }
  void give_back(BlockNumber* spare) {
    if (*spare != InvalidBlockNumber) graph::record_room(index_, *spare, graph::Room::kPage);
    *spare = InvalidBlockNumber;
  }

  Relation index_;
  BufferHints* hints_;
  const format::InvertedMeta* meta_;
  const format::ListShape* shape_;
  RecordShape record_shape_;
  std::uint32_t list_, number_;
  const InvertedState* state_;
  format::Tid tid_;
  const std::byte* record_;
  format::ListEntry entry_{};
  bool is_in_use_ = true;                  ///< the directory that the entry is of
  BlockNumber passed_ = format::kNoBlock;  ///< was the last page of the list, and is no longer
  BlockNumber rooms_passed_ = 0;           ///< pages without a dead slot
  BlockNumber list_spare_ = InvalidBlockNumber, cold_spare_ = InvalidBlockNumber;
};
static_assert(std::is_trivially_destructible_v<ListInserter>);

}  // namespace

bool add_to_list(Relation index, const InvertedState& state, std::uint32_t list,
                 const format::Tid& tid, const std::byte* record) {
  return ListInserter(index, state, list, tid, record).run();
}

}  // namespace nearest::pg::inverted
