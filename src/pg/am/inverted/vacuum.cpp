#include "pg/am/inverted/vacuum.hpp"

extern "C" {
#include "access/table.h"
}

#include "format/verify.hpp"
#include "pg/am/common/heap_tid.hpp"
#include "pg/am/common/vacuum_stats.hpp"
#include "pg/am/inverted/retired_pages.hpp"
#include "pg/compat.hpp"

namespace nearest::pg::inverted {
namespace {

struct Vacuum {
  IndexVacuumInfo* info;
  IndexBulkDeleteResult* stats;
  IndexBulkDeleteCallback is_dead;
  void* callback_state;
  const InvertedState* state;
  LinkedPages* linked;
};

bool is_dead_row(const Vacuum& vacuum, const format::Tid& tid) {
  ItemPointerData pointer = to_item_pointer(tid);
  return vacuum.is_dead(&pointer, vacuum.callback_state);
}

/// What a page holds, under a lock of any kind.
struct PageRows {
  const char* fault;
  std::uint32_t rows, dead_rows;
  bool has_room;  ///< dead slots that earlier passes left
};

PageRows look_at(const Vacuum& vacuum, const format::ConstListPage& page) {
  PageRows found{};
  for (std::uint32_t slot = 0; slot < page.header().n_slots; ++slot) {
    const format::Tid& tid = page.tids()[slot];
    if (format::is_dead(tid)) {
      found.has_room = true;
      continue;
    }
    // The server must not be asked about rows that cannot be.
    if (!format::is_possible(tid)) {
      found.fault = "A row is where no table has one.";
      return found;
    }
    ++found.rows;
    found.dead_rows += is_dead_row(vacuum, tid) ? 1 : 0;
  }
  return found;
}

void drop_dead_rows(const Vacuum& vacuum, const format::ListPage& page) {
  for (std::uint32_t slot = 0; slot < page.header().n_slots; ++slot) {
    const format::Tid& tid = page.tids()[slot];
    if (!format::is_dead(tid) && is_dead_row(vacuum, tid)) format::drop_row(page, slot);
  }
}

/// What VACUUM leaves of a page.
struct PageLeft {
  BlockNumber next;
  bool has_rows;
  bool has_room;  ///< dead slots
};

/// Drops the dead rows of one page of a list.
PageLeft vacuum_page(const Vacuum& vacuum, std::uint32_t list, std::uint32_t version,
                     BlockNumber block) {
  const Relation index = vacuum.info->index;
  const format::ListShape& shape = shape_of(*vacuum.state, list);
  const Buffer buffer =
      ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_NORMAL, vacuum.info->strategy);
  const Page page = BufferGetPage(buffer);
  const auto look = [&] {
    PageRows found{};
    found.fault =
        !is_page_of_kind(page, format::PageKind::kList)
            ? "The page is not of its kind."
            : format::list_page_fault(list_page(page, shape), used_bytes(page),
                                      format::number_on_pages(vacuum.state->meta, list), version);
    return found.fault == nullptr ? look_at(vacuum, list_page(page, shape)) : found;
  };
  // A compaction, of which there is none now, left the page closed.
  const auto is_to_open = [&](const PageRows& found) {
    return (found.dead_rows > 0 || found.has_room) &&
           list_page(page, shape).header().page_use() == format::PageUse::kClosed;
  };
  const auto is_to_change = [&](const PageRows& found) {
    return found.fault == nullptr && (found.dead_rows > 0 || is_to_open(found));
  };
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  PageRows rows = look();
  if (is_to_change(rows)) {
    // Rows only come and go under the exclusive lock: look again.
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    rows = look();
    if (is_to_change(rows)) {
      const bool opens = is_to_open(rows);
      change_page(index, buffer, 0, [&](Page copy) {
        const format::ListPage changed{content_of(copy), &shape};
        drop_dead_rows(vacuum, changed);
        if (opens) changed.header().set_page_use(format::PageUse::kOpen);
        return true;
      });
    }
  }
  BlockNumber next = format::kNoBlock;
  if (rows.fault == nullptr) {
    next = trailer_of(page)->next;
    vacuum.linked->add(list_page(page, shape), block);
  }
  UnlockReleaseBuffer(buffer);
  if (rows.fault != nullptr) report_damaged(index, block, rows.fault);
  vacuum.stats->num_index_tuples += static_cast<double>(rows.rows - rows.dead_rows);
  vacuum.stats->tuples_removed += static_cast<double>(rows.dead_rows);
  return {next, rows.rows > rows.dead_rows, rows.has_room || rows.dead_rows > 0};
}

/// Tells inserts where a list has slots to be used again. before: what it said before this VACUUM.
void set_room(const Vacuum& vacuum, std::uint32_t list, BlockNumber before, BlockNumber room) {
  if (room == before) return;
  const Relation index = vacuum.info->index;
  const format::InvertedMeta& meta = vacuum.state->meta;
  with_exclusive_page(index, directory_page(meta, list), format::PageKind::kDirectory,
                      [&](Page page) {
                        format::ListEntry* const entry = entry_on(index, meta, page, list);
                        if (entry->room == room) return false;
                        entry->room = room;
                        return true;
                      });
}

/// Rows that are added meanwhile are too young to be dead, on whichever page they come. Pages that
/// have no rows any more leave the list.
void vacuum_list(const Vacuum& vacuum, std::uint32_t list) {
  const Relation index = vacuum.info->index;
  const format::ListEntry entry = read_entry(index, vacuum.state->meta, list);
  const auto leaves = [&](BlockNumber before, BlockNumber empty) {
    set_has_left(index, true);
    return unlink_empty_page(index, *vacuum.state, list, before, empty);
  };
  BlockNumber room = format::kNoBlock, before = format::kNoBlock, block = entry.first;
  format::ChainGuard guard;
  while (block != format::kNoBlock) {
    delay_vacuum();
    if (block >= RelationGetNumberOfBlocks(index)) {
      report_damaged(index, kMetaBlock, "A list leads behind the index's end.");
    }
    if (guard.is_ring(block)) report_damaged(index, block, "The pages of a list are a ring.");
    const PageLeft left = vacuum_page(vacuum, list, entry.version, block);
    if (!left.has_rows && leaves(before, block)) {
      vacuum.stats->pages_newly_deleted += 1;
    } else {
      if (left.has_room && room == format::kNoBlock) room = block;
      before = block;
    }
    block = left.next;
  }
  set_room(vacuum, list, entry.room, room);
}

void reclaim(const IndexVacuumInfo* info, const InvertedState& state, const LinkedPages& linked,
             bool leaves_more, IndexBulkDeleteResult* stats) {
  const Relation heap = table_open(info->index->rd_index->indrelid, NoLock);
  const Reclaimed reclaimed = reclaim_pages(heap, info->index, state, linked, leaves_more);
  table_close(heap, NoLock);
  stats->pages_deleted = reclaimed.leaving;
  stats->pages_free = reclaimed.free;
}

}  // namespace

IndexBulkDeleteResult* bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                   IndexBulkDeleteCallback is_dead, void* callback_state) {
  if (stats == nullptr) {
    stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
  }
  stats->num_index_tuples = 0;
  const BlockNumber before = stats->pages_newly_deleted;
  LinkedPages linked;
  const Vacuum vacuum{info, stats, is_dead, callback_state, load_state(info->index), &linked};
  linked.begin(info->index, vacuum.state->meta);
  for (std::uint32_t list = 0; list < format::directory_entries(vacuum.state->meta); ++list) {
    delay_vacuum();
    vacuum_list(vacuum, list);
  }
  reclaim(info, *vacuum.state, linked, stats->pages_newly_deleted > before, stats);
  stats->num_pages = RelationGetNumberOfBlocks(info->index);
  stats->estimated_count = false;
  return stats;
}

IndexBulkDeleteResult* vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
  if (info->analyze_only) return stats;
  if (stats == nullptr) {
    stats = stats_without_deletes(info);
    if (read_meta(info->index).has_left != 0) {
      // An earlier VACUUM could not free all that left.
      const InvertedState* const state = load_state(info->index);
      LinkedPages linked;
      linked.begin(info->index, state->meta);
      linked.add_all(info->index, *state);
      reclaim(info, *state, linked, false, stats);
    }
  }
  stats->num_pages = RelationGetNumberOfBlocks(info->index);
  return stats;
}

}  // namespace nearest::pg::inverted
