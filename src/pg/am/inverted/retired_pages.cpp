#include "pg/am/inverted/retired_pages.hpp"

extern "C" {
#include "access/transam.h"
#include "miscadmin.h"
#include "storage/freespace.h"
#include "storage/procarray.h"
#include "utils/snapmgr.h"
}

#include <algorithm>

#include "pg/am/graph/page_space.hpp"
#include "pg/compat.hpp"

namespace nearest::pg::inverted {
namespace {

Buffer lock_exclusive(Relation index, BlockNumber block) {
  const Buffer buffer = ReadBuffer(index, block);
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  return buffer;
}

bool has_rows(const format::ConstListPage& page) {
  for (std::uint32_t slot = 0; slot < page.header().n_slots; ++slot) {
    if (!format::is_dead(page.tids()[slot])) return true;
  }
  return false;
}

/// A transaction of the last two billion, with its epoch.
std::uint64_t full_transaction_id(TransactionId xid) {
  const std::uint64_t next = U64FromFullTransactionId(ReadNextFullTransactionId());
  return next - (static_cast<TransactionId>(next) - xid);
}

/// What pages that may be replaced say of that; null if a page is none.
format::PageUse* use_of(Page page) {
  if (is_page_of_kind(page, format::PageKind::kList)) return &list_header(page)->use;
  if (is_page_of_kind(page, format::PageKind::kDirectory)) return &directory_header(page)->use;
  if (!is_page_of_kind(page, format::PageKind::kCentroids)) return nullptr;
  return &format::at<format::CentroidPageHeader>(content_of(page), 0)->use;
}

/// Whether a page is a list page that names a cold page as its own.
bool leads_to_cold(Page page, const format::ListShape& shape, std::uint32_t first_slot,
                   BlockNumber cold) {
  return is_page_of_kind(page, format::PageKind::kList) &&
         list_page(page, shape).cold_pages()[first_slot / shape.cold_per_page] == cold;
}

class Reclaimer {
 public:
  Reclaimer(Relation heap, Relation index, const InvertedState& state, const LinkedPages& linked)
      : heap_(heap), index_(index), state_(&state), linked_(&linked) {
    GetOldestNonRemovableTransactionId(heap);  // brings the horizon up to date
    horizon_ = GlobalVisTestFor(heap);
  }

  Reclaimed run() {
    for (BlockNumber block = kMetaBlock + 1; block < linked_->n_blocks(); ++block) {
      if (linked_->has(block)) continue;
      CHECK_FOR_INTERRUPTS();
      look_at(block);
    }
    if (has_new_room_) FreeSpaceMapVacuum(index_);
    return found_;
  }

 private:
  /// What is to be done with a page that nothing led to.
  enum class Find : std::uint8_t {
    kInUse,  ///< linked since, or damaged: others will tell
    kFree,
    kLeftover,  ///< of an interrupted compaction or split: it was replaced, or was never used
    kLeft,
    kCold,
  };

  void look_at(BlockNumber block) {
    Find find = Find::kInUse;
    std::uint64_t stamp = 0;
    BlockNumber cold[format::kMostColdPages];
    std::uint32_t n_cold = 0;
    format::ColdPageHeader cold_header{};
    const Buffer buffer = ReadBuffer(index_, block);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    if (graph::is_free_page(page)) {
      find = Find::kFree;
    } else if (is_page_of_kind(page, format::PageKind::kCold)) {
      find = Find::kCold;
      cold_header = *format::at<format::ColdPageHeader>(content_of(page), 0);
    } else if (const format::PageUse* const use = use_of(page)) {
      const bool is_list = is_page_of_kind(page, format::PageKind::kList);
      stamp = use->value();
      if (use->has_left()) {
        find = Find::kLeft;
      } else if (!is_list || !use->is_open()) {
        find = Find::kLeftover;
      }
      if (is_list && list_header(page)->list < format::kFirstTidPages) {
        n_cold = state_->shape.n_cold;
        std::copy_n(list_page(page, state_->shape).cold_pages(), n_cold, cold);
      }
    }
    UnlockReleaseBuffer(buffer);
    switch (find) {
      case Find::kInUse:
        break;
      case Find::kFree:
        record(block);
        break;
      case Find::kLeftover:
        // Since when is not known; from now on is certain.
        retire_page(index_, block, retired_stamp());
        ++found_.leaving;
        break;
      case Find::kLeft:
        if (!is_past(stamp)) {
          ++found_.leaving;
          break;
        }
        tell_standbys(block, stamp);
        // The cold pages first: they are found by the list page.
        for (std::uint32_t i = 0; i < n_cold; ++i) free_cold(cold[i], block, i);
        free_page(block, [](Page left) {
          const format::PageUse* const use = use_of(left);
          return use != nullptr && use->has_left();
        });
        break;
      case Find::kCold:
        if (is_orphan(block, cold_header)) {
          free_page(block,
                    [](Page orphan) { return is_page_of_kind(orphan, format::PageKind::kCold); });
        }
        break;
    }
  }

  /// Whether every snapshot is younger than a stamp.
  bool is_past(std::uint64_t stamp) const {
    if (!GlobalVisTestIsRemovableFullXid(horizon_, FullTransactionIdFromU64(stamp))) return false;
    return !RelationUsesLocalBuffers(index_) || !TransactionIdIsValid(TransactionXmin) ||
           stamp < full_transaction_id(TransactionXmin);
  }

  /// A cold page that no list page has: a compaction was stopped before it wrote that.
  bool is_orphan(BlockNumber block, const format::ColdPageHeader& header) const {
    if (state_->shape.cold_per_page == 0 || header.first_slot >= state_->shape.slots) return false;
    if (header.hot >= RelationGetNumberOfBlocks(index_)) return false;
    const Buffer buffer = ReadBuffer(index_, header.hot);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const bool is_led_to =
        leads_to_cold(BufferGetPage(buffer), state_->shape, header.first_slot, block);
    UnlockReleaseBuffer(buffer);
    return !is_led_to;
  }

  void free_cold(BlockNumber block, BlockNumber hot, std::uint32_t i) {
    if (block == format::kNoBlock || block == kMetaBlock || block >= linked_->n_blocks()) return;
    const std::uint32_t first_slot = i * state_->shape.cold_per_page;
    free_page(block, [&](Page page) {
      if (!is_page_of_kind(page, format::PageKind::kCold)) return false;
      const auto& header = *format::at<format::ColdPageHeader>(content_of(page), 0);
      return header.hot == hot && header.first_slot == first_slot;
    });
  }

  /// Makes a page free if it still is what it was.
  template <class IsIt>
  void free_page(BlockNumber block, IsIt&& is_it) {
    const Buffer buffer = lock_exclusive(index_, block);
    const bool is_freed = is_it(BufferGetPage(buffer));
    if (is_freed) {
      change_page(index_, buffer, GENERIC_XLOG_FULL_IMAGE, [](Page page) {
        init_page(page, format::PageKind::kFree);
        set_used_bytes(page, 0);
        return true;
      });
    }
    UnlockReleaseBuffer(buffer);
    if (!is_freed) return;
    ++found_.freed;
    record(block);
  }

  void record(BlockNumber block) {
    ++found_.free;
    if (graph::is_known_room(index_, block, graph::Room::kPage)) return;
    graph::note_room(index_, block, graph::Room::kPage);
    has_new_room_ = true;
  }

  void tell_standbys(BlockNumber block, std::uint64_t stamp) {
    if (stamp <= told_) return;
    told_ = stamp;
    log_page_reuse(heap_, index_, block, FullTransactionIdFromU64(stamp));
  }

  Relation heap_, index_;
  const InvertedState* state_;
  const LinkedPages* linked_;
  GlobalVisState* horizon_;
  std::uint64_t told_ = 0;  ///< the youngest stamp that standbys were told of
  bool has_new_room_ = false;
  Reclaimed found_{};
};
static_assert(std::is_trivially_destructible_v<Reclaimer>);

}  // namespace

std::uint64_t retired_stamp() {
  return std::min(U64FromFullTransactionId(ReadNextFullTransactionId()),
                  format::PageUse::kLastStamp);
}

bool unlink_empty_page(Relation index, const InvertedState& state, std::uint32_t list,
                       BlockNumber before, BlockNumber block) {
  const format::InvertedMeta& meta = state.meta;
  const format::ListShape& shape = shape_of(state, list);
  const Buffer directory = lock_exclusive(index, directory_page(meta, list));
  const format::ListEntry now = *entry_on(index, meta, BufferGetPage(directory), list);
  const bool is_first = before == format::kNoBlock;
  const Buffer previous = is_first ? InvalidBuffer : lock_exclusive(index, before);
  const Buffer empty = lock_exclusive(index, block);
  const Page page = BufferGetPage(empty);
  const BlockNumber next = trailer_of(page)->next;
  // Nobody else takes pages out, so that this one is where the walk found it.
  const bool is_led_to =
      is_first ? now.first == block : trailer_of(BufferGetPage(previous))->next == block;
  const bool leaves = is_led_to && !has_rows(list_page(page, shape)) &&
                      (next == format::kNoBlock) == (now.last == block);
  if (leaves) {
    GenericXLogState* const log = GenericXLogStart(index);
    if (is_first || now.last == block || now.room == block) {
      format::ListEntry* const entry =
          entry_on(index, meta, GenericXLogRegisterBuffer(log, directory, 0), list);
      if (is_first) entry->first = next;
      if (entry->last == block) entry->last = before;
      if (entry->room == block) entry->room = format::kNoBlock;
    }
    if (!is_first) trailer_of(GenericXLogRegisterBuffer(log, previous, 0))->next = next;
    list_header(GenericXLogRegisterBuffer(log, empty, 0))->set_page_use(retired_stamp());
    GenericXLogFinish(log);
  }
  UnlockReleaseBuffer(empty);
  if (!is_first) UnlockReleaseBuffer(previous);
  UnlockReleaseBuffer(directory);
  return leaves;
}

void set_has_left(Relation index, bool has_left) {
  if ((read_meta(index).has_left != 0) == has_left) return;
  with_exclusive_page(index, kMetaBlock, format::PageKind::kMeta, [&](Page page) {
    format::at<format::InvertedMeta>(content_of(page), 0)->has_left = has_left ? 1 : 0;
    return true;
  });
}

void retire_page(Relation index, BlockNumber block, std::uint64_t stamp) {
  const Buffer buffer = lock_exclusive(index, block);
  if (use_of(BufferGetPage(buffer)) == nullptr) {
    report_damaged(index, block, "The page is not of its kind.");
  }
  change_page(index, buffer, 0, [&](Page page) {
    format::PageUse* const use = use_of(page);
    if (use->has_left()) return false;
    use->set(stamp);
    return true;
  });
  UnlockReleaseBuffer(buffer);
}

BlockNumber retire_list(Relation index, const InvertedState& state, std::uint32_t list,
                        const format::ListEntry& entry, std::uint64_t stamp) {
  BlockNumber pages = 0;
  ListWalk walk(index, &state, list, entry);
  while (!walk.is_at_end()) {
    const BlockNumber block = walk.block();
    walk.visit([&](const format::ConstListPage& page) -> const char* {
      pages += 1 + page.shape->cold_pages_of(page.header().n_slots);
      return nullptr;
    });
    retire_page(index, block, stamp);
  }
  return pages;
}

void log_left_out(Relation heap, Relation index) {
  TransactionId last = GetOldestNonRemovableTransactionId(heap);
  TransactionIdRetreat(last);
  log_page_reuse(heap, index, kMetaBlock, FullTransactionIdFromU64(full_transaction_id(last)));
}

void LinkedPages::begin(Relation index, const format::InvertedMeta& meta) {
  n_blocks_ = RelationGetNumberOfBlocks(index);
  linked_.prepare(n_blocks_);
  const auto add_pages = [this](BlockNumber first, std::uint32_t n, std::uint32_t per_page) {
    for (std::uint32_t i = 0; i * per_page < n; ++i) add_block(first + i);
  };
  const std::uint32_t per_page = std::max(format::centroids_per_page(meta.dim, BLCKSZ), 1U);
  if (meta.groups > 1) add_pages(meta.groups_block, meta.groups, per_page);
  if (meta.centroids_block != format::kNoBlock) {
    add_pages(meta.centroids_block, meta.lists, per_page);
  }
  add_pages(meta.directory_block, format::directory_entries(meta),
            format::entries_per_page(BLCKSZ));
}

void LinkedPages::add(const format::ConstListPage& page, BlockNumber block) {
  add_block(block);
  const format::ListShape& shape = *page.shape;
  if (shape.n_cold == 0) return;
  const std::uint32_t n = shape.cold_pages_of(page.header().n_slots);
  for (std::uint32_t i = 0; i < n; ++i) add_block(page.cold_pages()[i]);
}

void LinkedPages::add_all(Relation index, const InvertedState& state) {
  for (std::uint32_t list = 0; list < format::directory_entries(state.meta); ++list) {
    ListWalk walk(index, &state, list, read_entry(index, state.meta, list));
    while (!walk.is_at_end()) {
      const BlockNumber block = walk.block();
      walk.visit([&](const format::ConstListPage& page) -> const char* {
        add(page, block);
        return nullptr;
      });
    }
  }
}

Reclaimed reclaim_pages(Relation heap, Relation index, const InvertedState& state,
                        const LinkedPages& linked, bool leaves_more) {
  Reclaimer reclaimer(heap, index, state, linked);
  const Reclaimed found = reclaimer.run();
  if (found.leaving == 0 && !leaves_more) set_has_left(index, false);
  return found;
}

}  // namespace nearest::pg::inverted
