#include "pg/am/graph/vacuum.hpp"

extern "C" {
#include "miscadmin.h"
#include "storage/freespace.h"
}

#include "pg/am/common/vacuum_stats.hpp"
#include "pg/am/graph/page_graph.hpp"
#include "pg/am/graph/page_space.hpp"
#include "pg/am/graph/relink.hpp"
#include "pg/am/graph/state.hpp"
#include "pg/am/graph/tid_chain.hpp"
#include "pg/compat.hpp"

namespace nearest::pg::graph {
namespace {

struct Vacuum {
  IndexVacuumInfo* info;
  IndexBulkDeleteResult* stats;
  IndexBulkDeleteCallback is_dead;
  void* callback_state;
  const GraphState* state;
  bool* has_emptied;  ///< the metapage says so
};

/// Removes dead rows from an array; returns how many are left.
std::size_t compact(const Vacuum& vacuum, format::Tid* tids, std::size_t n) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < n; ++i) {
    ItemPointerData tid = to_item_pointer(tids[i]);
    if (!vacuum.is_dead(&tid, vacuum.callback_state)) tids[kept++] = tids[i];
  }
  return kept;
}

bool any_dead(const Vacuum& vacuum, const format::Tid* tids, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    ItemPointerData tid = to_item_pointer(tids[i]);
    if (vacuum.is_dead(&tid, vacuum.callback_state)) return true;
  }
  return false;
}

/// The server must not be asked about rows that cannot be.
const char* tids_fault(const format::Tid* tids, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    if (!format::is_possible(tids[i])) return "A row is where no table has one.";
  }
  return nullptr;
}

/// What a page holds, under a lock of any kind.
struct PageRows {
  const char* fault;
  std::size_t rows;
  bool has_dead;
};

PageRows look_at(const Vacuum& vacuum, Page page) {
  const format::GraphShape& shape = vacuum.state->shape;
  PageRows result{nullptr, 0, false};
  const format::ConstPageBytes content = content_of(page);
  if (is_page_of_kind(page, format::PageKind::kNodes)) {
    result.fault = node_page_fault(page, shape);
    if (result.fault != nullptr) return result;
    const std::uint32_t n_nodes = format::at<format::NodePageHeader>(content, 0)->n_nodes;
    for (std::uint32_t slot = 0; slot < n_nodes; ++slot) {
      const format::ConstNodeView node = format::node_at(content, shape, slot);
      result.fault = format::node_fault(node);
      if (result.fault == nullptr) result.fault = tids_fault(node.tids(), node.header().n_tids);
      if (result.fault != nullptr) return result;
      result.rows += node.header().n_tids;
      result.has_dead |= any_dead(vacuum, node.tids(), node.header().n_tids);
    }
  } else if (is_page_of_kind(page, format::PageKind::kTids)) {
    const auto* header = format::at<format::TidPageHeader>(content, 0);
    const auto* tids = format::at<format::Tid>(content, sizeof *header);
    result.fault = format::tid_page_fault(content, used_bytes(page), shape);
    if (result.fault == nullptr) result.fault = tids_fault(tids, header->n_tids);
    if (result.fault != nullptr) return result;
    result.rows = header->n_tids;
    result.has_dead = any_dead(vacuum, tids, header->n_tids);
  } else if (!is_own_page(page)) {
    result.fault = "The page is not one of this index.";
  }
  return result;
}

/// Removes the dead rows of a page; returns how many.
std::size_t remove_dead(const Vacuum& vacuum, Page page, std::uint64_t stamp) {
  const format::GraphShape& shape = vacuum.state->shape;
  const format::PageBytes content = content_of(page);
  std::size_t removed = 0;
  if (trailer_of(page)->kind == format::PageKind::kNodes) {
    const std::uint32_t n_nodes = format::at<format::NodePageHeader>(content, 0)->n_nodes;
    for (std::uint32_t slot = 0; slot < n_nodes; ++slot) {
      const format::NodeView node = format::node_at(content, shape, slot);
      const std::size_t kept = compact(vacuum, node.tids(), node.header().n_tids);
      if (kept == node.header().n_tids) continue;
      removed += node.header().n_tids - kept;
      node.header().n_tids = static_cast<std::uint16_t>(kept);
      const bool is_empty = kept == 0 && node.header().more_tids == format::kNoBlock;
      if (is_empty) mark_emptied(node.header(), stamp);
    }
  } else {
    auto* const header = format::at<format::TidPageHeader>(content, 0);
    const std::size_t kept =
        compact(vacuum, format::at<format::Tid>(content, sizeof *header), header->n_tids);
    removed = header->n_tids - kept;
    header->n_tids = static_cast<std::uint16_t>(kept);
    set_used_bytes(page, sizeof *header + kept * sizeof(format::Tid));
  }
  return removed;
}

/// Removes the dead rows of one block and counts the others.
void vacuum_block(const Vacuum& vacuum, BlockNumber block) {
  const Relation index = vacuum.info->index;
  const Buffer buffer =
      ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_NORMAL, vacuum.info->strategy);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  PageRows rows{};
  if (!PageIsNew(BufferGetPage(buffer))) rows = look_at(vacuum, BufferGetPage(buffer));
  if (rows.fault == nullptr && rows.has_dead) {
    // Rows only come and go under the exclusive lock: look again.
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    if (!*vacuum.has_emptied) set_has_emptied(index, true);
    *vacuum.has_emptied = true;
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    rows = look_at(vacuum, BufferGetPage(buffer));
    std::size_t removed = 0;
    if (rows.fault == nullptr) {
      change_page(index, buffer, 0, [&](Page page) {
        removed = remove_dead(vacuum, page, emptied_stamp());
        return removed > 0;
      });
    }
    vacuum.stats->tuples_removed += static_cast<double>(removed);
    rows.rows -= removed;
  }
  UnlockReleaseBuffer(buffer);
  if (rows.fault != nullptr) report_damaged(index, block, rows.fault);
  vacuum.stats->num_index_tuples += static_cast<double>(rows.rows);
}

}  // namespace

IndexBulkDeleteResult* bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                   IndexBulkDeleteCallback is_dead, void* callback_state) {
  if (stats == nullptr) {
    stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
  }
  stats->num_index_tuples = 0;
  bool has_emptied = false;
  const Vacuum vacuum{info, stats, is_dead, callback_state, load_state(info->index), &has_emptied};
  // New pages hold rows that are too young to be dead, except for those added by CREATE INDEX
  // CONCURRENTLY's own phase, which ended before: the end as it is now will do, looked at again
  // when it is reached.
  BlockNumber n_blocks = RelationGetNumberOfBlocks(info->index);
  for (BlockNumber block = kMetaBlock + 1; block < n_blocks; ++block) {
    delay_vacuum();
    vacuum_block(vacuum, block);
    if (block + 1 == n_blocks) n_blocks = RelationGetNumberOfBlocks(info->index);
  }
  stats->num_pages = n_blocks;
  stats->estimated_count = false;
  return stats;
}

IndexBulkDeleteResult* vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
  if (info->analyze_only) return stats;
  if (stats == nullptr) stats = stats_without_deletes(info);
  if (read_meta(info->index).has_emptied != 0) {
    remove_emptied_nodes(info, *load_state(info->index), stats);
    FreeSpaceMapVacuum(info->index);
  }
  stats->num_pages = RelationGetNumberOfBlocks(info->index);
  return stats;
}

}  // namespace nearest::pg::graph
