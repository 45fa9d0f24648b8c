/// Rows on their way from the table to the sort: assigned to lists and coded by threads.
#pragma once

#include "pg/postgres.hpp"

#include <cstdint>

#include "pg/am/inverted/list_finder.hpp"
#include "pg/am/inverted/list_sorter.hpp"
#include "pg/am/inverted/row_coder.hpp"
#include "pg/am/inverted/trainer.hpp"
#include "pg/thread_team.hpp"

namespace nearest::pg::inverted {

class RowBatch {
 public:
  /// Borrows all. sizes: (directory_entries) counts the rows of each list. Memory comes from the
  /// current context.
  RowBatch(const Model* model, ListSorter* sorter, std::uint64_t* sizes);

  void add(const format::Tid& tid, core::VectorView<float> x);
  /// Sends on what is there, in the order in which it came. Serves interrupts.
  void flush();

  /// Of all rows that were sent on.
  const core::FigureMoments& figures() const { return figures_; }

 private:
  const Model* model_;
  ListSorter* sorter_;
  std::uint64_t* sizes_;
  ThreadTeam team_;
  RowCoder coder_;
  ListFinder finder_;
  std::size_t dim_, capacity_, n_ = 0;
  format::Tid* tids_;      ///< (capacity)
  float *x_, *y_, *work_;  ///< (capacity, dim) vectors and points; for each thread
  PlacedRow* placed_;      ///< (capacity)
  std::uint32_t* lists_;
  std::byte* records_;             ///< (capacity, record bytes)
  core::RowFigures* row_figures_;  ///< (capacity)
  core::FigureMoments figures_;
};

}  // namespace nearest::pg::inverted
