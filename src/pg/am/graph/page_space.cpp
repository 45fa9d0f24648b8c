#include "pg/am/graph/page_space.hpp"

extern "C" {
#include "access/htup_details.h"
#include "storage/freespace.h"
#include "storage/lmgr.h"
#include "storage/smgr.h"
#include "utils/rel.h"
}

#include "pg/buffer.hpp"
#include "pg/compat.hpp"

namespace nearest::pg::graph {
namespace {

/// The map keeps sizes: what takes a whole page asks for more than what takes a slot. The largest
/// that can be asked for is a heap's largest row.
Size map_size(Room room) { return room == Room::kNode ? BLCKSZ / 2 : MaxHeapTupleSize; }

}  // namespace

BlockNumber take_room(Relation index, Room room) {
  const BlockNumber block = GetPageWithFreeSpace(index, map_size(room));
  if (block == InvalidBlockNumber) {
    // Without a map each look is for its file. One that knows of no room is looked at in memory.
    const bool has_map = RelationGetSmgr(index)->smgr_cached_nblocks[FSM_FORKNUM] > 0;
    if (!has_map) RecordPageWithFreeSpace(index, 0, 0);
    return block;
  }
  RecordPageWithFreeSpace(index, block, 0);
  // After a crash the map may know pages that the index does not have.
  return block < RelationGetNumberOfBlocks(index) ? block : InvalidBlockNumber;
}

void note_room(Relation index, BlockNumber block, Room room) {
  RecordPageWithFreeSpace(index, block, map_size(room));
}

bool is_known_room(Relation index, BlockNumber block, Room room) {
  return GetRecordedFreeSpace(index, block) >= map_size(room);
}

void record_room(Relation index, BlockNumber block, Room room) {
  note_room(index, block, room);
  FreeSpaceMapVacuumRange(index, block, block + 1);  // searches begin at the map's root
}

Buffer extend_by_page(Relation index) {
  constexpr int kPagesForOthers = 4;
  const Buffer buffer = extend_relation(index, MAIN_FORKNUM);
  if (RELATION_IS_LOCAL(index) || RelationExtensionLockWaiterCount(index) == 0) return buffer;
  for (int i = 0; i < kPagesForOthers; ++i) {
    const Buffer other = extend_relation(index, MAIN_FORKNUM);
    const BlockNumber block = BufferGetBlockNumber(other);
    UnlockReleaseBuffer(other);
    record_room(index, block, Room::kPage);
  }
  return buffer;
}

BlockNumber find_page(Relation index) {
  const BlockNumber block = take_room(index, Room::kPage);
  if (block != InvalidBlockNumber) return block;
  const Buffer buffer = extend_by_page(index);
  const BlockNumber extended = BufferGetBlockNumber(buffer);
  UnlockReleaseBuffer(buffer);
  return extended;
}

bool is_free_page(Page page) {
  return PageIsNew(page) || is_page_of_kind(page, format::PageKind::kFree);
}

}  // namespace nearest::pg::graph
