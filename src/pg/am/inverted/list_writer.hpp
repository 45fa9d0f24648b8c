/// Writes the rows of lists into their pages, list by list.
#pragma once

#include "pg/postgres.hpp"

#include <cstdint>

#include "pg/am/inverted/file_writer.hpp"
#include "pg/am/inverted/row_coder.hpp"

namespace nearest::pg::inverted {

/// Lists come in the order of the directory, each with the rows that its size says.
class ListWriter {
 public:
  /// sizes: (directory_entries) rows of each list; borrowed, as is the state.
  ListWriter(PageFile* file, const InvertedState* state, const std::uint64_t* sizes);

  /// Appends a row. record: as RowCoder makes it; null for lists of rows without vectors.
  void add(std::uint32_t list, const format::Tid& tid, const std::byte* record);
  /// Writes what is begun. Every list must have got its rows.
  void finish();

 private:
  void begin_list();
  void begin_hot_page();
  void begin_cold_page(std::uint32_t slot);
  void put_hot_page();
  void put_cold_page();
  const format::ListShape& shape() const {
    return list_ < state_->meta.lists ? state_->shape : state_->tid_shape;
  }
  format::ListPage hot() const { return {content_of(hot_page_), &shape()}; }

  PageFile* file_;
  const InvertedState* state_;
  const std::uint64_t* sizes_;
  RecordShape record_;
  Page hot_page_, cold_page_;
  std::uint32_t list_ = 0;
  bool is_begun_ = false;
  std::uint64_t rows_left_ = 0;  ///< of the list, not yet on pages that were begun
  std::uint32_t page_rows_ = 0;  ///< that the hot page will have
  BlockNumber hot_block_ = 0, cold_block_ = 0, next_hot_ = 0, next_cold_ = 0;
};

}  // namespace nearest::pg::inverted
