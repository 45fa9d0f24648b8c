#include "pg/am/graph/cost.hpp"

extern "C" {
#include "access/genam.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"
}

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/graph/params.hpp"
#include "pg/am/common/path_cost.hpp"
#include "pg/am/graph/order_use.hpp"
#include "pg/am/graph/row_identity.hpp"
#include "pg/am/graph/state.hpp"
#include "pg/compat.hpp"
#include "pg/models/stale.hpp"
#include "pg/settings.hpp"

namespace nearest::pg::graph {
namespace {

// What a scan does. Counted by bench/plans.py --counts on sets of 1,000 to 117,000 rows of 384 and
// 512 dimensions, m = 16, ef_search 1 to 320; see bench/README.md.
constexpr double kVisitsPerWidth =
    1.1;                              // nodes that a first round visits, of ef_search: 0.9 to 1.2
constexpr double kFirstVisits = 3;    // before the beam is among the nearest
constexpr double kRowsPerRow = 1.15;  // heap rows read for a row returned: 1.1 to 1.2
constexpr double kRowsAhead = 1;      // and beyond: 12 for 10, 47 for 40, 184 for 160

// CPU, in units of cpu_operator_cost, which are about 5 ns each (pg/type/distance_cost.cpp), by the
// same program on tables that stay in the processor's caches: waiting for memory is what the page
// costs are about.
constexpr double kScanCost = 2000;      // 10 us: state, prepared query, memory contexts
constexpr double kVisitCost = 40;       // pin, lock, own code
constexpr double kLinkCost = 5;         // candidate table and beam
constexpr double kLinkWordCost = 0.05;  // 32 codes of 512 bits in 60 ns: bench/kernels.cpp
constexpr double kBeamEntryCost = 0.2;  // each visit passes over the beam

// Up to this many rows, a scan whose limit is not known should be priced rightly.
constexpr double kRowsOfInterest = 1000;

/// What costs depend on, of one index.
struct Shape {
  double links, link_words, nodes_per_page, entry_pages;
};

Shape shape_of(const GraphState& state, double nodes) {
  const format::GraphShape& shape = state.shape;
  const auto entries = static_cast<double>(core::entry_count(static_cast<std::size_t>(nodes)));
  return {static_cast<double>(shape.max_links),
          static_cast<double>(shape.max_links) * static_cast<double>(shape.link_code.code_words()),
          static_cast<double>(shape.nodes_per_page),
          std::ceil(entries / std::max<double>(shape.entries_per_page(), 1))};
}

/// What scans of one index cost in one query.
struct Model {
  Shape shape;
  double rows;  ///< that the index has
  double ef_search;
  double index_pages;
  double page_cost;  ///< of a random page
  double loop_count;
  double heap_page_per_row;
  double distance_cost;  ///< of one call
  PlannerInfo* root;

  /// Nodes that are visited to return so many rows: the first round, or as many as rows are read,
  /// since every node found is returned.
  double visits(double wanted) const {
    const double first = kFirstVisits + kVisitsPerWidth * ef_search;
    return std::min(rows, std::max(first, read_rows(wanted)));
  }

  double read_rows(double wanted) const {
    return std::min(rows, kRowsPerRow * wanted + kRowsAhead);
  }

  /// Index pages: nodes of one page are mostly visited at different times, so that they share it
  /// only by chance.
  double pages(double visited) const {
    const double node_pages = std::max(1.0, std::min(index_pages, rows / shape.nodes_per_page));
    const double one_scan = shape.entry_pages + node_pages * -std::expm1(-visited / node_pages);
    if (loop_count <= 1) return one_scan;
    const auto all_pages = static_cast<BlockNumber>(index_pages);
    return index_pages_fetched(one_scan * loop_count, all_pages, index_pages, root) / loop_count;
  }

  Cost search_cost(double visited) const {
    const double width = std::max(ef_search, visited / kVisitsPerWidth);
    const double per_visit = kVisitCost + shape.links * kLinkCost +
                             shape.link_words * kLinkWordCost + width * kBeamEntryCost;
    return pages(visited) * page_cost + cpu_operator_cost * (kScanCost + visited * per_visit);
  }

  /// Before the first row.
  Cost first_round() const { return search_cost(visits(0)); }

  /// Until so many rows have been returned. Without what the planner adds itself: reading as many
  /// rows of the table as the index has, for the part of the scan that is run.
  Cost until(double wanted) const {
    const double read = read_rows(wanted);
    const double ahead = std::max(0.0, read - wanted);
    return search_cost(visits(wanted)) + read * distance_cost +
           ahead * (heap_page_per_row * page_cost + cpu_tuple_cost);
  }
};

bool keeps_order(const Settings& settings) {
  const auto mode = static_cast<IterativeScan>(settings.hnsw_iterative_scan);
  return mode == IterativeScan::kStrictOrder || mode == IterativeScan::kOff;
}

/// The shape of an index that can and may be scanned; false if there is none.
bool read_shape(const IndexOptInfo* index, double rows, Shape* shape) {
  if (index->hypothetical) return false;
  Relation relation = index_open(index->indexoid, NoLock);  // the planner holds a lock
  const GraphState* const state = try_load_state(relation);
  const bool is_usable = state != nullptr && !models::is_avoided(relation, state->meta.model_stamp);
  if (is_usable) *shape = shape_of(*state, rows);
  index_close(relation, NoLock);
  return is_usable;
}

}  // namespace

void estimate_cost(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup_cost,
                   Cost* total_cost, Selectivity* selectivity, double* correlation, double* pages) {
  const IndexOptInfo* const index = path->indexinfo;
  const RelOptInfo* const rel = index->rel;
  const Settings& settings = current_settings();

  *selectivity = selectivity_of_predicate(root, index);
  *correlation = 0;
  *pages = index->pages;
  Model model{};
  model.rows = std::max(1.0, std::rint(*selectivity * rel->tuples));
  const bool is_ordered = path->indexorderbys != NIL;
  const bool is_order_used = is_ordered && relies_on_order(root, path);
  if (is_order_used) mark_relied_on(path);
  if (!is_ordered || !read_shape(index, model.rows, &model.shape) ||
      (!keeps_order(settings) && is_order_used) || needs_lost_ctid(rel)) {
    *startup_cost = *total_cost = kCostedOut;
    disable_path(&path->path);
    return;
  }

  model.ef_search = settings.hnsw_ef_search;
  model.index_pages = std::max<double>(index->pages, 1);
  get_tablespace_page_costs(index->reltablespace, &model.page_cost, nullptr);
  model.loop_count = loop_count;
  model.heap_page_per_row = std::min(1.0, rel->pages / std::max(rel->tuples, 1.0));
  QualCost distance;
  cost_qual_eval(&distance, path->indexorderbys, root);
  model.distance_cost = distance.per_tuple;
  model.root = root;

  // The planner draws a line from startup to total. It goes through the cost at the number of rows
  // that is wanted, or that is of interest.
  double part = 0;
  double wanted = wanted_rows(root, rel, model.rows, model.ef_search, &part);
  if (wanted < 0) {
    wanted = std::min(model.rows, std::max(kRowsOfInterest, 2 * model.visits(0)));
    part = wanted / model.rows;
  }
  *startup_cost = distance.startup + model.first_round();
  *total_cost = *startup_cost + std::max(0.0, model.until(wanted) - model.first_round()) / part;
  *pages = std::ceil(model.pages(model.visits(wanted)));
}

}  // namespace nearest::pg::graph
