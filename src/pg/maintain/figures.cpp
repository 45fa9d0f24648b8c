#include "pg/maintain/figures.hpp"

extern "C" {
#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"
}

#include <algorithm>
#include <cmath>

#include "core/ivf/params.hpp"
#include "pg/am/graph/state.hpp"
#include "pg/am/index_kind.hpp"
#include "pg/am/inverted/options.hpp"
#include "pg/am/inverted/state.hpp"
#include "pg/compat.hpp"
#include "pg/inspect/index_drift.hpp"
#include "pg/inspect/own_index.hpp"
#include "pg/maintain/settings.hpp"
#include "pg/result_row.hpp"

namespace nearest::pg::maintain {

namespace {

/// Below, nothing is gained by getting rid of pages.
constexpr BlockNumber kFewPages = 128;
/// Of the entry table of a graph.
constexpr double kMostEntries = 1024;

/// lists of WITH (...), or 0.
double lists_option(Relation index) { return inverted::options_of(index).lists; }

double pages_of(double things, double per_page) { return std::ceil(things / per_page); }

/// Live rows, as far as VACUUM, ANALYZE or CREATE INDEX have counted them.
double counted_rows(Relation heap, Relation index) {
  if (is_partial(index)) return index->rd_rel->reltuples;
  const double counted = heap->rd_rel->reltuples, pages = heap->rd_rel->relpages;
  if (counted < 0 || pages <= 0) return counted;
  // The table has grown since, or was cut off.
  return counted * (RelationGetNumberOfBlocks(heap) / pages);
}

/// Neither waits nor raises, as nearest_drift would: one damaged index is not to hide others.
template <class Meta>
void fill_drift(Relation index, const Meta& meta, IndexFigures* figures) {
  if (!figures->may_read) return;
  IndexDrift drift;
  if (read_drift(index, meta, &drift) != nullptr) {
    figures->drift = "damaged";
    return;
  }
  const Finding found = judge(drift);
  figures->drift = name_of(found.verdict);
  figures->drift_score = found.score;
}

void fill_graph(Relation index, IndexFigures* figures) {
  const graph::GraphState* const state = graph::try_load_state(index);
  figures->is_usable = state != nullptr;
  figures->is_trained = true;
  figures->is_trainable = true;
  if (state == nullptr) return;
  const format::GraphMeta& meta = state->meta;
  const format::GraphShape& shape = state->shape;
  const double rows = std::max(figures->rows, 0.0);
  // A node per row: equal rows share one, so these are the most.
  figures->needed_pages = 1 + pages_of(meta.dim, shape.floats_per_page()) +
                          pages_of(kMostEntries, shape.entries_per_page()) +
                          pages_of(rows, shape.nodes_per_page);
  fill_drift(index, meta, figures);
}

void fill_inverted(Relation index, IndexFigures* figures) {
  format::InvertedMeta meta{};
  figures->is_usable = inverted::try_load_shape(index, &meta);
  figures->is_trained = figures->is_trainable = true;
  if (!figures->is_usable) return;
  const format::ListShape shape = format::list_shape(meta, BLCKSZ);
  const double dim = meta.dim, lists = meta.lists;
  // Center, codebooks, trained rotation.
  const double books = meta.codec == format::Codec::kProduct ? dim * (1U << meta.bits) : 0;
  const double matrix = meta.rotation == format::Rotation::kTrained ? dim * dim : 0;
  const double floats = dim + books + matrix;
  const double fixed = 1 + pages_of(floats, format::floats_per_page(BLCKSZ)) +
                       2 * pages_of(lists, format::centroids_per_page(meta.dim, BLCKSZ)) +
                       pages_of(format::directory_entries(meta), format::entries_per_page(BLCKSZ));
  figures->is_trained = meta.sample_rows > 0;
  if (!figures->is_trained) {
    // Not counted yet, but so many are on the full pages of its one list.
    if (figures->rows < 0) {
      figures->rows =
          std::floor(std::max(figures->pages - fixed, 0.0) / (1.0 + shape.n_cold)) * shape.slots;
    }
    const double fewest = lists_option(index) > 0 ? lists_option(index)
                                                  : static_cast<double>(core::kFewestTrainingRows);
    figures->is_trainable = figures->rows >= 2 * fewest;  // the count is not exact, NULLs are in it
  }
  // Each list ends on a page of its own, each page with cold ones likewise.
  const double rows = std::max(figures->rows, 0.0);
  const double next_lists = lists_option(index) > 0 ? lists_option(index) : std::sqrt(rows);
  const double hot = pages_of(rows, shape.slots) + next_lists;
  const double cold = shape.n_cold > 0 ? pages_of(rows, shape.cold_per_page) + hot : 0;
  figures->needed_pages = fixed + hot + cold;
  fill_drift(index, meta, figures);
}

bool is_over_deleted(const IndexFigures& figures) {
  const double share = current_maintenance_settings().unused_share;
  return figures.rows >= 0 && figures.pages >= kFewPages &&
         figures.needed_pages <= figures.pages * (1 - share);
}

/// Opens an index of ours and its table, unless somebody has locked them against reading.
bool try_open(Oid oid, Relation* heap, Relation* index) {
  const Oid heap_oid = IndexGetRelation(oid, true);
  *heap = OidIsValid(heap_oid) ? open_at_once(heap_oid) : nullptr;
  if (*heap == nullptr) return false;
  *index = open_at_once(oid);
  if (*index != nullptr) {
    if ((*index)->rd_rel->relkind == RELKIND_INDEX && (*index)->rd_index->indisvalid &&
        !RELATION_IS_OTHER_TEMP(*index) && (is_graph(*index) || is_inverted(*index))) {
      return true;
    }
    relation_close(*index, AccessShareLock);
  }
  relation_close(*heap, AccessShareLock);
  return false;
}

}  // namespace

IndexFigures figures_of(Relation heap, Relation index) {
  IndexFigures figures{};
  figures.pages = RelationGetNumberOfBlocks(index);
  figures.rows = counted_rows(heap, index);
  figures.may_read =
      pg_class_aclcheck(RelationGetRelid(heap), GetUserId(), ACL_SELECT) == ACLCHECK_OK;
  if (is_graph(index)) {
    fill_graph(index, &figures);
  } else {
    fill_inverted(index, &figures);
  }
  return figures;
}

bool may_maintain(Oid table) {
#if PG_VERSION_NUM >= 170000
  return pg_class_aclcheck(table, GetUserId(), ACL_MAINTAIN) == ACLCHECK_OK;
#else
  return is_owner(table, GetUserId());
#endif
}

}  // namespace nearest::pg::maintain

/// nearest_may_maintain(table regclass) -> boolean. Of a table that is gone: for superusers.
NEAREST_FUNCTION(nearest_may_maintain) {
  const Oid table = PG_GETARG_OID(0);
  const bool is_there = SearchSysCacheExists1(RELOID, ObjectIdGetDatum(table));
  PG_RETURN_BOOL(is_there ? nearest::pg::maintain::may_maintain(table) : superuser());
}

/// nearest_index_figures(index regclass) -> one row, or NULL if that is no index of ours, if it is
/// not valid, or if it is locked.
NEAREST_FUNCTION(nearest_index_figures) {
  using namespace nearest::pg::maintain;
  Relation heap, index;
  if (RecoveryInProgress() || !try_open(PG_GETARG_OID(0), &heap, &index)) PG_RETURN_NULL();
  const IndexFigures figures = figures_of(heap, index);
  relation_close(index, AccessShareLock);
  relation_close(heap, AccessShareLock);
  enum {
    kRows,
    kPages,
    kNeededPages,
    kUsable,
    kTrained,
    kTrainable,
    kOverDeleted,
    kDrift,
    kDriftScore,
    kColumns
  };
  nearest::pg::ResultRow<kColumns> result;
  if (figures.rows >= 0) result.set(kRows, Float8GetDatum(figures.rows));
  result.set_count(kPages, figures.pages);
  if (figures.is_usable) {
    result.set_count(kNeededPages, static_cast<std::int64_t>(figures.needed_pages));
  }
  result.set(kUsable, BoolGetDatum(figures.is_usable));
  result.set(kTrained, BoolGetDatum(figures.is_trained));
  result.set(kTrainable, BoolGetDatum(figures.is_trainable));
  result.set(kOverDeleted, BoolGetDatum(figures.is_usable && is_over_deleted(figures)));
  result.set_text(kDrift, figures.drift);
  if (figures.drift != nullptr) result.set(kDriftScore, Float8GetDatum(figures.drift_score));
  return result.finish(fcinfo);
}
