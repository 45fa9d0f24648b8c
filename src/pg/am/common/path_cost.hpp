/// What the costs of all our index paths have in common.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"
}

#include <algorithm>
#include <cmath>

namespace nearest::pg {

/// What amcostestimate gives to the planner.
struct PathCost {
  Cost* startup;
  Cost* total;
  Selectivity* selectivity;
  double* correlation;
  double* pages;
};

/// What costs of an ordered scan depend on besides the index's own pages.
struct PathFacts {
  PlannerInfo* root;
  const RelOptInfo* rel;
  double rows;  ///< that the index has
  double index_pages;
  double loop_count;
  Cost page_cost;            ///< of a random page of the index
  Cost next_page_cost;       ///< of one that lies behind the page before
  double heap_page_per_row;  ///< 1 at most
  Cost distance_startup;
  Cost distance_cost;  ///< of one call
  bool is_order_used;  ///< relies_on_order
};

/// The facts of a path. False if no scan of ours can serve it: without ORDER BY, or where rows must
/// keep a ctid that this server loses.
bool read_path_facts(PlannerInfo* root, IndexPath* path, double loop_count, const PathCost& cost,
                     PathFacts* facts);

/// Makes the planner take any other path.
void cost_out(IndexPath* path, const PathCost& cost);

/// Pages of the index that one of the loop's scans reads, if one alone reads so many: what others
/// have read is in memory.
double pages_in_loop(const PathFacts& facts, double one_scan);

/// Rows that are read beyond those wanted. Without what the planner adds itself: reading as many
/// rows of the table as the index has, for the part of the scan that is run.
inline Cost cost_of_rows(const PathFacts& facts, double read, double wanted) {
  const double ahead = std::max(0.0, read - wanted);
  return read * facts.distance_cost +
         ahead * (facts.heap_page_per_row * facts.page_cost + cpu_tuple_cost);
}

/// Rows that the index has to return before the query has enough, or a negative number if that is
/// not known. usual: to suppose for LIMIT $1. part: of the scan's rows that the planner will
/// suppose.
double wanted_rows(const PathFacts& facts, double usual, double* part);

/// The planner draws a line from startup to total. It goes through the cost at the number of rows
/// that is wanted, or that is of interest. A model has
///   PathFacts facts
///   Cost search_cost(double wanted)   of the index, until it has returned so many rows
///   Cost until(double wanted)         that and the distances of the rows read for them
///   double pages(double wanted)       of the index
template <class Model>
void draw_cost(const Model& model, double usual, double of_interest, const PathCost& cost) {
  const PathFacts& facts = model.facts;
  double part = 0;
  double wanted = wanted_rows(facts, usual, &part);
  if (wanted < 0) {
    wanted = std::min(facts.rows, of_interest);
    part = wanted / facts.rows;
  }
  const Cost first = model.search_cost(0);
  *cost.startup = facts.distance_startup + first;
  *cost.total = *cost.startup + std::max(0.0, model.until(wanted) - first) / part;
  *cost.pages = std::ceil(model.pages(wanted));
}

}  // namespace nearest::pg
