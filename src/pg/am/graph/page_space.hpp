/// Room for new pages and nodes: the free space map, and the end of the index.
///
/// The map is a hint and not logged: whoever takes a page from it locks the page and looks.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/rel.h"
}

namespace nearest::pg::graph {

/// What the map knows of a page.
enum class Room {
  kNode,  ///< a page of nodes with a slot left
  kPage,  ///< a page that may become anything
};

/// Takes a page with such room, or more, out of the map; InvalidBlockNumber if there is none.
BlockNumber take_room(Relation index, Room room);

void record_room(Relation index, BlockNumber block, Room room);
/// The same for many pages: searches find them once the map has been vacuumed.
void note_room(Relation index, BlockNumber block, Room room);
/// Whether the map knows that a page has such room, or more.
bool is_known_room(Relation index, BlockNumber block, Room room);

/// A new page, pinned and exclusive-locked, not initialized. If others wait to extend the index
/// too, it gets pages for them as well.
Buffer extend_by_page(Relation index);

/// A page that may become anything, neither pinned nor locked: look again under its lock.
BlockNumber find_page(Relation index);

/// Whether a page may become anything. Under its lock.
bool is_free_page(Page page);

}  // namespace nearest::pg::graph
