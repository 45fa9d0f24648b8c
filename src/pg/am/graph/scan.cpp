#include "pg/am/graph/scan.hpp"

extern "C" {
#include "access/tableam.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/snapmgr.h"
}

#include <algorithm>
#include <cmath>
#include <limits>

#include "pg/am/common/heap_ahead.hpp"
#include "pg/am/common/last_scan.hpp"
#include "pg/am/common/order_scan.hpp"
#include "pg/am/common/order_use.hpp"
#include "pg/am/common/row_place.hpp"
#include "pg/am/graph/page_graph.hpp"
#include "pg/am/graph/tid_chain.hpp"
#include "pg/models/stale.hpp"
#include "pg/settings.hpp"
#include "pg/type/read_ahead.hpp"

namespace nearest::pg::graph {

namespace {

/// What a scan may take for what it found, whatever work_mem says, in bytes: less than a search of
/// some thousand nodes needs would only make it worse.
constexpr std::size_t kLeastMemory = std::size_t{1} << 20;

/// A visited node whose rows are to be returned.
struct Found {
  double bound;  ///< of the operator's result
  double value;  ///< as near as the code can tell
  core::NodeId id;
  std::uint32_t first_tid;
  std::uint32_t n_tids;
  BlockNumber more_tids;
  std::uint32_t version;
};

/// Copies what a visited node holds, under its page's lock.
struct FoundSink {
  ContextArena arena;
  core::ArenaArray<Found> found;
  core::ArenaArray<format::Tid> tids;
  std::uint32_t inline_tids = 0;

  void make_room(std::size_t nodes) {
    if (found.size() + nodes > capacity_) {
      capacity_ = 2 * (found.size() + nodes) + 32;
      found.reserve(arena, capacity_);
    }
    if (tids.size() + nodes * inline_tids > tid_capacity_) {
      tid_capacity_ = 2 * (tids.size() + nodes * inline_tids) + 64;
      tids.reserve(arena, tid_capacity_);
    }
  }

  void visited(core::NodeId id, const format::ConstNodeView& node,
               const core::PointDistance& distance) {
    const format::NodeHeader& header = node.header();
    if (header.n_tids == 0 && header.more_tids == format::kNoBlock) return;
    const std::size_t n = found.size(), first = tids.size();
    found.set_size(n + 1);
    found[n] = {
        distance.bound,   distance.value, id, static_cast<std::uint32_t>(first), header.n_tids,
        header.more_tids, header.version};
    tids.set_size(first + header.n_tids);
    std::copy(node.tids(), node.tids() + header.n_tids, tids.begin() + first);
  }

 private:
  std::size_t capacity_ = 0, tid_capacity_ = 0;
};

using View = PageGraph<FoundSink>;

enum class Phase : std::uint8_t {
  kStart,
  kRounds,    ///< searching, a wider beam each round
  kRest,      ///< nodes that no search came by, in page order
  kZeroRows,  ///< zero vectors under cosine
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
  MemoryContext scan_context;   ///< as long as the scan
  MemoryContext query_context;  ///< until the next rescan
  GraphState* graph;

  Phase phase;
  QueryKind query_kind;
  IterativeScan mode;
  std::size_t ef_search, width;
  std::int64_t max_scan_tuples;
  double memory_limit;  ///< bytes, for candidates
  std::int64_t returned_rows;
  double last_bound;

  PreparedQuery query;
  FoundSink sink;
  core::GraphSearch<View, ContextArena> search;
  View* view;
  BlockNumber rest_block;
  RowPlaces row_places;

  // What is being returned: found nodes [next_found, end_found), rows of the current node or chain,
  // and the rest of the chain.
  std::size_t next_found, end_found;
  TidChainReader chain;
  const format::Tid* tids;
  std::size_t next_tid, n_tids;
  double bound;
  bool bound_is_null;
  SearchCounts counts;
  LastScan tally;
  std::uint64_t number;  ///< of the scans of this backend
  HeapAhead heap_ahead;
};
static_assert(std::is_trivially_destructible_v<ScanState>);

ScanState* state_of(IndexScanDesc scan) { return static_cast<ScanState*>(scan->opaque); }

/// Rows whose heap pages are asked for before they are returned.
constexpr std::size_t kRowsAhead = 8;

/// Asks for the heap page of a found node's first row.
void fetch_ahead(ScanState* state, std::size_t found) {
  if (found >= state->end_found) return;
  const Found& node = state->sink.found[found];
  if (node.n_tids > 0) {
    state->heap_ahead.fetch_page(to_item_pointer(state->sink.tids[node.first_tid]));
  }
}

/// Asks for the row itself, whose page was asked for before.
void fetch_row_ahead(ScanState* state, std::size_t found) {
  if (found >= state->end_found) return;
  const Found& node = state->sink.found[found];
  if (node.n_tids > 0) {
    state->heap_ahead.fetch_row(to_item_pointer(state->sink.tids[node.first_tid]));
  }
}

/// Sorts what was found since the last round and makes it the supply.
void supply(ScanState* state, std::size_t begin) {
  Found* const found = state->sink.found.begin();
  std::size_t end = state->sink.found.size();
  if (state->mode == IterativeScan::kOff && end - begin > state->ef_search) {
    // The ef_search nearest, as a graph search without iterative scans returns them.
    std::nth_element(found + begin, found + begin + state->ef_search, found + end,
                     [](const Found& a, const Found& b) { return a.value < b.value; });
    end = begin + state->ef_search;
    state->sink.found.set_size(end);
  }
  std::sort(found + begin, found + end, [](const Found& a, const Found& b) {
    return a.bound < b.bound || (a.bound == b.bound && a.id < b.id);
  });
  state->next_found = begin;
  state->end_found = end;
  for (std::size_t i = begin; i < std::min(end, begin + kRowsAhead); ++i) fetch_ahead(state, i);
}

/// Whether the found nodes settle the order of the first ef_search rows: one of them must be bound
/// to lie behind the ef_search-th nearest.
bool settles_first_rows(ScanState* state) {
  const core::ArenaArray<Found>& found = state->sink.found;
  if (found.size() <= state->ef_search) return false;
  const ContextArena arena{state->query_context};
  auto* const upper = static_cast<double*>(arena.allocate(found.size() * sizeof(double)));
  double farthest_bound = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < found.size(); ++i) {
    upper[i] = 2 * found[i].value - found[i].bound;  // bounds lie about as far above as below
    if (std::isnan(upper[i])) upper[i] = std::numeric_limits<double>::infinity();
    farthest_bound = std::max(farthest_bound, found[i].bound);
  }
  std::nth_element(upper, upper + (state->ef_search - 1), upper + found.size());
  const bool settles = farthest_bound > upper[state->ef_search - 1];
  arena.release(upper);
  return settles;
}

/// Goes on with a beam that is wider, by more each time, so that many rows cost few rounds. False
/// if links lead to nothing new.
bool search_wider(ScanState* state) {
  const ContextArena arena{state->query_context};
  state->width += std::max(state->ef_search, state->width / 2);
  if (!state->search.widen(arena, state->width)) return false;
  state->search.run(*state->view, arena);
  return true;
}

void first_round(IndexScanDesc scan) {
  ScanState* const state = state_of(scan);
  const ContextArena arena{state->query_context};
  state->view = new (MemoryContextAlloc(state->query_context, sizeof(View)))
      View(scan->indexRelation, state->graph, &state->query, &state->sink, &state->counts, arena);
  state->width = state->ef_search;
  state->search.begin(*state->view, arena, state->width, state->graph->shape.max_links);
  state->search.run(*state->view, arena);
  // Nodes whose rows VACUUM took out fill the beam and return nothing.
  while (state->sink.found.size() < state->ef_search && search_wider(state)) {
  }
  if (state->mode != IterativeScan::kOff) {
    // Wide enough for the executor to read past the last row that a LIMIT of ef_search returns.
    constexpr int kMostWidenings = 4;
    for (int i = 0; i < kMostWidenings && !settles_first_rows(state); ++i) {
      state->width += state->width / 4 + 2;
      if (!state->search.widen(arena, state->width)) break;
      state->search.run(*state->view, arena);
    }
  }
  state->tally.rounds += 1;
  supply(state, 0);
}

bool may_search_on(const ScanState* state) {
  switch (state->mode) {
    case IterativeScan::kOff:
      return false;
    case IterativeScan::kRelaxedOrder:
    case IterativeScan::kStrictOrder:
      return state->returned_rows < state->max_scan_tuples &&
             static_cast<double>(state->search.bytes()) <= state->memory_limit;
    case IterativeScan::kComplete:
      return static_cast<double>(state->search.bytes()) <= state->memory_limit;
  }
  return false;
}

/// A further round. False if no search can find more.
bool next_round(IndexScanDesc scan) {
  ScanState* const state = state_of(scan);
  if (!may_search_on(state)) return false;
  const std::size_t begin = state->sink.found.size();
  if (!search_wider(state)) return false;
  state->tally.rounds += 1;
  supply(state, begin);
  return true;
}

/// The next part of the nodes that no search visited, nearest first within the part. False if
/// there are none left.
bool next_rest(IndexScanDesc scan) {
  ScanState* const state = state_of(scan);
  const Relation index = scan->indexRelation;
  const format::GraphShape& shape = state->graph->shape;
  const BlockNumber n_blocks = RelationGetNumberOfBlocks(index);
  const std::size_t limit = std::max(work_mem * std::size_t{1024} / 2, kLeastMemory);
  state->sink.found.clear();
  state->sink.tids.clear();
  for (; state->rest_block < n_blocks; ++state->rest_block) {
    if (state->sink.found.size() * sizeof(Found) + state->sink.tids.size() * sizeof(format::Tid) >
        limit) {
      break;
    }
    CHECK_FOR_INTERRUPTS();
    state->sink.make_room(shape.nodes_per_page);
    const Buffer buffer = ReadBuffer(index, state->rest_block);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    const char* fault = nullptr;
    if (is_page_of_kind(page, format::PageKind::kNodes)) {
      fault = node_page_fault(page, shape);
      const format::ConstPageBytes content = content_of(page);
      const std::uint32_t n_nodes =
          fault == nullptr ? format::at<format::NodePageHeader>(content, 0)->n_nodes : 0;
      for (std::uint32_t slot = 0; slot < n_nodes && fault == nullptr; ++slot) {
        const core::NodeId id = shape.node_id(state->rest_block, slot);
        if (state->query_kind == QueryKind::kVector && state->search.is_visited(id)) continue;
        const format::ConstNodeView node = format::node_at(content, shape, slot);
        fault = format::node_fault(node);
        if (fault != nullptr) break;
        core::PointDistance distance{};
        distance.bound = std::numeric_limits<double>::quiet_NaN();
        if (state->query_kind == QueryKind::kVector) {
          distance = core::distance_to(state->graph->space, state->query.point, node.code(),
                                       node.header().code, node.header().traits);
        }
        state->sink.visited(id, node, distance);
        state->counts.nodes += 1;
      }
    } else if (!is_own_page(page) && !PageIsNew(page)) {
      // A page that an extension left behind when the server stopped is empty; others are damage.
      fault = "The page is not one of this index.";
    }
    UnlockReleaseBuffer(buffer);
    if (fault != nullptr) report_damaged(index, state->rest_block, fault);
    state->counts.pages += 1;
  }
  supply(state, 0);
  return state->end_found > 0 || state->rest_block < n_blocks;
}

/// Makes the next page of the current node's or phase's rows current. False if there is none.
bool next_chain_page(IndexScanDesc scan) {
  ScanState* const state = state_of(scan);
  if (!state->chain.read_page(scan->indexRelation, state->graph->shape,
                              ContextArena{state->query_context}, &state->counts.pages)) {
    return false;
  }
  state->tids = state->chain.tids().begin();
  state->n_tids = state->chain.tids().size();
  state->next_tid = 0;
  return true;
}

/// Makes the rows of the next found node current. False if the supply is used up.
bool next_node(IndexScanDesc scan) {
  ScanState* const state = state_of(scan);
  while (state->next_found < state->end_found) {
    const Found found = state->sink.found[state->next_found++];
    if (state->mode == IterativeScan::kStrictOrder && found.bound < state->last_bound) continue;
    state->last_bound = std::max(state->last_bound, found.bound);
    fetch_ahead(state, state->next_found + kRowsAhead - 1);
    fetch_row_ahead(state, state->next_found + 1);
    state->bound = found.bound;
    state->tids = state->sink.tids.begin() + found.first_tid;
    state->n_tids = found.n_tids;
    state->next_tid = 0;
    state->chain.begin({found.id, found.version}, found.more_tids);
    if (state->n_tids > 0 || next_chain_page(scan)) return true;
  }
  return false;
}

/// Goes on to the next phase until there are rows. False at the end of the scan.
bool find_more(IndexScanDesc scan) {
  ScanState* const state = state_of(scan);
  while (true) {
    if (next_chain_page(scan) || next_node(scan)) return true;
    switch (state->phase) {
      case Phase::kStart:
        if (state->query_kind == QueryKind::kVector) {
          state->phase = Phase::kRounds;
          first_round(scan);
        } else {
          state->phase = Phase::kRest;
        }
        break;
      case Phase::kRounds:
        if (next_round(scan)) break;
        if (state->mode != IterativeScan::kComplete) {
          state->phase = Phase::kDone;
          return false;
        }
        state->phase = Phase::kRest;
        break;
      case Phase::kRest:
        state->tally.read_the_rest = true;
        if (next_rest(scan)) break;
        state->phase = Phase::kZeroRows;
        break;
      case Phase::kZeroRows: {
        state->phase = Phase::kNullRows;
        const format::GraphMeta meta = read_meta(scan->indexRelation);
        state->graph->meta = meta;
        state->bound = std::numeric_limits<double>::quiet_NaN();
        state->chain.begin({format::kZeroRowsOwner, 0}, meta.zero_rows);
        break;
      }
      case Phase::kNullRows:
        state->phase = Phase::kDone;
        state->bound_is_null = true;
        state->chain.begin({format::kNullRowsOwner, 0}, state->graph->meta.null_rows);
        break;
      case Phase::kDone:
        return false;
    }
  }
}

/// Tells nearest_last_scan() of this scan, unless another one began later.
void publish(const ScanState* state) {
  if (state->number != begun_scans) return;
  last_scan = state->tally;
  last_scan.pages = state->counts.pages;
  last_scan.nodes = state->counts.nodes;
  last_scan.link_codes = state->counts.link_codes;
  last_scan.rows = state->returned_rows;
}

void read_query(IndexScanDesc scan) {
  ScanState* const state = state_of(scan);
  state->query_kind = QueryKind::kNull;
  state->bound_is_null = true;
  const core::GraphSpace& space = state->graph->space;
  const core::VectorView<float> q = query_of(scan, space.dim);
  if (q.empty()) return;
  state->bound_is_null = false;
  if (space.metric == core::Metric::kCosine && !(core::norm_of(q) > 0)) {
    state->query_kind = QueryKind::kNaN;
    state->bound = std::numeric_limits<double>::quiet_NaN();
    return;
  }
  state->query_kind = QueryKind::kVector;
  state->query = prepare_query(*state->graph, q, false);
}

}  // namespace

IndexScanDesc begin_scan(Relation index, int n_keys, int n_order_bys) {
  const IndexScanDesc scan = begin_order_scan(index, n_keys, n_order_bys);
  auto* const state = static_cast<ScanState*>(palloc0(sizeof(ScanState)));
  state->scan_context = CurrentMemoryContext;
  state->query_context =
      AllocSetContextCreate(CurrentMemoryContext, "hnsw scan", ALLOCSET_DEFAULT_SIZES);
  scan->opaque = state;
  return scan;
}

void rescan(IndexScanDesc scan, ScanKey keys, int n_keys, ScanKey order_bys, int n_order_bys) {
  take_scan_keys(scan, keys, n_keys, order_bys, n_order_bys);
  ScanState* const state = state_of(scan);
  const MemoryContext scan_context = state->scan_context, query_context = state->query_context;
  MemoryContextReset(query_context);
  *state = ScanState{};
  state->scan_context = scan_context;
  state->query_context = query_context;
  state->phase = Phase::kStart;
}

bool next_row(IndexScanDesc scan, ScanDirection direction) {
  Assert(ScanDirectionIsForward(direction));
  (void)direction;
  ScanState* const state = state_of(scan);
  if (state->graph == nullptr) {
    if (!IsMVCCSnapshot(scan->xs_snapshot)) {
      elog(ERROR, "non-MVCC snapshots are not supported with hnsw");
    }
    count_index_search(scan);
    const MemoryContext before = MemoryContextSwitchTo(state->query_context);
    state->graph = load_state(scan->indexRelation);
    models::check_scan(scan->indexRelation, state->graph->meta.model_stamp);
    // As they are when the scan begins: a cursor goes on as it began.
    const Settings& settings = current_settings();
    state->mode = static_cast<IterativeScan>(settings.hnsw_iterative_scan);
    if (state->mode != IterativeScan::kOff && scan->numberOfOrderBys > 0 &&
        is_relied_on(scan->orderByData[0])) {
      // Planned when the mode was strict, or for want of any other plan.
      state->mode = IterativeScan::kStrictOrder;
    }
    state->ef_search = static_cast<std::size_t>(settings.hnsw_ef_search);
    state->max_scan_tuples = settings.hnsw_max_scan_tuples;
    state->memory_limit =
        std::max<double>(work_mem * 1024.0 * settings.hnsw_scan_mem_multiplier, kLeastMemory);
    state->last_bound = -std::numeric_limits<double>::infinity();
    state->sink.arena = ContextArena{state->query_context};
    state->sink.inline_tids = state->graph->shape.inline_tids;
    state->rest_block = kMetaBlock + 1;
    state->chain.begin({}, format::kNoBlock);
    state->number = ++begun_scans;
    state->tally.index = RelationGetRelid(scan->indexRelation);
    publish(state);
    read_query(scan);
    state->heap_ahead.begin(scan);
    MemoryContextSwitchTo(before);
  }
  state->heap_ahead.learn(scan);
  if (state->next_tid == state->n_tids) {
    const MemoryContext before = MemoryContextSwitchTo(state->query_context);
    const bool found = find_more(scan);
    MemoryContextSwitchTo(before);
    publish(state);
    if (!found) return false;
  }
  const format::Tid tid = state->tids[state->next_tid++];
  state->row_places.check(scan, tid);
  scan->xs_heaptid = to_item_pointer(tid);
  scan->xs_recheck = false;
  state->heap_ahead.pin(scan);
  ReadAhead::row_comes_by_index = true;
  if (scan->numberOfOrderBys > 0) {
    scan->xs_recheckorderby = true;
    scan->xs_orderbyvals[0] = Float8GetDatum(state->bound);
    scan->xs_orderbynulls[0] = state->bound_is_null;
  }
  state->returned_rows += 1;
  publish(state);
  return true;
}

void end_scan(IndexScanDesc scan) { MemoryContextDelete(state_of(scan)->query_context); }

}  // namespace nearest::pg::graph
