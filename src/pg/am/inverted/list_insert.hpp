/// Adding a row to a list.
///
/// Locks: the directory's page, then the list's last page, then the new page; a list page before
/// its cold page. All is computed before the first lock, and a change is one WAL record of at most
/// four pages.
#pragma once

#include "pg/postgres.hpp"

#include "pg/am/inverted/row_coder.hpp"
#include "pg/am/inverted/state.hpp"

namespace nearest::pg::inverted {

/// Puts a row into a slot that VACUUM left, or behind the last row. record: as RowCoder made it, or
/// null for a row without a vector. False if lists were split or merged meanwhile, or are just now:
/// the row has to be placed again, by a state that is loaded after await_lists().
[[nodiscard]] bool add_to_list(Relation index, const InvertedState& state, std::uint32_t list,
                               const format::Tid& tid, const std::byte* record);

}  // namespace nearest::pg::inverted
