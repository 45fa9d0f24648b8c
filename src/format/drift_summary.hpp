/// What a drift page says: figures of the rows of the build beside those of inserted ones.
#pragma once

#include "core/drift/verdict.hpp"
#include "format/drift_page.hpp"

namespace nearest::format {

struct DriftSummary {
  core::FigureMoments inserted;   ///< sampled rows, recent ones included
  core::FigureMoments recent;     ///< the last up to kRecentRows of them
  double scores[core::kFigures];  ///< of each figure
  double built_imbalance;         ///< NaN without lists, or without rows in them
  double inserted_imbalance;      ///< likewise
  double imbalance_score;
};

/// About how many rows were inserted.
inline std::uint64_t inserted_rows(const DriftPage& page) { return page.sampled * kDriftInterval; }

/// page: without a fault.
inline DriftSummary summarize(const DriftPage& page) {
  constexpr auto kScale = static_cast<double>(kDriftInterval);
  DriftSummary summary{};
  summary.inserted = page.before;
  std::uint32_t inserted_in[core::kListBuckets];
  std::copy(std::begin(page.before_in), std::end(page.before_in), inserted_in);
  page.add_recent(summary.inserted, inserted_in);
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(page.sampled, kRecentRows); ++i) {
    summary.recent.add(page.recent[i].figures);
  }
  for (std::size_t i = 0; i < core::kFigures; ++i) {
    const auto figure = static_cast<core::Figure>(i);
    const core::Moments& built = page.built.of[i];
    summary.scores[i] = std::max(core::shift_score(figure, built, summary.inserted.of[i]),
                                 core::shift_score(figure, built, summary.recent.of[i]));
  }
  const std::size_t n = core::buckets_of(page.lists);
  summary.built_imbalance = core::imbalance(page.built_in, nullptr, n, kScale);
  summary.inserted_imbalance = core::imbalance(nullptr, inserted_in, n, kScale);
  const bool is_telling = static_cast<double>(page.built_rows) >= core::kFewestBuilt &&
                          static_cast<double>(page.sampled) >= core::kFewestInserted;
  if (is_telling) {
    summary.imbalance_score = core::imbalance_score(
        summary.built_imbalance, core::imbalance(page.built_in, inserted_in, n, kScale));
  }
  return summary;
}

}  // namespace nearest::format
