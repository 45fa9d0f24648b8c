#include "pg/am/common/order_use.hpp"

extern "C" {
#include "catalog/pg_collation.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/paths.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
}

#include <cstring>
#include <initializer_list>

#include "pg/compat.hpp"

namespace nearest::pg {
namespace {

const EquivalenceClass* merged(const EquivalenceClass* ec) {
  while (ec != nullptr && ec->ec_merged != nullptr) ec = ec->ec_merged;
  return ec;
}

/// Whether one of the query's outer joins compares members of the class.
bool joins_by(const List* clauses, const EquivalenceClass* ec) {
  ListCell* cell = nullptr;
  foreach (cell, clauses) {
    const Node* const node = static_cast<const Node*>(lfirst(cell));
#if PG_VERSION_NUM >= 160000
    const RestrictInfo* const clause = reinterpret_cast<const OuterJoinClauseInfo*>(node)->rinfo;
#else
    const auto* const clause = reinterpret_cast<const RestrictInfo*>(node);
#endif
    if (merged(clause->left_ec) == ec || merged(clause->right_ec) == ec) return true;
  }
  return false;
}

/// Whether a merge join could use an order by members of the class: they are equal to others, or
/// compared to others by an outer join.
bool is_joined_by(const PlannerInfo* root, const EquivalenceClass* ec) {
  int members = 0;
  ListCell* cell = nullptr;
  foreach (cell, ec->ec_members) {
    members += static_cast<const EquivalenceMember*>(lfirst(cell))->em_is_child ? 0 : 1;
  }
  return members > 1 || joins_by(root->left_join_clauses, ec) ||
         joins_by(root->right_join_clauses, ec) || joins_by(root->full_join_clauses, ec);
}

bool is_among(const List* pathkeys, const EquivalenceClass* ec) {
  ListCell* cell = nullptr;
  foreach (cell, pathkeys) {
    if (merged(static_cast<const PathKey*>(lfirst(cell))->pk_eclass) == ec) return true;
  }
  return false;
}

/// The mark of an ORDER BY whose order is relied on. Of what reaches from a path to its scan, the
/// operator's collation is free: vectors have none.
constexpr Oid kReliedOn = C_COLLATION_OID;

/// Whether a query needs the order of what it reads, rather than passing it on.
bool has_use_for_order(const Query* query) {
  return query->hasAggs || query->groupClause != NIL || query->groupingSets != NIL ||
         query->distinctClause != NIL || query->hasWindowFuncs ||
         query->limitOption == LIMIT_OPTION_WITH_TIES;
}

/// min() and max() are planned as a query for the first row (planagg.c): an aggregate all the same.
bool is_least_value(const PlannerInfo* root) {
  const Query* const query = root->parse;
  if (root->parent_root == nullptr || !root->parent_root->parse->hasAggs ||
      list_length(query->targetList) != 1) {
    return false;
  }
  const auto* const entry = static_cast<const TargetEntry*>(linitial(query->targetList));
  return entry->resname != nullptr && std::strcmp(entry->resname, "agg_target") == 0;
}

/// The column of a query's result that has its first ORDER BY key, or 0.
AttrNumber first_order_column(const Query* query) {
  if (query->sortClause == NIL) return 0;
  const auto* const key = static_cast<const SortGroupClause*>(linitial(query->sortClause));
  ListCell* cell = nullptr;
  foreach (cell, query->targetList) {
    const auto* const entry = static_cast<const TargetEntry*>(lfirst(cell));
    if (entry->ressortgroupref == key->tleSortGroupRef) return entry->resjunk ? 0 : entry->resno;
  }
  return 0;
}

/// Whether `expression` is that column of a query in FROM, or of one of WITH.
bool is_column_of_subquery(const PlannerInfo* root, const Expr* expression, AttrNumber column) {
  while (IsA(expression, RelabelType)) {
    expression = reinterpret_cast<const RelabelType*>(expression)->arg;
  }
  if (!IsA(expression, Var)) return false;
  const auto* const var = reinterpret_cast<const Var*>(expression);
  if (var->varattno != column || var->varlevelsup != 0 || IS_SPECIAL_VARNO(var->varno)) {
    return false;
  }
  const RTEKind kind = planner_rt_fetch(var->varno, root)->rtekind;
  return kind == RTE_SUBQUERY || kind == RTE_CTE;
}

/// Whether `root`, which reads a query whose rows are ordered by `column`, relies on that. Which of
/// its subqueries it is cannot be seen from here; all that have such a column are suspects.
bool relies_on_column(const PlannerInfo* root, AttrNumber column) {
  const Query* const query = root->parse;
  if (query->groupingSets != NIL) return true;
  ListCell* cell = nullptr;
  foreach (cell, root->eq_classes) {
    const auto* const ec = static_cast<const EquivalenceClass*>(lfirst(cell));
    if (ec->ec_merged != nullptr) continue;
    bool has_column = false;
    ListCell* member_cell = nullptr;
    foreach (member_cell, ec->ec_members) {
      const auto* const member = static_cast<const EquivalenceMember*>(lfirst(member_cell));
      has_column |= is_column_of_subquery(root, member->em_expr, column);
    }
    if (!has_column) continue;
    if (is_joined_by(root, ec) || is_among(root->group_pathkeys, ec) ||
        is_among(root->window_pathkeys, ec) || is_among(root->distinct_pathkeys, ec)) {
      return true;
    }
    if (query->limitOption == LIMIT_OPTION_WITH_TIES && is_among(root->sort_pathkeys, ec)) {
      return true;
    }
  }
  return false;
}

bool is_union_all(const SetOperationStmt* operation) {
  if (operation->op != SETOP_UNION || !operation->all) return false;
  for (const Node* side : {operation->larg, operation->rarg}) {
    if (IsA(side, SetOperationStmt) &&
        !is_union_all(reinterpret_cast<const SetOperationStmt*>(side))) {
      return false;
    }
  }
  return true;
}

/// Whether `root` is at the queries of its WITH; subqueries of expressions and of FROM come later.
bool is_planning_with(const PlannerInfo* root) {
  return list_length(root->cte_plan_ids) < list_length(root->parse->cteList);
}

/// Whether a query whose WITH has one query does nothing but list its rows, as far as can be seen
/// before it is planned.
bool only_lists_with(const Query* query) {
  return !has_use_for_order(query) && !query->hasSubLinks && list_length(query->cteList) == 1 &&
         list_length(query->rtable) == 1 &&
         static_cast<const RangeTblEntry*>(linitial(query->rtable))->rtekind == RTE_CTE;
}

/// The column of `root`'s result that shows `column` of one of its subqueries, or 0.
AttrNumber shown_as(const PlannerInfo* root, AttrNumber column) {
  if (root->parse->setOperations != nullptr) return column;
  ListCell* cell = nullptr;
  foreach (cell, root->parse->targetList) {
    const auto* const entry = static_cast<const TargetEntry*>(lfirst(cell));
    if (!entry->resjunk && is_column_of_subquery(root, entry->expr, column)) return entry->resno;
  }
  return 0;
}

}  // namespace

bool relies_on_order(PlannerInfo* root, const IndexPath* path) {
  if (has_use_for_order(root->parse) || is_least_value(root)) return true;
  ListCell* cell = nullptr;
  foreach (cell, path->path.pathkeys) {
    const EquivalenceClass* const ec = merged(static_cast<const PathKey*>(lfirst(cell))->pk_eclass);
    if (is_joined_by(root, ec)) return true;
  }

  // Queries around this one know the order only if they see the distance.
  AttrNumber column = first_order_column(root->parse);
  const PlannerInfo* outer = root->parent_root;
  for (; outer != nullptr && column > 0; outer = outer->parent_root) {
    const auto* const operation =
        reinterpret_cast<const SetOperationStmt*>(outer->parse->setOperations);
    if (operation != nullptr && !is_union_all(operation)) return true;
    // What reads a query of WITH is planned after it, and before version 17 does not know its
    // order.
    if (kReadsOrderOfWith && is_planning_with(outer) && !only_lists_with(outer->parse)) return true;
    if (relies_on_column(outer, column)) return true;
    column = shown_as(outer, column);
  }
  return false;
}

void mark_relied_on(IndexPath* path) {
  // A copy: other paths, and the query itself, have the same expression.
  auto* const marked = static_cast<List*>(copyObjectImpl(path->indexorderbys));
  ListCell* cell = nullptr;
  foreach (cell, marked) {
    castNode(OpExpr, lfirst(cell))->inputcollid = kReliedOn;
  }
  path->indexorderbys = marked;
}

bool is_relied_on(const ScanKeyData& order_by) { return order_by.sk_collation == kReliedOn; }

}  // namespace nearest::pg
