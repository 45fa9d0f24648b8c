/// A row on the pages of its list: its record (row_coder.hpp) is written there, and read back.
///
/// Nothing here checks pages, locks or allocates.
#pragma once

#include "pg/postgres.hpp"

#include "pg/am/inverted/row_coder.hpp"
#include "pg/buffer.hpp"
#include "pg/page_edits.hpp"

namespace nearest::pg::inverted {

/// Writes a row into a slot of a list page: the next one, or a dead one. record: null for rows
/// without a vector.
void put_hot_row(const format::ListPage& page, const RecordShape& shape, std::uint32_t slot,
                 const format::Tid& tid, const std::byte* record);
/// The same of the slot's cold page.
void put_cold_row(Page page, const format::ListShape& shape, std::uint32_t slot,
                  const format::Tid& tid, const std::byte* record);

/// put_hot_row on a page that is edited.
void edit_hot_row(PageEdits* edits, Page page, const format::ListShape& list,
                  const RecordShape& shape, std::uint32_t slot, const format::Tid& tid,
                  const std::byte* record);
/// put_cold_row on a page that is edited.
void edit_cold_row(PageEdits* edits, Page page, const format::ListShape& list, std::uint32_t slot,
                   const format::Tid& tid, const std::byte* record);

/// Reads what put_hot_row wrote.
void get_hot_row(const format::ConstListPage& page, const RecordShape& shape, std::uint32_t slot,
                 std::byte* record);
/// The same of a cold page's content. The slot must be in use there.
void get_cold_row(format::ConstPageBytes content, const format::ListShape& shape,
                  std::uint32_t slot, std::byte* record);

}  // namespace nearest::pg::inverted
