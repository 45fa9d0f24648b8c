/// nearest_index_model() and nearest_rebuild_estimate(): what the lists of indexes say of one.
#include "pg/postgres.hpp"

extern "C" {
#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/index.h"
#include "funcapi.h"
#include "optimizer/plancat.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
}

#include <algorithm>
#include <cmath>

#include "core/graph/params.hpp"
#include "core/ivf/params.hpp"
#include "pg/am/index_kind.hpp"
#include "pg/models/built_index.hpp"
#include "pg/models/index_model.hpp"
#include "pg/models/registry.hpp"
#include "pg/result_row.hpp"
#include "pg/thread_team.hpp"

namespace nearest::pg::models {
namespace {

/// An index of ours that can be looked at, or null. Raises for others.
Relation open_index(Oid oid) {
  const char kind = get_rel_relkind(oid);
  if (kind == '\0') return nullptr;
  if (kind == RELKIND_PARTITIONED_INDEX) return nullptr;
  Relation index = kind == RELKIND_INDEX ? open_at_once(oid) : nullptr;
  if (kind == RELKIND_INDEX && index == nullptr) return nullptr;
  if (index == nullptr || !(is_graph(index) || is_inverted(index))) {
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                    errmsg("\"%s\" is not an index of hnsw, ivfflat or ivfpq", get_rel_name(oid))));
  }
  return index;
}

// Seconds of a build ------------------------------------------------------------------------------

/// Rows that are there to be indexed, as the planner would guess.
double estimate_rows(Relation index) {
  Relation table = open_at_once(index->rd_index->indrelid);
  if (table == nullptr) return 0;
  BlockNumber pages = 0;
  double rows = 0, visible = 0;
  estimate_rel_size(table, nullptr, &pages, &rows, &visible);
  const double known = table->rd_rel->reltuples, indexed = index->rd_rel->reltuples;
  if (is_partial(index) && known > 0 && indexed >= 0) {
    rows *= std::min(1.0, indexed / known);
  }
  relation_close(table, AccessShareLock);
  return rows;
}

/// By figures that were measured: docs/models.md says how, and what they are worth. With the
/// threads that this session would build with.
double estimate_seconds(const BuiltIndex& built, double rows) {
  const double numbers = rows * built.dim;
  const auto threads = static_cast<double>(ThreadTeam::of_maintenance().size());
  if (built.is_graph) {
    constexpr double kStep =
        2e-8;  // for each number and doubling of the rows, with default options
    constexpr double kAlone = 0.1;  // of it on one thread: the table is read, pages are written
    const double width = 0.5 + 0.5 * built.ef_construction / core::kDefaultEfConstruction;
    const double links = 0.2 + 0.8 * built.m / core::kDefaultM;
    return kStep * numbers * std::log2(std::max(rows, 2.0)) * width * links *
           (kAlone + (1 - kAlone) / threads);
  }
  constexpr double kEncode = 3e-8;      // for each number, on one thread
  constexpr double kCompare = 2.2e-11;  // and with each list; rounds of training do so too
  constexpr double kRounds = 10;
  const double lists =
      built.lists > 0 ? built.lists
                      : static_cast<double>(core::default_lists(static_cast<std::size_t>(rows)));
  const double sample =
      std::min(rows, std::max<double>(core::kFewestSampleRows, core::kSampleRowsPerList * lists));
  return kEncode * numbers + kCompare * built.dim * lists * (rows + kRounds * sample) / threads;
}

enum ModelColumn { kModel, kVersion, kIsStale, kSince, kModelColumns };

void fill(Relation index, const BuiltIndex& built, ResultRow<kModelColumns>* result) {
  const IndexModel model = find_index_model(index);
  const bool is_stale = model.makes_stale(built.model_stamp);
  result->set(kIsStale, BoolGetDatum(is_stale));
  Relation registry = open_registry(schema_of_extension(index), AccessShareLock);
  if (registry == nullptr) return;
  for_each_declaration(registry, &model.column, [&](HeapTuple row, const Declaration& one) {
    if (one.stamp == model.counts_as(built.model_stamp)) {
      result->set_text(kModel, read_text(registry, row, kModelField));
      result->set_text(kVersion, read_text(registry, row, kVersionField));
    }
    if (one.is_current && is_stale) result->set(kSince, TimestampTzGetDatum(one.declared_at));
  });
  relation_close(registry, AccessShareLock);
}

enum EstimateColumn { kRows, kDuration, kEstimateColumns };

void fill(Relation index, const BuiltIndex& built, ResultRow<kEstimateColumns>* result) {
  const double rows = estimate_rows(index);
  result->set_count(kRows, std::llrint(rows));
  auto* const duration = static_cast<Interval*>(palloc0(sizeof(Interval)));
  duration->time = std::llrint(estimate_seconds(built, rows) * USECS_PER_SEC);
  result->set(kDuration, IntervalPGetDatum(duration));
}

/// What is to be told of the index that is the function's argument; NULL if it cannot be looked at
/// now.
template <int kColumns>
Datum tell(FunctionCallInfo call) {
  ResultRow<kColumns> result;
  Relation index = open_index(DatumGetObjectId(call->args[0].value));
  if (index != nullptr) {
    const BuiltIndex built = read_built_index(index);
    if (built.is_readable) fill(index, built, &result);
    relation_close(index, AccessShareLock);
  }
  return result.finish(call);
}

}  // namespace
}  // namespace nearest::pg::models

/// nearest_index_model(index regclass) -> model, version, is_stale, since.
NEAREST_FUNCTION(nearest_index_model) {
  using namespace nearest::pg::models;
  return tell<kModelColumns>(fcinfo);
}

/// nearest_rebuild_estimate(index regclass) -> rows, duration.
NEAREST_FUNCTION(nearest_rebuild_estimate) {
  using namespace nearest::pg::models;
  return tell<kEstimateColumns>(fcinfo);
}
