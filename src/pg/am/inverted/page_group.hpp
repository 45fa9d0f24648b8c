/// A full list page and its cold pages, made in memory and then written to pages that are free.
#pragma once

#include "pg/postgres.hpp"

#include "pg/am/inverted/list_pages.hpp"
#include "pg/am/inverted/row_coder.hpp"

namespace nearest::pg::inverted {

class PageGroup {
 public:
  /// Memory comes from the current context; the state is borrowed.
  PageGroup(Relation index, const InvertedState& state);

  /// Begins the group of a list's page. It is closed: no rows are added before it is in the list.
  void begin(std::uint32_t list, std::uint32_t version);
  /// Adds a row in the next slot. record: null for rows without a vector.
  void add(const format::Tid& tid, const std::byte* record);
  /// Writes the group to free pages, and logs it. next: of the list page. Returns its block.
  BlockNumber write(BlockNumber next);

  /// Pages that were written in all.
  BlockNumber n_written() const { return n_written_; }

 private:
  static constexpr std::uint32_t kMostPages = 1 + format::kMostColdPages;

  bool lock_free_pages();
  void unlock_pages();
  void set_places(BlockNumber next);
  void write_pages();

  Relation index_;
  const InvertedState* state_;
  const format::ListShape* shape_ = nullptr;
  RecordShape record_;
  Page images_[kMostPages] = {};  ///< cold pages, then the list page
  BlockNumber blocks_[kMostPages];
  Buffer buffers_[kMostPages];
  std::uint32_t n_cold_ = 0;  ///< cold pages of the group
  std::uint32_t n_slots_ = 0;
  BlockNumber n_written_ = 0;
  Page hot_;
};
static_assert(std::is_trivially_destructible_v<PageGroup>);

}  // namespace nearest::pg::inverted
