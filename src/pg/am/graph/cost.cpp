#include "pg/am/graph/cost.hpp"

extern "C" {
#include "access/genam.h"
#include "utils/rel.h"
}

#include <algorithm>
#include <cmath>

#include "core/graph/params.hpp"
#include "pg/am/common/path_cost.hpp"
#include "pg/am/graph/state.hpp"
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
  double ef_search;
  PathFacts facts;

  /// Nodes that are visited to return so many rows: the first round, or as many as rows are read,
  /// since every node found is returned.
  double visits(double wanted) const {
    const double first = kFirstVisits + kVisitsPerWidth * ef_search;
    return std::min(facts.rows, std::max(first, read_rows(wanted)));
  }

  double read_rows(double wanted) const {
    return std::min(facts.rows, kRowsPerRow * wanted + kRowsAhead);
  }

  /// Nodes of one page are mostly visited at different times, so that they share it only by chance.
  double pages(double wanted) const {
    const double node_pages =
        std::max(1.0, std::min(facts.index_pages, facts.rows / shape.nodes_per_page));
    return pages_in_loop(
        facts, shape.entry_pages + node_pages * -std::expm1(-visits(wanted) / node_pages));
  }

  /// Pages of the entry table lie behind one another, those of nodes anywhere.
  Cost pages_cost(double wanted) const {
    const Cost behind = std::min(facts.page_cost, facts.next_page_cost);
    const double read = pages(wanted), in_row = std::min(read, shape.entry_pages - 1);
    return (read - in_row) * facts.page_cost + in_row * behind;
  }

  Cost search_cost(double wanted) const {
    const double visited = visits(wanted);
    const double width = std::max(ef_search, visited / kVisitsPerWidth);
    const double per_visit = kVisitCost + shape.links * kLinkCost +
                             shape.link_words * kLinkWordCost + width * kBeamEntryCost;
    return pages_cost(wanted) + cpu_operator_cost * (kScanCost + visited * per_visit);
  }

  Cost until(double wanted) const {
    return search_cost(wanted) + cost_of_rows(facts, read_rows(wanted), wanted);
  }
};

bool keeps_order(const Settings& settings) {
  const auto mode = static_cast<IterativeScan>(settings.hnsw_iterative_scan);
  return mode == IterativeScan::kStrictOrder || mode == IterativeScan::kOff;
}

/// The shape of an index that can and may be scanned; false if there is none.
bool read_shape(const IndexOptInfo* index, double rows, Shape* shape) {
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
  const Settings& settings = current_settings();
  const PathCost cost{startup_cost, total_cost, selectivity, correlation, pages};
  Model model{};
  PathFacts& facts = model.facts;
  if (!read_path_facts(root, path, loop_count, cost, &facts) ||
      !read_shape(path->indexinfo, facts.rows, &model.shape) ||
      (facts.is_order_used && !keeps_order(settings))) {
    cost_out(path, cost);
    return;
  }
  model.ef_search = settings.hnsw_ef_search;
  draw_cost(model, model.ef_search, std::max(kRowsOfInterest, 2 * model.visits(0)), cost);
}

}  // namespace nearest::pg::graph
