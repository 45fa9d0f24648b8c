/// Rows of lists that are split or merged: where they lie, and what another list holds of them.
#pragma once

#include "pg/postgres.hpp"

#include "pg/am/common/heap_vectors.hpp"
#include "pg/am/inverted/page_copy.hpp"
#include "pg/am/inverted/row_coder.hpp"

namespace nearest::pg::inverted {

class RowMover {
 public:
  /// Memory comes from the current context, which must live until end(); the state is borrowed.
  RowMover(Relation heap, Relation index, const InvertedState& state);
  void end() { vectors_.end(); }

  std::size_t record_bytes() const { return coder_.record().bytes; }

  /// Finds out where a row of a copied page lies: y: (dim), turned. centroid: (dim) of its list.
  /// False if the row is in no list any more: no snapshot of this server will see it.
  bool place(const PageCopy& page, std::uint32_t slot, const float* centroid, float* y);
  /// Whether anything can be promised of the row that was placed last.
  bool is_bounded() const;
  /// The record of the row that was placed last, in a list with this centroid: (record_bytes).
  void encode(const float* y, const float* centroid, std::byte* record) const;

  /// Whether rows are in no list any more, which snapshots of standbys may see.
  bool has_left_out() const { return has_left_out_; }

 private:
  bool place_by_heap(const format::Tid& tid, const float* centroid, float* y);

  Relation index_;
  const InvertedState* state_;
  RowCoder coder_;
  HeapVectors vectors_;
  std::byte* record_;  ///< of the row as it was
  float* work_;
  core::VectorView<float> x_;
  PlacedRow placed_{};
  bool has_left_out_ = false;
};
static_assert(std::is_trivially_destructible_v<RowMover>);

}  // namespace nearest::pg::inverted
