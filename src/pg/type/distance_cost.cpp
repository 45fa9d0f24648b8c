#include "pg/type/distance_cost.hpp"

extern "C" {
#include "access/detoast.h"
#include "access/heaptoast.h"
#include "access/table.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
}

#include <algorithm>

#include "format/vector_value.hpp"

namespace nearest::pg {
namespace {

// In units of cpu_operator_cost. Measured by bench/storage.py, with all pages in memory: a scan
// that reads one integer of narrow rows takes 30 ns a row, which the planner prices at 0.0125 and a
// share of a page, so one unit (0.0025) is about 5 ns. Beyond such a scan a distance takes 0.09,
// 0.21 and 0.5 us at 384, 768 and 1,536 dimensions in the row, and 3.3 and 4.4 us at 768 and 1,536
// out of line.
constexpr double kCallCost = 1;
constexpr double kElementsPerCost = 16;      // read from memory and summed
constexpr double kToastedCallCost = 400;     // finding a value in the TOAST table
constexpr double kToastedBytesPerCost = 16;  // copying its chunks together
constexpr double kUnknownDim = 512;          // for parameters and columns without dimensions

/// What the planner can know of one argument.
struct Argument {
  double dim = 0;        ///< 0 if unknown
  bool toasted = false;  ///< stored outside of its row
};

/// Bytes that rows of `relation` may have before values are moved out of line.
int row_limit(Oid relation_id) {
  Relation relation = table_open(relation_id, NoLock);  // the planner holds a lock
  const char kind = relation->rd_rel->relkind;          // other kinds have other options
  const bool has_target = kind == RELKIND_RELATION || kind == RELKIND_MATVIEW;
  const int limit =
      has_target ? static_cast<int>(RelationGetToastTupleTarget(relation, TOAST_TUPLE_TARGET))
                 : static_cast<int>(TOAST_TUPLE_TARGET);
  table_close(relation, NoLock);
  return limit;
}

/// A value that is out of line is a pointer of 18 bytes to ANALYZE. Without statistics: what the
/// server will do with a row that holds nothing but the value.
bool is_toasted(Oid relation_id, AttrNumber attribute, double value_bytes) {
  const int32 analyzed_width = get_attavgwidth(relation_id, attribute);
  if (analyzed_width > 0) return analyzed_width < value_bytes / 2;

  HeapTuple tuple =
      SearchSysCache2(ATTNUM, ObjectIdGetDatum(relation_id), Int16GetDatum(attribute));
  if (!HeapTupleIsValid(tuple)) return false;
  const char storage = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple))->attstorage;
  ReleaseSysCache(tuple);
  const bool may_move = storage == TYPSTORAGE_EXTERNAL || storage == TYPSTORAGE_EXTENDED;
  return may_move && value_bytes > row_limit(relation_id);
}

Argument describe_argument(PlannerInfo* root, Node* node, std::size_t element_bytes) {
  Argument argument;
  // Below a cast to vector(n) is still a vector; below one from another type is not.
  const Oid type = getBaseType(exprType(node));
  node = strip_implicit_coercions(node);
  if (getBaseType(exprType(node)) != type) return argument;
  const int32 typmod = exprTypmod(node);  // vector(n) has typmod n
  if (typmod > 0) argument.dim = typmod;

  if (IsA(node, Const)) {
    const auto* constant = reinterpret_cast<Const*>(node);
    constexpr Size kHeaderBytes = format::DenseValue<float>::bytes(0);
    // Of variable length, as vectors are: SQL can give this support function to anything.
    if (!constant->constisnull && constant->constlen == -1) {
      const Size bytes = std::max(toast_raw_datum_size(constant->constvalue), kHeaderBytes);
      const Size dim = (bytes - kHeaderBytes) / element_bytes;
      argument.dim = static_cast<double>(dim);
    }
    return argument;
  }
  if (!IsA(node, Var) || root == nullptr) return argument;

  const auto* var = reinterpret_cast<Var*>(node);
  if (var->varlevelsup != 0 || IS_SPECIAL_VARNO(var->varno) || var->varattno <= 0) return argument;
  const RangeTblEntry* entry = planner_rt_fetch(var->varno, root);
  if (entry->rtekind != RTE_RELATION) return argument;
  const double dim = argument.dim > 0 ? argument.dim : kUnknownDim;
  argument.toasted = is_toasted(entry->relid, var->varattno,
                                static_cast<double>(format::DenseValue<float>::bytes(0)) +
                                    dim * static_cast<double>(element_bytes));
  return argument;
}

List* call_arguments(Node* node) {
  if (node != nullptr && IsA(node, FuncExpr)) return reinterpret_cast<FuncExpr*>(node)->args;
  if (node != nullptr && IsA(node, OpExpr)) return reinterpret_cast<OpExpr*>(node)->args;
  return NIL;
}

void estimate_cost(SupportRequestCost* request, std::size_t element_bytes) {
  double dim = 0;
  int n_toasted = 0;
  ListCell* cell = nullptr;
  foreach (cell, call_arguments(request->node)) {
    const Argument argument =
        describe_argument(request->root, static_cast<Node*>(lfirst(cell)), element_bytes);
    dim = std::max(dim, argument.dim);  // both arguments of a call that succeeds have the same
    n_toasted += argument.toasted ? 1 : 0;
  }
  if (dim == 0) dim = kUnknownDim;

  const double bytes = dim * static_cast<double>(element_bytes);
  request->startup = 0;
  request->per_tuple =
      cpu_operator_cost * (kCallCost + dim / kElementsPerCost +
                           n_toasted * (kToastedCallCost + bytes / kToastedBytesPerCost));
}

}  // namespace

Datum dense_distance_support(FunctionCallInfo fcinfo, std::size_t element_bytes) {
  auto* request = static_cast<Node*>(static_cast<void*>(PG_GETARG_POINTER(0)));
  if (!IsA(request, SupportRequestCost)) PG_RETURN_POINTER(nullptr);
  estimate_cost(reinterpret_cast<SupportRequestCost*>(request), element_bytes);
  PG_RETURN_POINTER(request);
}

}  // namespace nearest::pg
