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

/// Calls found(j, lower, estimate) for each code whose lower bound is not above limit(), which may
/// fall meanwhile. Nothing is allocated: the block may be on a locked page.
template <class Limit, class Found>
void scan_block_for(const ByteTable& table, std::size_t segments, const ListTerms& list,
                    const CodeBlockView& block, Limit&& limit, Found&& found) {
  std::uint32_t sums[kBlockCodes];
  float estimates[kBlockCodes];
  kernels().table_sums_x32(block.codes, table.entries, segments, sums);
  const float slack = kBoundDeviations * list.distance;
  const float rounding = kBoundDeviations * table.deviation;
  const EstimateTerms terms{list.base, table.offset, table.step, slack, rounding, limit()};
  std::uint32_t mask = kernels().estimate_x32(sums, block.factors, terms, estimates);
  if (block.n < kBlockCodes) mask &= (1U << block.n) - 1U;
  for (; mask != 0; mask &= mask - 1) {
    const auto j = static_cast<std::size_t>(std::countr_zero(mask));
    const float width = slack * block.factors.error[j] + rounding * block.factors.b[j];
    const float lower = estimates[j] - width;
    // The limit may have fallen since the block was begun.
    if (lower <= limit()) found(j, lower, estimates[j]);
  }
}

/// The same into survivors; `place_of(j)` says where code j is.
template <class T, class PlaceOf>
void scan_block(const ByteTable& table, std::size_t segments, const ListTerms& list,
                const CodeBlockView& block, Survivors<T>& survivors, PlaceOf&& place_of) {
  scan_block_for(
      table, segments, list, block, [&] { return survivors.limit(); },
      [&](std::size_t j, float lower, float estimate) {
        survivors.add(lower, estimate, place_of(j));
      });
}

}  // namespace nearest::core
