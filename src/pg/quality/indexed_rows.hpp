/// The rows of an index's table that a query can see and that the index has, with their vectors.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/tableam.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
}

#include "core/graph/space.hpp"
#include "pg/inspect/own_index.hpp"
#include "pg/type/vector_datum.hpp"

namespace nearest::pg::quality {

/// Evaluates what an index is over: a column or an expression, and the predicate of a partial
/// index.
class IndexedRows {
 public:
  /// Raises if searches of this transaction cannot use the index.
  void begin(const OwnIndex& own, Snapshot snapshot);
  /// Before rows are read. From here on, expressions and predicates run, even folding their
  /// constants runs functions. Memory of the current context.
  void prepare();
  void end();

  const OwnIndex& own() const { return own_; }
  Snapshot snapshot() const { return snapshot_; }
  core::Metric metric() const { return metric_; }
  std::uint32_t dim() const { return dim_; }

  /// Whether a query may have this vector: it has distances to others. Raises on another dimension.
  bool is_query(core::VectorView<float> x) const;

  /// The value that the index has of a row; false if it is NULL. Valid until forget().
  bool value_of(TupleTableSlot* slot, Datum* value);
  /// A value's vector. Valid until forget().
  core::VectorView<float> vector_of(Datum value) {
    const MemoryContext before = MemoryContextSwitchTo(row_context_);
    const Value<float>* const vector = get_vector<float>(value);
    MemoryContextSwitchTo(before);
    check_expected_dim(static_cast<int32>(dim_), vector->dim);
    read_ahead_(vector, Value<float>::bytes(vector->dim));
    return vector->view();
  }
  void forget();

  /// Reads the table and calls take(value, tid) for each row whose value is not NULL. The value is
  /// valid during the call.
  template <class Take>
  void each(Take&& take) {
    TupleTableSlot* const slot = table_slot_create(own_.heap, nullptr);
    // From the first page on, so that results repeat.
    TableScanDesc scan = table_beginscan_strat(own_.heap, snapshot_, 0, nullptr, true, false);
    while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
      CHECK_FOR_INTERRUPTS();
      const MemoryContext before = MemoryContextSwitchTo(row_context_);
      Datum value = 0;
      if (satisfies_predicate(slot) && value_of(slot, &value)) take(value, slot->tts_tid);
      MemoryContextSwitchTo(before);
      forget();
    }
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(slot);
  }

 private:
  bool satisfies_predicate(TupleTableSlot* slot);

  OwnIndex own_;
  Snapshot snapshot_;
  core::Metric metric_;
  std::uint32_t dim_;
  IndexInfo* info_;
  EState* executor_;
  ExprState* predicate_;  ///< null: all rows
  MemoryContext row_context_;
  ReadAhead read_ahead_;
};

}  // namespace nearest::pg::quality
