#include "pg/am/common/heap_distance.hpp"

namespace nearest::pg {

bool HeapDistance::find(core::Metric metric, core::VectorView<float> q, ItemPointerData tid,
                        double* distance) {
  core::VectorView<float> x;
  if (vectors_.find(tid, scan_->xs_snapshot, &x) != HeapVectors::Found::kVector) return false;
  if (x.size() != q.size()) return false;
  *distance = operator_distance(metric, q, x);
  return true;
}

}  // namespace nearest::pg
