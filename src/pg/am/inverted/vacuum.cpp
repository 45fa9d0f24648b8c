#include "pg/am/inverted/vacuum.hpp"

#include "format/verify.hpp"
#include "pg/am/common/heap_tid.hpp"
#include "pg/am/common/vacuum_stats.hpp"
#include "pg/am/inverted/list_pages.hpp"
#include "pg/compat.hpp"

namespace nearest::pg::inverted {
namespace {

struct Vacuum {
  IndexVacuumInfo* info;
  IndexBulkDeleteResult* stats;
  IndexBulkDeleteCallback is_dead;
  void* callback_state;
  const InvertedState* state;
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

/// Drops the dead rows of one page of a list. Returns whether the page has slots to be used again,
/// and which page comes next.
bool vacuum_page(const Vacuum& vacuum, std::uint32_t list, std::uint32_t version, BlockNumber block,
                 BlockNumber* next) {
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
            : format::list_page_fault(list_page(page, shape), used_bytes(page), list, version);
    return found.fault == nullptr ? look_at(vacuum, list_page(page, shape)) : found;
  };
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  PageRows rows = look();
  if (rows.fault == nullptr && rows.dead_rows > 0) {
    // Rows only come and go under the exclusive lock: look again.
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    rows = look();
    if (rows.fault == nullptr && rows.dead_rows > 0) {
      change_page(index, buffer, 0, [&](Page copy) {
        drop_dead_rows(vacuum, {content_of(copy), &shape});
        return true;
      });
    }
  }
  *next = rows.fault == nullptr ? trailer_of(page)->next : format::kNoBlock;
  UnlockReleaseBuffer(buffer);
  if (rows.fault != nullptr) report_damaged(index, block, rows.fault);
  vacuum.stats->num_index_tuples += static_cast<double>(rows.rows - rows.dead_rows);
  vacuum.stats->tuples_removed += static_cast<double>(rows.dead_rows);
  return rows.has_room || rows.dead_rows > 0;
}

/// Tells inserts where a list has slots to be used again.
void set_room(const Vacuum& vacuum, std::uint32_t list, BlockNumber room) {
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

/// Rows that are added meanwhile are too young to be dead, on whichever page they come.
void vacuum_list(const Vacuum& vacuum, std::uint32_t list) {
  const Relation index = vacuum.info->index;
  const format::ListEntry entry = read_entry(index, vacuum.state->meta, list);
  BlockNumber room = format::kNoBlock, block = entry.first;
  format::ChainGuard guard;
  while (block != format::kNoBlock) {
    delay_vacuum();
    if (block >= RelationGetNumberOfBlocks(index)) {
      report_damaged(index, kMetaBlock, "A list leads behind the index's end.");
    }
    if (guard.is_ring(block)) report_damaged(index, block, "The pages of a list are a ring.");
    BlockNumber next = format::kNoBlock;
    const bool has_room = vacuum_page(vacuum, list, entry.version, block, &next);
    if (has_room && room == format::kNoBlock) room = block;
    block = next;
  }
  if (room != entry.room) set_room(vacuum, list, room);
}

}  // namespace

IndexBulkDeleteResult* bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                   IndexBulkDeleteCallback is_dead, void* callback_state) {
  if (stats == nullptr) {
    stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
  }
  stats->num_index_tuples = 0;
  const Vacuum vacuum{info, stats, is_dead, callback_state, load_state(info->index)};
  for (std::uint32_t list = 0; list < format::directory_entries(vacuum.state->meta); ++list) {
    delay_vacuum();
    vacuum_list(vacuum, list);
  }
  stats->num_pages = RelationGetNumberOfBlocks(info->index);
  stats->estimated_count = false;
  return stats;
}

IndexBulkDeleteResult* vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
  if (info->analyze_only) return stats;
  if (stats == nullptr) stats = stats_without_deletes(info);
  stats->num_pages = RelationGetNumberOfBlocks(info->index);
  return stats;
}

}  // namespace nearest::pg::inverted
