/// Rows that did not fit into their node, or have none: chains of row pages.
#pragma once

#include "pg/postgres.hpp"

#include "core/arena.hpp"
#include "format/graph_page.hpp"
#include "pg/buffer.hpp"
#include "pg/memory.hpp"

namespace nearest::pg::graph {

inline ItemPointerData to_item_pointer(const format::Tid& tid) {
  ItemPointerData pointer;
  pointer.ip_blkid = {tid.block_high, tid.block_low};
  pointer.ip_posid = tid.offset;
  return pointer;
}

inline format::Tid to_tid(const ItemPointerData& pointer) {
  return {pointer.ip_blkid.bi_hi, pointer.ip_blkid.bi_lo, pointer.ip_posid};
}

/// Appends to `tids` the rows of the chain that begins at `block` and belongs to `owner`.
/// Returns the number of pages read.
std::int64_t read_tid_chain(Relation index, const format::GraphShape& shape, BlockNumber block,
                            core::NodeId owner, ContextArena arena,
                            core::ArenaArray<format::Tid>& tids);

/// Adds a row to a chain whose first page is known and not kNoBlock: to the first page with room,
/// or to a new one at the end.
void add_to_tid_chain(Relation index, const format::GraphShape& shape, BlockNumber first,
                      core::NodeId owner, const format::Tid& tid);

/// Makes a row page with one row that nothing points to yet, as one WAL record.
BlockNumber new_tid_page(Relation index, core::NodeId owner, const format::Tid& tid);

}  // namespace nearest::pg::graph
