/// nearest_drift(index) and nearest_drift_figures(index): drift pages as SQL functions.
#include "pg/postgres.hpp"

extern "C" {
#include "access/htup_details.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
}

#include "pg/am/graph/state.hpp"
#include "pg/am/index_kind.hpp"
#include "pg/am/inverted/state.hpp"
#include "pg/buffer.hpp"
#include "pg/inspect/index_drift.hpp"
#include "pg/inspect/own_index.hpp"
#include "pg/result_row.hpp"

namespace nearest::pg {
namespace {

/// Whoever may read the table may know what its vectors are like.
void check_privilege(const OwnIndex& own) {
  const Oid heap = RelationGetRelid(own.heap);
  const AclResult result = pg_class_aclcheck(heap, GetUserId(), ACL_SELECT);
  if (result != ACLCHECK_OK) {
    aclcheck_error(result, get_relkind_objtype(own.heap->rd_rel->relkind),
                   RelationGetRelationName(own.heap));
  }
}

/// Reads the drift page of the index that is the function's argument.
void read_own_drift(Oid oid, IndexDrift* drift) {
  const OwnIndex own = open_own_index(oid, "read the drift of");
  check_privilege(own);
  BlockNumber block = format::kNoBlock;
  const char* fault = nullptr;
  if (is_graph(own.index)) {
    const format::GraphMeta meta = graph::read_meta(own.index);
    block = meta.drift_block;
    fault = read_drift(own.index, meta, drift);
  } else {
    const format::InvertedMeta meta = inverted::read_meta(own.index);
    block = meta.drift_block;
    fault = read_drift(own.index, meta, drift);
  }
  if (fault != nullptr) report_damaged(own.index, block, fault);
  close_own_index(own);
}

enum FigureColumn {
  kFigure,
  kBuiltMean,
  kBuiltSpread,
  kInsertedMean,
  kInsertedSpread,
  kRecentMean,
  kRecentSpread,
  kScore,
  kFigureColumns
};
using FigureRow = ResultRow<kFigureColumns>;

void set_moments(FigureRow* row, int column, const core::Moments& moments) {
  if (moments.n == 0) return;
  row->set_number(column, moments.mean);
  row->set_number(column + 1, moments.spread());
}

enum DriftColumn { kVerdict, kReason, kWorst, kBuiltRows, kInsertedRows, kSampledRows, kColumns };

}  // namespace
}  // namespace nearest::pg

/// nearest_drift(index regclass) -> one row: the verdict, and what it rests on.
NEAREST_FUNCTION(nearest_drift) {
  using namespace nearest::pg;
  IndexDrift drift;
  read_own_drift(PG_GETARG_OID(0), &drift);
  const Finding found = judge(drift);
  ResultRow<kColumns> row;
  row.set_text(kVerdict, name_of(found.verdict));
  row.set_text(kReason, found.reason);
  row.set_number(kWorst, found.score);
  row.set_count(kBuiltRows, static_cast<std::int64_t>(drift.page.built_rows));
  row.set_count(kInsertedRows,
                static_cast<std::int64_t>(nearest::format::inserted_rows(drift.page)));
  row.set_count(kSampledRows, static_cast<std::int64_t>(drift.page.sampled));
  return row.finish(fcinfo);
}

/// nearest_drift_figures(index regclass) -> a row for each figure that the index has.
NEAREST_FUNCTION(nearest_drift_figures) {
  using namespace nearest;
  using namespace nearest::pg;
  InitMaterializedSRF(fcinfo, 0);
  const auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  if (result->setDesc->natts != kFigureColumns) {
    elog(ERROR, "nearest_drift_figures returns %d columns", kFigureColumns);
  }
  IndexDrift drift;
  read_own_drift(PG_GETARG_OID(0), &drift);
  const format::DriftSummary& summary = drift.summary;
  for (std::size_t i = 0; i < core::kFigures; ++i) {
    const core::Moments& built = drift.page.built.of[i];
    const core::Moments& inserted = summary.inserted.of[i];
    if (built.n == 0 && inserted.n == 0) continue;
    FigureRow row;
    row.set_text(kFigure, kFigureNames[i]);
    set_moments(&row, kBuiltMean, built);
    set_moments(&row, kInsertedMean, inserted);
    set_moments(&row, kRecentMean, summary.recent.of[i]);
    row.set_number(kScore, summary.scores[i]);
    tuplestore_putvalues(result->setResult, result->setDesc, row.values, row.nulls);
  }
  if (drift.page.lists > 0) {
    FigureRow row;
    row.set_text(kFigure, kImbalanceName);
    row.set_number(kBuiltMean, summary.built_imbalance);
    row.set_number(kInsertedMean, summary.inserted_imbalance);
    row.set_number(kScore, summary.imbalance_score);
    tuplestore_putvalues(result->setResult, result->setDesc, row.values, row.nulls);
  }
  return Datum{0};
}
