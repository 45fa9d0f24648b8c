/// Which codes of a block of one list may be of interest, by their bounds.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

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
  float base;                           ///< |q - c|², or -<q, c> for products
  float distance;                       ///< |q - c|, times the index's ErrorRatio
  float deviations = kBoundDeviations;  ///< how wide bounds are
};

/// Calls found(j, lower) for each code whose lower bound is not above limit(), which may
/// fall meanwhile. Nothing is allocated: the block may be on a locked page.
template <class Limit, class Found>
void scan_block(const ByteTable& table, std::size_t segments, const ListTerms& list,
                const CodeBlockView& block, Limit&& limit, Found&& found) {
  std::uint32_t sums[kBlockCodes];
  float bounds[kBlockCodes];
  kernels().table_sums_x32(block.codes, table.entries, segments, sums);
  const float slack = list.deviations * list.distance;
  const float rounding = list.deviations * table.deviation;
  const EstimateTerms terms{list.base, table.offset, table.step, slack, rounding, limit()};
  std::uint32_t mask = kernels().estimate_x32(sums, block.factors, terms, bounds);
  if (block.n < kBlockCodes) mask &= (1U << block.n) - 1U;
  for (; mask != 0; mask &= mask - 1) {
    const auto j = static_cast<std::size_t>(std::countr_zero(mask));
    // The limit may have fallen since the block was begun.
    if (bounds[j] <= limit()) found(j, bounds[j]);
  }
}

}  // namespace nearest::core
