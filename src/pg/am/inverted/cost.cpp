#include "pg/am/inverted/cost.hpp"

extern "C" {
#include "access/genam.h"
#include "utils/rel.h"
}

#include <algorithm>
#include <cmath>

#include "core/ivf/rank_lists.hpp"
#include "pg/am/common/path_cost.hpp"
#include "pg/am/inverted/probes.hpp"
#include "pg/am/inverted/state.hpp"
#include "pg/models/stale.hpp"

namespace nearest::pg::inverted {
namespace {

// What a scan does, as nearest_last_scan() counts it; see bench/README.md.
constexpr double kRefinedPerRow = 1.8;  // rows refined for a row read: 1 to 2
constexpr double kRefinedAhead = 16;
constexpr double kRowsPerRow = 1.15;  // heap rows read for a row returned
constexpr double kRowsAhead = 3;

// CPU, in units of cpu_operator_cost, which are about 5 ns each (pg/type/distance_cost.cpp).
constexpr double kScanCost = 3000;           // 15 us: state, query table, memory contexts
constexpr double kListCost = 100;            // directory, first page
constexpr double kCentroidCost = 2;          // and for each dimension:
constexpr double kCentroidDimCost = 0.006;   // 8-bit codes: bench/kernels.cpp
constexpr double kCodeCost = 0.3;            // estimate of a hot code, and for each segment:
constexpr double kCodeSegmentCost = 0.0012;  // 4 bits in blocks of 32
constexpr double kRefineCost = 60;           // pins, and for each dimension:
constexpr double kRefineDimCost = 0.05;
constexpr double kVectorDimCost = 0.006;  // of a vector instead of a code

/// Up to this many rows, a scan whose limit is not known should be priced rightly; and as many are
/// supposed for LIMIT $1.
constexpr double kRowsOfInterest = 1000, kUsualRows = 40;

/// Pages of the index.
struct PagesRead {
  double centroids;
  double lists;  ///< that are read
  double hot, cold;
  double cold_of_lists;  ///< all cold pages of these

  double all() const { return centroids + hot + cold; }
};

/// What scans of one index cost in one query.
struct Model {
  format::InvertedMeta meta;
  format::ListShape shape;
  double probes;
  PathFacts facts;

  bool has_vectors() const { return format::has_vectors(meta); }
  bool is_estimated() const {
    const bool is_complete = meta.lists == 1 || (has_vectors() && probes >= meta.lists);
    return !is_complete && meta.sample_rows > 0;
  }

  double read_rows(double wanted) const {
    return std::min(facts.rows, kRowsPerRow * wanted + kRowsAhead);
  }
  /// The part of the lists that has so many rows, or all that are probed.
  double part_of_lists(double wanted) const {
    return std::min(1.0, std::max(probes / meta.lists, read_rows(wanted) / facts.rows));
  }
  double centroids() const {
    if (!core::is_trained_by_groups(meta.lists)) return meta.lists;
    const double scored = std::max<double>(core::kFewestScored, core::kScoredPerProbe * probes);
    return std::min<double>(meta.lists, meta.groups + scored);
  }
  /// Rows whose cold codes are read.
  double refined(double wanted) const {
    if (!is_estimated()) return facts.rows * part_of_lists(wanted);
    return std::min(facts.rows, kRefinedPerRow * read_rows(wanted) + kRefinedAhead);
  }

  /// What one scan alone reads of the index.
  PagesRead pages_read(double wanted) const {
    const double part = part_of_lists(wanted);
    const double hot_pages = facts.rows / shape.slots + 0.5 * meta.lists;
    PagesRead read{};
    if (meta.lists > 1) {
      read.centroids = centroids() / format::centroids_per_page(meta.dim, BLCKSZ);
    }
    read.lists = part * meta.lists;
    read.hot = part * hot_pages;
    if (shape.cold_bytes > 0) {
      // Of the probed lists: a cold page belongs to a list page.
      read.cold_of_lists = std::max(1.0, part * (facts.index_pages - hot_pages));
      read.cold = read.cold_of_lists * -std::expm1(-refined(wanted) / read.cold_of_lists);
    }
    return read;
  }

  double pages(double wanted) const {
    return pages_in_loop(facts, std::min(facts.index_pages, pages_read(wanted).all()));
  }

  /// Pages of a list lie behind one another. Of cold pages the more, the more of them are read, as
  /// the planner supposes of bitmap scans.
  Cost pages_cost(double wanted) const {
    const PagesRead read = pages_read(wanted);
    const Cost apart = facts.page_cost, behind = std::min(apart, facts.next_page_cost);
    const double first = std::min(read.hot, read.lists);
    const Cost cold =
        read.cold == 0 ? 0 : apart - (apart - behind) * std::sqrt(read.cold / read.cold_of_lists);
    const Cost one_scan =
        first * apart + (read.hot - first + read.centroids) * behind + read.cold * cold;
    return one_scan * pages(wanted) / std::max(read.all(), 1.0);
  }

  Cost search_cost(double wanted) const {
    const double part = part_of_lists(wanted);
    const double per_code = kCodeCost + kCodeSegmentCost * meta.segments;
    const double per_dim = has_vectors() ? kVectorDimCost : kRefineDimCost;
    const double operators = kScanCost +
                             centroids() * (kCentroidCost + kCentroidDimCost * meta.dim) +
                             part * meta.lists * kListCost + part * facts.rows * per_code +
                             refined(wanted) * (kRefineCost + per_dim * meta.dim);
    return pages_cost(wanted) + cpu_operator_cost * operators;
  }

  Cost until(double wanted) const {
    const double read = has_vectors() ? wanted : read_rows(wanted);
    return search_cost(wanted) + cost_of_rows(facts, read, wanted);
  }
};

/// What costs depend on, of an index that can and may be scanned; false otherwise.
bool read_shape(const IndexOptInfo* index, Model* model) {
  Relation relation = index_open(index->indexoid, NoLock);  // the planner holds a lock
  const bool is_usable = try_load_shape(relation, &model->meta) &&
                         !models::is_avoided(relation, model->meta.model_stamp);
  if (is_usable) model->shape = format::list_shape(model->meta, BLCKSZ);
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
      !read_shape(path->indexinfo, &model) ||
      (facts.is_order_used && !keeps_order(model.meta, settings))) {
    cost_out(path, cost);
    return;
  }
  model.probes = static_cast<double>(probes_of(model.meta, settings).first);
  draw_cost(model, kUsualRows, kRowsOfInterest, cost);
}

}  // namespace nearest::pg::inverted
