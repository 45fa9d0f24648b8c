/// Sorts what lists hold of rows by their lists, on disk as far as memory does not hold it.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "executor/tuptable.h"
#include "utils/tuplesort.h"
}

#include <cstdint>

#include "format/layout.hpp"

namespace nearest::pg::inverted {

/// Rows of a list come in the order in which they were put: that of the table.
class ListSorter {
 public:
  /// record_bytes: of the longest record. memory_kb: what sorting may take.
  ListSorter(std::size_t record_bytes, int memory_kb);

  void put(std::uint32_t list, const format::Tid& tid, const std::byte* record, std::size_t bytes);
  /// After the last put.
  void sort();
  /// The next row, until there is none. record: aligned for floats, valid until the next call.
  bool next(std::uint32_t* list, format::Tid* tid, const std::byte** record);
  void finish();

 private:
  Tuplesortstate* sort_;
  TupleTableSlot *in_, *out_;
  bytea* value_;  ///< a TID and a record
  std::byte* record_;
  std::uint64_t rows_ = 0;
};

}  // namespace nearest::pg::inverted
