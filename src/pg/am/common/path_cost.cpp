#include "pg/am/common/path_cost.hpp"

extern "C" {
#include "optimizer/cost.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"
}

#include "pg/am/common/order_use.hpp"
#include "pg/am/common/row_identity.hpp"
#include "pg/compat.hpp"

namespace nearest::pg {
namespace {

/// More than enable_seqscan = off adds to a plan, and less than would overflow in a join of many
/// rows. Not infinity, whose differences are no numbers.
constexpr Cost kCostedOut = 1e30;

/// The part of the rows that the planner supposes for a limit it does not know (planner.c,
/// preprocess_limit).
constexpr double kUnknownLimitFraction = 0.1;

/// The part of the table's rows that the index has.
double selectivity_of_predicate(PlannerInfo* root, const IndexOptInfo* index) {
  if (index->indpred == NIL) return 1;
  return clauselist_selectivity(root, index->indpred, static_cast<int>(index->rel->relid),
                                JOIN_INNER, nullptr);
}

}  // namespace

bool read_path_facts(PlannerInfo* root, IndexPath* path, double loop_count, const PathCost& cost,
                     PathFacts* facts) {
  const IndexOptInfo* const index = path->indexinfo;
  const RelOptInfo* const rel = index->rel;
  *cost.selectivity = selectivity_of_predicate(root, index);
  *cost.correlation = 0;
  *cost.pages = index->pages;
  if (path->indexorderbys == NIL) return false;

  *facts = {};
  facts->root = root;
  facts->rel = rel;
  facts->rows = std::max(1.0, std::rint(*cost.selectivity * rel->tuples));
  facts->index_pages = std::max<double>(index->pages, 1);
  facts->loop_count = loop_count;
  get_tablespace_page_costs(index->reltablespace, &facts->page_cost, &facts->next_page_cost);
  facts->heap_page_per_row = std::min(1.0, rel->pages / std::max(rel->tuples, 1.0));
  QualCost distance;
  cost_qual_eval(&distance, path->indexorderbys, root);
  facts->distance_startup = distance.startup;
  facts->distance_cost = distance.per_tuple;
  facts->is_order_used = relies_on_order(root, path);
  if (facts->is_order_used) mark_relied_on(path);
  return !index->hypothetical && !needs_lost_ctid(rel);
}

void cost_out(IndexPath* path, const PathCost& cost) {
  *cost.startup = *cost.total = kCostedOut;
  disable_path(&path->path);
}

double pages_in_loop(const PathFacts& facts, double one_scan) {
  if (facts.loop_count <= 1) return one_scan;
  const auto all_pages = static_cast<BlockNumber>(facts.index_pages);
  return index_pages_fetched(one_scan * facts.loop_count, all_pages, facts.index_pages,
                             facts.root) /
         facts.loop_count;
}

double wanted_rows(const PathFacts& facts, double usual, double* part) {
  const PlannerInfo* const root = facts.root;
  const double rows = facts.rows;
  // A join passes on an unknown part of the rows.
  if (bms_membership(root->all_baserels) == BMS_MULTIPLE) return -1;
  const double passing = std::clamp(facts.rel->rows / rows, 1e-9, 1.0);
  if (root->limit_tuples > 0) {
    const double wanted = std::min(rows, root->limit_tuples / passing);
    *part = wanted / rows;
    return wanted;
  }
  if (root->parse->limitCount != nullptr && root->tuple_fraction > 0 && root->tuple_fraction < 1) {
    // LIMIT $1: nobody wants a tenth of the table, which is what the planner will suppose.
    *part = std::min(root->tuple_fraction, kUnknownLimitFraction);
    return std::min(rows, usual / passing);
  }
  return -1;
}

}  // namespace nearest::pg
