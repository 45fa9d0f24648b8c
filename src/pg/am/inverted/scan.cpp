#include "pg/am/inverted/scan.hpp"

extern "C" {
#include "utils/snapmgr.h"
}

#include <limits>

#include "pg/am/common/last_scan.hpp"
#include "pg/am/common/order_scan.hpp"
#include "pg/am/common/order_use.hpp"
#include "pg/am/inverted/probes.hpp"
#include "pg/am/inverted/row_supply.hpp"
#include "pg/compat.hpp"
#include "pg/models/stale.hpp"
#include "pg/type/read_ahead.hpp"

namespace nearest::pg::inverted {
namespace {

enum class Phase : std::uint8_t {
  kStart,
  kSupply,      ///< rows of a vector query, nearest first
  kVectorRows,  ///< all rows with a vector, in the order of lists
  kZeroRows,    ///< zero vectors under cosine
  kNullRows,
  kDone,
};

/// How the distances of this scan are.
enum class QueryKind : std::uint8_t {
  kVector,
  kNaN,   ///< a zero vector under cosine: NaN to every vector
  kNull,  ///< NULL, or no ORDER BY: rows in any order
};

struct ScanState {
  MemoryContext query_context;  ///< until the next rescan
  const InvertedState* index;   ///< null: not begun

  Phase phase;
  QueryKind query_kind;
  Probes probes;
  bool is_strict;  ///< rows that come late are left out
  double last_bound;
  RowSupply supply;

  // Rows of a list, a page at a time.
  std::uint32_t next_list, lists_end;
  ListWalk walk;
  format::Tid* tids;
  std::size_t next_tid, n_tids;

  std::int64_t pages, returned_rows;
  std::uint64_t number;  ///< of the scans of this backend
  HeapAhead heap_ahead;
  RowPlaces row_places;
};
static_assert(std::is_trivially_destructible_v<ScanState>);

ScanState* state_of(IndexScanDesc scan) { return static_cast<ScanState*>(scan->opaque); }

/// Tells nearest_last_scan() of this scan, unless another one began later.
void publish(IndexScanDesc scan) {
  const ScanState* const state = state_of(scan);
  if (state->number != begun_scans) return;
  const SupplyCounts& counts = state->supply.counts();
  last_scan = {RelationGetRelid(scan->indexRelation),
               counts.passes,
               counts.pages + state->pages,
               counts.rows,
               counts.codes,
               state->returned_rows,
               state->supply.has_read_on()};
}

/// Makes rows of lists [begin, end) the next ones.
void begin_lists(ScanState* state, std::uint32_t begin, std::uint32_t end) {
  state->next_list = begin;
  state->lists_end = end;
}

/// Copies the rows of the next page that has any. False at the end of the lists.
bool next_page(IndexScanDesc scan) {
  ScanState* const state = state_of(scan);
  state->next_tid = state->n_tids = 0;
  while (state->n_tids == 0) {
    if (state->walk.is_at_end()) {
      if (state->next_list == state->lists_end) return false;
      const std::uint32_t list = state->next_list++;
      state->walk = ListWalk(scan->indexRelation, state->index, list,
                             read_entry(scan->indexRelation, state->index->meta, list));
      state->pages += 1;
      continue;
    }
    state->walk.visit([&](const format::ConstListPage& page) -> const char* {
      for (std::uint32_t slot = 0; slot < page.header().n_slots; ++slot) {
        if (!format::is_dead(page.tids()[slot])) state->tids[state->n_tids++] = page.tids()[slot];
      }
      return nullptr;
    });
    state->pages += 1;
  }
  return true;
}

/// The next row and its bound. False at the end of the scan.
bool find_row(IndexScanDesc scan, format::Tid* tid, double* bound, bool* is_exact) {
  ScanState* const state = state_of(scan);
  const format::InvertedMeta& meta = state->index->meta;
  *is_exact = false;
  *bound = std::numeric_limits<double>::quiet_NaN();
  while (true) {
    switch (state->phase) {
      case Phase::kStart:
        state->phase =
            state->query_kind == QueryKind::kVector ? Phase::kSupply : Phase::kVectorRows;
        begin_lists(state, 0, meta.lists);
        break;
      case Phase::kSupply: {
        SuppliedRow row;
        while (state->supply.next(state->heap_ahead, &row)) {
          if (state->is_strict && row.bound < state->last_bound) continue;
          state->last_bound = std::max(state->last_bound, row.bound);
          *tid = row.tid;
          *bound = row.bound;
          *is_exact = state->supply.is_exact();
          return true;
        }
        state->phase = state->probes.is_complete ? Phase::kZeroRows : Phase::kDone;
        begin_lists(state, format::zero_rows_list(meta), format::zero_rows_list(meta) + 1);
        break;
      }
      case Phase::kVectorRows:
      case Phase::kZeroRows:
      case Phase::kNullRows:
        if (state->next_tid < state->n_tids || next_page(scan)) {
          *tid = state->tids[state->next_tid++];
          return true;
        }
        if (state->phase == Phase::kVectorRows) {
          state->phase = Phase::kZeroRows;
          begin_lists(state, format::zero_rows_list(meta), format::zero_rows_list(meta) + 1);
        } else if (state->phase == Phase::kZeroRows) {
          state->phase = Phase::kNullRows;
          begin_lists(state, format::null_rows_list(meta), format::null_rows_list(meta) + 1);
        } else {
          state->phase = Phase::kDone;
        }
        break;
      case Phase::kDone:
        return false;
    }
  }
}

void read_query(IndexScanDesc scan) {
  ScanState* const state = state_of(scan);
  const format::InvertedMeta& meta = state->index->meta;
  state->query_kind = QueryKind::kNull;
  const core::VectorView<float> q = query_of(scan, meta.dim);
  if (q.empty()) return;
  if (meta.metric == core::Metric::kCosine && !(core::norm_of(q) > 0)) {
    state->query_kind = QueryKind::kNaN;
    return;
  }
  state->query_kind = QueryKind::kVector;
  state->supply.begin(scan, state->index, q, state->probes.first, state->probes.most,
                      state->query_context);
}

/// What is not known before the first row is asked for.
void begin(IndexScanDesc scan) {
  ScanState* const state = state_of(scan);
  if (!IsMVCCSnapshot(scan->xs_snapshot)) {
    elog(ERROR, "non-MVCC snapshots are not supported with ivfflat");
  }
  count_index_search(scan);
  state->index = load_state(scan->indexRelation);
  models::check_scan(scan->indexRelation, state->index->meta.model_stamp);
  // As they are when the scan begins: a cursor goes on as it began.
  state->probes = probes_of(state->index->meta, current_settings());
  if (scan->numberOfOrderBys > 0 && is_relied_on(scan->orderByData[0])) {
    // Planned when the mode kept the order, or for want of any other plan.
    state->is_strict = true;
  }
  state->last_bound = -std::numeric_limits<double>::infinity();
  const std::uint32_t most_tids =
      std::max(state->index->shape.slots, state->index->tid_shape.slots);
  state->tids = static_cast<format::Tid*>(palloc(most_tids * sizeof(format::Tid)));
  state->number = ++begun_scans;
  read_query(scan);
  state->heap_ahead.begin(scan);
}

}  // namespace

IndexScanDesc begin_scan(Relation index, int n_keys, int n_order_bys) {
  const IndexScanDesc scan = begin_order_scan(index, n_keys, n_order_bys);
  auto* const state = new (palloc(sizeof(ScanState))) ScanState{};
  state->query_context =
      AllocSetContextCreate(CurrentMemoryContext, "inverted file scan", ALLOCSET_DEFAULT_SIZES);
  scan->opaque = state;
  return scan;
}

void rescan(IndexScanDesc scan, ScanKey keys, int n_keys, ScanKey order_bys, int n_order_bys) {
  take_scan_keys(scan, keys, n_keys, order_bys, n_order_bys);
  ScanState* const state = state_of(scan);
  state->supply.end();
  const MemoryContext query_context = state->query_context;
  MemoryContextReset(query_context);
  *state = ScanState{};
  state->query_context = query_context;
}

bool next_row(IndexScanDesc scan, ScanDirection direction) {
  Assert(ScanDirectionIsForward(direction));
  (void)direction;
  ScanState* const state = state_of(scan);
  const MemoryContext before = MemoryContextSwitchTo(state->query_context);
  if (state->index == nullptr) begin(scan);
  state->heap_ahead.learn(scan);
  format::Tid tid{};
  double bound = 0;
  bool is_exact = false;
  const bool is_found = find_row(scan, &tid, &bound, &is_exact);
  MemoryContextSwitchTo(before);
  state->returned_rows += is_found ? 1 : 0;
  publish(scan);
  if (!is_found) return false;

  state->row_places.check(scan, tid);
  scan->xs_heaptid = to_item_pointer(tid);
  scan->xs_recheck = false;
  state->heap_ahead.pin(scan);
  ReadAhead::row_comes_by_index = true;
  if (scan->numberOfOrderBys > 0) {
    scan->xs_recheckorderby = !is_exact;
    scan->xs_orderbyvals[0] = Float8GetDatum(bound);
    scan->xs_orderbynulls[0] =
        state->phase == Phase::kNullRows || state->query_kind == QueryKind::kNull;
  }
  return true;
}

void end_scan(IndexScanDesc scan) {
  ScanState* const state = state_of(scan);
  state->supply.end();
  MemoryContextDelete(state->query_context);
}

}  // namespace nearest::pg::inverted
