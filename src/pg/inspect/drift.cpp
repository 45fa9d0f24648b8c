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

#include <algorithm>
#include <cmath>
#include <limits>

#include "format/drift_summary.hpp"
#include "pg/am/common/drift_sample.hpp"
#include "pg/am/graph/state.hpp"
#include "pg/am/index_kind.hpp"
#include "pg/am/inverted/options.hpp"
#include "pg/am/inverted/state.hpp"
#include "pg/inspect/own_index.hpp"
#include "pg/result_row.hpp"
#include "pg/settings.hpp"

namespace nearest::pg {
namespace {

constexpr const char* kFigureNames[core::kFigures] = {"norm", "centroid_distance",
                                                      "neighbor_distance", "code_error"};
constexpr const char* kImbalanceName = "list_imbalance";
constexpr const char* kVerdictNames[] = {"ok", "untrained", "watch", "retrain"};

/// What is known of an index.
struct IndexDrift {
  format::DriftPage page;
  format::DriftSummary summary;
  core::Metric metric;
  bool is_trained;
  double rows;         ///< by now, about
  double needed_rows;  ///< to be trained
};

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
void read_drift(Oid oid, IndexDrift* drift) {
  const OwnIndex own = open_own_index(oid, "read the drift of");
  check_privilege(own);
  drift->needed_rows = core::kFewestBuilt;
  if (is_graph(own.index)) {
    const format::GraphMeta meta = graph::read_meta(own.index);
    read_drift_page(own.index, meta.drift_block, 0, &drift->page);
    drift->metric = meta.metric;
    drift->is_trained = true;
  } else {
    const format::InvertedMeta meta = inverted::read_meta(own.index);
    read_drift_page(own.index, meta.drift_block, meta.lists, &drift->page);
    drift->metric = meta.metric;
    drift->is_trained = meta.sample_rows > 0;
    drift->needed_rows =
        std::max(drift->needed_rows, static_cast<double>(inverted::options_of(own.index).lists));
  }
  const auto built = static_cast<double>(drift->page.built_rows);
  if (built < core::kFewestBuilt) drift->is_trained = false;
  // Not the table's count: rows without vectors and equal ones would never be enough.
  drift->rows = built + static_cast<double>(format::inserted_rows(drift->page));
  drift->summary = format::summarize(drift->page);
  close_own_index(own);
}

struct Finding {
  core::Verdict verdict;
  double score;
  const char* reason;
};

/// The worse of what was found so far and of one more score. Angles do not depend on norms: under
/// cosine, these are no reason to train anew.
void consider(Finding* worst, double score, bool is_harmless, const char* reason) {
  const Settings& settings = current_settings();
  core::Verdict verdict = core::verdict_of(score, {settings.drift_watch, settings.drift_retrain});
  if (is_harmless && verdict == core::Verdict::kRetrain) verdict = core::Verdict::kWatch;
  const bool is_worse =
      verdict > worst->verdict || (verdict == worst->verdict && score > worst->score);
  worst->score = std::max(worst->score, score);
  if (!is_worse || verdict == core::Verdict::kOk) return;
  worst->verdict = verdict;
  worst->reason = reason;
}

Finding judge(const IndexDrift& drift) {
  const format::DriftSummary& summary = drift.summary;
  const auto built_rows = static_cast<double>(drift.page.built_rows);
  if (!drift.is_trained) {
    const bool is_enough = drift.rows >= drift.needed_rows && drift.rows >= 2 * built_rows;
    return {is_enough ? core::Verdict::kRetrain : core::Verdict::kUntrained, 0,
            psprintf(is_enough ? "built on %.0f rows, there are about %.0f now"
                               : "built on %.0f rows, %.0f are needed",
                     built_rows, is_enough ? drift.rows : drift.needed_rows)};
  }
  Finding worst{core::Verdict::kOk, 0, nullptr};
  for (std::size_t i = 0; i < core::kFigures; ++i) {
    const auto figure = static_cast<core::Figure>(i);
    const core::Moments& built = drift.page.built.of[i];
    const core::Moments& inserted = summary.inserted.of[i];
    const core::Moments& recent = summary.recent.of[i];
    const bool is_recent =
        core::shift_score(figure, built, recent) > core::shift_score(figure, built, inserted);
    consider(&worst, summary.scores[i],
             figure == core::Figure::kNorm && drift.metric == core::Metric::kCosine,
             psprintf("%s of %s rows is %.3g on average, %.3g when built", kFigureNames[i],
                      is_recent ? "recent" : "inserted", is_recent ? recent.mean : inserted.mean,
                      built.mean));
  }
  consider(&worst, summary.imbalance_score, false,
           psprintf("%s of inserted rows is %.3g, %.3g when built", kImbalanceName,
                    summary.inserted_imbalance, summary.built_imbalance));
  if (worst.reason == nullptr) {
    worst.reason = drift.page.sampled == 0 ? "no row has been sampled since the build"
                   : static_cast<double>(drift.page.sampled) < core::kFewestInserted
                       ? "too few rows have been sampled since the build"
                       : "inserted rows are like those of the build";
  }
  return worst;
}

/// Columns that are a number or NULL.
struct Numbers {
  Datum* values;
  bool* nulls;

  void set(int column, double value) const {
    nulls[column] = std::isnan(value);
    values[column] = nulls[column] ? Datum{0} : Float8GetDatum(value);
  }
  void set_moments(int column, const core::Moments& moments) const {
    constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    set(column, moments.n > 0 ? moments.mean : kNone);
    set(column + 1, moments.n > 0 ? moments.spread() : kNone);
  }
};

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

enum DriftColumn { kVerdict, kReason, kWorst, kBuiltRows, kInsertedRows, kSampledRows, kColumns };

}  // namespace
}  // namespace nearest::pg

/// nearest_drift(index regclass) -> one row: the verdict, and what it rests on.
NEAREST_FUNCTION(nearest_drift) {
  using namespace nearest::pg;
  IndexDrift drift;
  read_drift(PG_GETARG_OID(0), &drift);
  const Finding found = judge(drift);
  Datum values[kColumns];
  bool nulls[kColumns] = {};
  values[kVerdict] = CStringGetTextDatum(kVerdictNames[static_cast<std::size_t>(found.verdict)]);
  values[kReason] = CStringGetTextDatum(found.reason);
  values[kWorst] = Float8GetDatum(found.score);
  values[kBuiltRows] = Int64GetDatum(static_cast<int64>(drift.page.built_rows));
  values[kInsertedRows] =
      Int64GetDatum(static_cast<int64>(nearest::format::inserted_rows(drift.page)));
  values[kSampledRows] = Int64GetDatum(static_cast<int64>(drift.page.sampled));
  return row_result(fcinfo, values, nulls, kColumns);
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
  read_drift(PG_GETARG_OID(0), &drift);
  const format::DriftSummary& summary = drift.summary;
  for (std::size_t i = 0; i < core::kFigures; ++i) {
    const core::Moments& built = drift.page.built.of[i];
    const core::Moments& inserted = summary.inserted.of[i];
    if (built.n == 0 && inserted.n == 0) continue;
    Datum values[kFigureColumns];
    bool nulls[kFigureColumns] = {};
    const Numbers numbers{values, nulls};
    values[kFigure] = CStringGetTextDatum(kFigureNames[i]);
    numbers.set_moments(kBuiltMean, built);
    numbers.set_moments(kInsertedMean, inserted);
    numbers.set_moments(kRecentMean, summary.recent.of[i]);
    numbers.set(kScore, summary.scores[i]);
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  }
  if (drift.page.lists > 0) {
    Datum values[kFigureColumns] = {};
    bool nulls[kFigureColumns];
    std::fill_n(nulls, std::size_t{kFigureColumns}, true);
    const Numbers numbers{values, nulls};
    values[kFigure] = CStringGetTextDatum(kImbalanceName);
    nulls[kFigure] = false;
    numbers.set(kBuiltMean, summary.built_imbalance);
    numbers.set(kInsertedMean, summary.inserted_imbalance);
    numbers.set(kScore, summary.imbalance_score);
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  }
  return Datum{0};
}
