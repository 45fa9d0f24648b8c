/// A list page and its cold pages, copied to be read without locks.
#pragma once

#include "pg/postgres.hpp"

#include "pg/am/inverted/list_pages.hpp"
#include "pg/am/inverted/row_coder.hpp"

namespace nearest::pg::inverted {

class PageCopy {
 public:
  /// Memory comes from the current context; the state is borrowed.
  PageCopy(Relation index, const InvertedState& state);

  /// Copies a page of a list, which no one takes out of it. Of a closed page it is all there will
  /// ever be. Returns how many cold pages it has.
  std::uint32_t copy(BlockNumber block, const format::ListShape& shape);

  const format::ListShape& shape() const { return *shape_; }
  format::ConstListPage page() const { return list_page(page_, *shape_); }
  std::uint32_t n_slots() const { return page().header().n_slots; }
  /// Dead if the slot has no row.
  const format::Tid& tid(std::uint32_t slot) const { return page().tids()[slot]; }
  BlockNumber next() const { return trailer_of(page_)->next; }
  /// The record of a slot's row (row_coder.hpp).
  void read(std::uint32_t slot, std::byte* record) const;

 private:
  Relation index_;
  const format::ListShape* shape_ = nullptr;
  Page page_, cold_pages_[format::kMostColdPages];
};

/// Rows of a page, dead ones in the table included.
std::uint32_t count_rows(const format::ConstListPage& page);

/// Closes a page, so that no rows are added. Returns how many it has.
std::uint32_t close_page(Relation index, const format::ListShape& shape, BlockNumber block);

}  // namespace nearest::pg::inverted
