/// Exact distances from the rows of the heap, for indexes that do not hold what would tell them.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/relscan.h"
}

#include "core/graph/space.hpp"
#include "core/metric.hpp"
#include "pg/am/common/heap_vectors.hpp"

namespace nearest::pg {

/// What the metric's operator returns, by the operator's own kernels.
inline double operator_distance(core::Metric metric, core::VectorView<float> a,
                                core::VectorView<float> b) {
  switch (metric) {
    case core::Metric::kL2:
      return core::l2_distance<float>(a, b);
    case core::Metric::kInnerProduct:
      return core::negative_inner_product<float>(a, b);
    case core::Metric::kCosine:
      return core::cosine_distance<float>(a, b);
    case core::Metric::kL1:
      return core::l1_distance<float>(a, b);
  }
  return 0;
}

/// Fetches rows as the scan's snapshot sees them. Begun once per query, and ended: it holds a slot
/// of the heap.
class HeapDistance {
 public:
  /// Memory comes from the context, which lives until end().
  void begin(IndexScanDesc scan, MemoryContext context) {
    scan_ = scan;
    vectors_.begin(scan->heapRelation, scan->indexRelation, context);
  }
  void end() { vectors_.end(); }
  bool is_begun() const { return vectors_.is_begun(); }

  /// The distance of a row to q. False if the snapshot sees no such row, or its vector is NULL.
  bool find(core::Metric metric, core::VectorView<float> q, ItemPointerData tid, double* distance);
  /// Lets go of the heap's pages; before the scan returns.
  void release_pages() { vectors_.release_pages(); }

 private:
  IndexScanDesc scan_ = nullptr;
  HeapVectors vectors_;
};

}  // namespace nearest::pg
