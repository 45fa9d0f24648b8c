/// Scores one block of codes of one list into survivors.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "core/ivf/survivors.hpp"
#include "core/kernels/table.hpp"
#include "core/quantize/code_block.hpp"
#include "core/quantize/estimator.hpp"
#include "core/quantize/query_table.hpp"

namespace nearest::core {

/// A block of up to 32 codes, as a page holds it. Borrowed memory.
struct CodeBlockView {
  const std::uint8_t* codes;  ///< (segments, 16)
  CodeFactors32 factors;      ///< (32) each; behind the n-th, any number
  std::size_t n;
};

/// What one query and one list have in common.
struct ListTerms {
  float base;      ///< |q - c|², or -<q, c> for products
  float distance;  ///< |q - c|, times the index's ErrorRatio
};

/// `place_of(j)` says where code j is. Nothing is allocated: the block may be on a locked page.
template <class T, class PlaceOf>
void scan_block(const ByteTable& table, std::size_t segments, const ListTerms& list,
                const CodeBlockView& block, Survivors<T>& survivors, PlaceOf&& place_of) {
  std::uint32_t sums[kBlockCodes];
  float estimates[kBlockCodes];
  kernels().table_sums_x32(block.codes, table.entries, segments, sums);
  const float slack = kBoundDeviations * list.distance;
  const float rounding = kBoundDeviations * table.deviation;
  const EstimateTerms terms{list.base, table.offset, table.step,
                            slack,     rounding,     survivors.limit()};
  std::uint32_t mask = kernels().estimate_x32(sums, block.factors, terms, estimates);
  if (block.n < kBlockCodes) mask &= (1U << block.n) - 1U;
  for (; mask != 0; mask &= mask - 1) {
    const auto j = static_cast<std::size_t>(std::countr_zero(mask));
    const float width = slack * block.factors.error[j] + rounding * block.factors.b[j];
    const float lower = estimates[j] - width;
    // The limit may have fallen since the block was begun.
    if (lower <= survivors.limit()) survivors.add(lower, estimates[j], place_of(j));
  }
}

}  // namespace nearest::core
