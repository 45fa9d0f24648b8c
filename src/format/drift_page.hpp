/// The drift page of an index: what the rows were like that it was built on, and those since.
///
///     | DriftPage | ... free ... |
///
/// One inserted row in kDriftInterval is sampled. The last kRecentRows of them are there one by
/// one, so that adding a row changes some twenty bytes; when all have been replaced, they are added
/// to the sums of those before.
#pragma once

#include "core/drift/figures.hpp"
#include "core/random.hpp"
#include "format/page.hpp"

namespace nearest::format {

/// Which rows are sampled follows from where they are in the table, so that tests repeat.
inline constexpr std::uint64_t kDriftInterval = 16;

constexpr bool is_drift_sampled(const Tid& tid) {
  const std::uint64_t place =
      std::uint64_t{tid.block_high} << 32 | std::uint64_t{tid.block_low} << 16 | tid.offset;
  return core::mix_bits((place + 1) * core::kRandomStep) % kDriftInterval == 0;
}

struct DriftRow {
  core::RowFigures figures;
  std::uint32_t list;  ///< 0 in a graph
};
static_assert(sizeof(DriftRow) == 20);

inline constexpr std::uint32_t kRecentRows = 64;

struct DriftPage {
  std::uint32_t lists;  ///< 0 in a graph
  std::uint32_t reserved;
  std::uint64_t built_rows;  ///< whose figures are known
  std::uint64_t sampled;     ///< inserted since; the last of them are recent
  core::FigureMoments built;
  core::FigureMoments before;  ///< of sampled rows that are recent no more
  std::uint32_t built_in[core::kListBuckets];
  std::uint32_t before_in[core::kListBuckets];
  DriftRow recent[kRecentRows];  ///< the i-th sampled row is at i % kRecentRows

  /// Sampled rows that are in the sums.
  std::uint64_t n_before() const {
    return sampled == 0 ? 0 : (sampled - 1) / kRecentRows * kRecentRows;
  }
  std::uint32_t n_recent() const { return static_cast<std::uint32_t>(sampled - n_before()); }

  void add(const DriftRow& row) {
    const std::uint32_t place = static_cast<std::uint32_t>(sampled % kRecentRows);
    if (place == 0 && sampled > 0) add_recent(before, before_in);
    recent[place] = row;
    if (row.list >= lists && lists > 0) recent[place].list = row.list % lists;  // one that is newer
    sampled += 1;
  }

  /// Counts rows anew, by how many rows other lists have that took the place of those before: how
  /// unevenly rows lie is a matter of these. sizes: (n_lists).
  void spread(std::uint32_t n_lists, const std::uint64_t* sizes);

  /// Adds the recent rows to sums.
  void add_recent(core::FigureMoments& sums, std::uint32_t* in) const {
    for (std::uint32_t i = 0; i < n_recent(); ++i) {
      sums.add(recent[i].figures);
      if (recent[i].list < lists) in[core::bucket_of(recent[i].list, lists)] += 1;
    }
  }
};
static_assert(sizeof(DriftPage) == 24 + 2 * 96 + 2 * 512 + 1280 &&
              std::is_trivially_copyable_v<DriftPage>);
static_assert(sizeof(DriftPage) <= content_bytes(4096));

/// What would make adding a row to a drift page unsafe, or null. used: content bytes, as the page's
/// header says; lists: of the index, 0 for a graph. Those of the page may be of a moment before
/// lists were split, or after.
inline const char* drift_header_fault(const DriftPage& page, std::size_t used,
                                      std::uint32_t lists) {
  if (used != sizeof page) return "The drift page has not the length of its content.";
  return (page.lists == 0) == (lists == 0) ? nullptr : "The drift page is not one of this index.";
}

/// All that can be wrong with the content of one.
const char* drift_page_fault(ConstPageBytes content, std::size_t used,
                             std::uint32_t lists) noexcept;

}  // namespace nearest::format
