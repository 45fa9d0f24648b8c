#include "pg/inspect/index_drift.hpp"

#include <algorithm>

#include "pg/am/common/drift_sample.hpp"
#include "pg/am/inverted/options.hpp"
#include "pg/settings.hpp"

namespace nearest::pg {
namespace {

/// What follows from the page alone.
void complete(IndexDrift* drift) {
  const auto built = static_cast<double>(drift->page.built_rows);
  if (built < core::kFewestBuilt) drift->is_trained = false;
  // Not the table's count: rows without vectors and equal ones would never be enough.
  drift->rows = built + static_cast<double>(format::inserted_rows(drift->page));
  drift->summary = format::summarize(drift->page);
}

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

}  // namespace

const char* read_drift(Relation index, const format::GraphMeta& meta, IndexDrift* drift) {
  const char* const fault = try_read_drift_page(index, meta.drift_block, 0, &drift->page);
  if (fault != nullptr) return fault;
  drift->metric = meta.metric;
  drift->is_trained = true;
  drift->needed_rows = core::kFewestBuilt;
  complete(drift);
  return nullptr;
}

const char* read_drift(Relation index, const format::InvertedMeta& meta, IndexDrift* drift) {
  const char* const fault = try_read_drift_page(index, meta.drift_block, meta.lists, &drift->page);
  if (fault != nullptr) return fault;
  drift->metric = meta.metric;
  drift->is_trained = meta.sample_rows > 0;
  drift->needed_rows =
      std::max(core::kFewestBuilt, static_cast<double>(inverted::options_of(index).lists));
  complete(drift);
  return nullptr;
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

const char* name_of(core::Verdict verdict) {
  constexpr const char* kNames[] = {"ok", "untrained", "watch", "retrain"};
  return kNames[static_cast<std::size_t>(verdict)];
}

}  // namespace nearest::pg
