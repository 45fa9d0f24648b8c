#include "pg/am/common/path_cost.hpp"

extern "C" {
#include "optimizer/optimizer.h"
}

#include <algorithm>

namespace nearest::pg {
namespace {

/// The part of the rows that the planner supposes for a limit it does not know (planner.c,
/// preprocess_limit).
constexpr double kUnknownLimitFraction = 0.1;

}  // namespace

double selectivity_of_predicate(PlannerInfo* root, const IndexOptInfo* index) {
  if (index->indpred == NIL) return 1;
  return clauselist_selectivity(root, index->indpred, static_cast<int>(index->rel->relid),
                                JOIN_INNER, nullptr);
}

double wanted_rows(const PlannerInfo* root, const RelOptInfo* rel, double rows, double usual,
                   double* part) {
  // A join passes on an unknown part of the rows.
  if (bms_membership(root->all_baserels) == BMS_MULTIPLE) return -1;
  const double passing = std::clamp(rel->rows / rows, 1e-9, 1.0);
  if (root->limit_tuples > 0) {
    const double wanted = std::min(rows, root->limit_tuples / passing);
    *part = wanted / rows;
    return wanted;
  }
  if (root->parse->limitCount != nullptr && root->tuple_fraction > 0 && root->tuple_fraction < 1) {
    // LIMIT $1: nobody wants a tenth of the table.
    const double wanted = std::min(rows, usual / passing);
    *part = std::max(wanted / rows, std::min(root->tuple_fraction, kUnknownLimitFraction));
    return wanted;
  }
  return -1;
}

}  // namespace nearest::pg
