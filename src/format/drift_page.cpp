#include "format/drift_page.hpp"

#include <algorithm>
#include <cmath>

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::format {
namespace {

/// Of so many rows at most.
bool are_sound(const core::FigureMoments& moments, std::uint64_t rows) {
  return std::all_of(std::begin(moments.of), std::end(moments.of), [&](const core::Moments& of) {
    return of.n >= 0 && of.n <= static_cast<double>(rows) && of.n == std::floor(of.n) &&
           of.mean >= 0 && std::isfinite(of.mean) && of.squares >= 0 && std::isfinite(of.squares);
  });
}

bool is_sound(const DriftRow& row, std::uint32_t lists) {
  const bool has_figures = std::all_of(
      std::begin(row.figures.values), std::end(row.figures.values),
      [](float value) { return value == core::kNoFigure || (value >= 0 && std::isfinite(value)); });
  return has_figures && (row.list == 0 || row.list < lists);
}

/// Whether rows of lists, and of no others, are counted.
bool are_counted(const std::uint32_t* in, std::uint32_t lists, std::uint64_t rows) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < core::kListBuckets; ++i) {
    if (in[i] > 0 && i >= core::buckets_of(lists)) return false;
    sum += in[i];
  }
  return lists == 0 || sum == rows;
}

/// Deals out rows in proportion to weights, all of them. in: (kListBuckets)
void deal(std::uint64_t rows, const double* weights, std::uint32_t* in) {
  double sum = 0;
  for (std::size_t i = 0; i < core::kListBuckets; ++i) sum += weights[i];
  double before = 0;
  std::uint64_t dealt = 0;
  for (std::size_t i = 0; i < core::kListBuckets; ++i) {
    before += weights[i];
    const bool is_all = before == sum;  // without any weight the first one
    const std::uint64_t until =
        is_all ? rows : static_cast<std::uint64_t>(static_cast<double>(rows) * (before / sum));
    in[i] = static_cast<std::uint32_t>(std::min(until, rows) - dealt);
    dealt = std::min(until, rows);
  }
}

}  // namespace

void DriftPage::spread(std::uint32_t n_lists, const std::uint64_t* sizes) {
  double weights[core::kListBuckets] = {};
  for (std::uint32_t list = 0; list < n_lists; ++list) {
    weights[core::bucket_of(list, n_lists)] += static_cast<double>(sizes[list]);
  }
  for (DriftRow& row : recent) row.list = row.list < n_lists ? row.list : 0;
  lists = n_lists;
  deal(built_rows, weights, built_in);
  deal(n_before(), weights, before_in);
}

const char* drift_page_fault(ConstPageBytes content, std::size_t used,
                             std::uint32_t lists) noexcept {
  constexpr std::uint64_t kMostRows = std::uint64_t{1} << 48;  // as many as have a place
  const DriftPage& page = *at<DriftPage>(content, 0);
  if (const char* const fault = drift_header_fault(page, used, lists)) return fault;
  if (page.reserved != 0) return "The drift page has content that is not known.";
  if (page.built_rows > kMostRows || page.sampled > kMostRows) {
    return "The drift page has more rows than there can be.";
  }
  if (!are_sound(page.built, page.built_rows) || !are_sound(page.before, page.n_before())) {
    return "The drift page has figures that cannot be.";
  }
  for (const DriftRow& row : page.recent) {
    if (!is_sound(row, page.lists)) return "The drift page has figures that cannot be.";
  }
  if (!are_counted(page.built_in, page.lists, page.built_rows) ||
      !are_counted(page.before_in, page.lists, page.n_before())) {
    return "The drift page has rows in other lists than there are.";
  }
  return nullptr;
}

}  // namespace nearest::format
