/// Vectors of rows of the heap, as an index has them.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
#include "access/relscan.h"
#include "nodes/execnodes.h"
}

#include "core/metric.hpp"

namespace nearest::pg {

/// Fetches rows as a snapshot sees them. Begun once for many rows, and ended: it holds a slot of
/// the heap.
class HeapVectors {
 public:
  enum class Found : std::uint8_t {
    kVector,
    kNothing,  ///< the snapshot sees no such row, or its vector is NULL
    kGone,     ///< no snapshot will ever see one
  };

  /// Memory comes from the context, which lives until end().
  void begin(Relation heap, Relation index, MemoryContext context);
  void end();
  bool is_begun() const { return fetch_ != nullptr; }

  /// The vector of a row, there until the next one is looked for.
  Found find(ItemPointerData tid, Snapshot snapshot, core::VectorView<float>* x);
  /// Lets go of the heap's pages.
  void release_pages();

 private:
  struct IndexFetchTableData* fetch_ = nullptr;
  TupleTableSlot* slot_ = nullptr;
  IndexInfo* info_ = nullptr;
  EState* executor_ = nullptr;  ///< expressions need one
  MemoryContext row_context_ = nullptr;
};

}  // namespace nearest::pg
