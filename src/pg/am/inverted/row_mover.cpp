#include "pg/am/inverted/row_mover.hpp"

extern "C" {
#include "storage/procarray.h"
#include "utils/snapmgr.h"
}

#include <algorithm>
#include <limits>

#include "pg/am/common/heap_tid.hpp"

namespace nearest::pg::inverted {

RowMover::RowMover(Relation heap, Relation index, const InvertedState& state)
    : index_(index), state_(&state), coder_(state) {
  record_ = static_cast<std::byte*>(palloc(coder_.record().bytes));
  work_ = static_cast<float*>(palloc(coder_.work_floats() * sizeof(float)));
  if (state.shape.cold_bytes > 0) return;
  vectors_.begin(heap, index, CurrentMemoryContext);
  GetOldestNonRemovableTransactionId(heap);  // brings the horizon up to date, for what is gone
}

bool RowMover::place(const PageCopy& page, std::uint32_t slot, const float* centroid, float* y) {
  if (state_->shape.cold_bytes == 0) return place_by_heap(page.tid(slot), centroid, y);
  page.read(slot, record_);
  if (!format::has_vectors(state_->meta) &&
      !format::is_code_sound(
          *reinterpret_cast<const format::CodeHeader*>(record_ + sizeof(format::ColdHeader)))) {
    report_damaged(index_, page.page().cold_pages()[slot / page.shape().cold_per_page],
                   "What refines a row has sizes that cannot be.");
  }
  placed_ = coder_.decode(record_, centroid, &x_, y);
  return true;
}

/// A row that is not there any more, or not yet, but that others may see, is one of which nothing
/// is known: it stays where it was, as far as there is a centroid, and every bound reaches it.
bool RowMover::place_by_heap(const format::Tid& tid, const float* centroid, float* y) {
  const std::size_t dim = state_->meta.dim;
  // Rows as they are now. What was there when this began cannot go, nor can its values that are
  // stored outside of it: the caller has a snapshot.
  switch (vectors_.find(to_item_pointer(tid), SnapshotSelf, &x_)) {
    case HeapVectors::Found::kGone:
      has_left_out_ = true;
      return false;
    case HeapVectors::Found::kVector:
      if (x_.size() == dim &&
          (state_->meta.metric != core::Metric::kCosine || core::norm_of(x_) > 0)) {
        placed_ = coder_.place(x_, y);
        return true;
      }
      break;
    case HeapVectors::Found::kNothing:
      break;
  }
  std::copy_n(centroid, dim, y);
  x_ = {y, dim};
  placed_ = {std::numeric_limits<double>::infinity(), 0};
  return true;
}

bool RowMover::is_bounded() const {
  return placed_.error < std::numeric_limits<double>::infinity();
}

void RowMover::encode(const float* y, const float* centroid, std::byte* record) const {
  coder_.encode(x_, placed_, y, centroid, work_, record);
}

}  // namespace nearest::pg::inverted
