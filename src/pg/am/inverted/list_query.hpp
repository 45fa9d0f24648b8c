/// A query as lists see it: where it lies, what it makes of hot codes, and what of cold ones.
///
/// Keys are what hot and cold codes have in common, and rows are ordered by: |q - x|² of the points
/// in units², or -<q, x> in units² for inner product.
#pragma once

#include "pg/postgres.hpp"

#include "core/ivf/scan_block.hpp"
#include "pg/am/inverted/centroids.hpp"
#include "pg/am/inverted/list_pages.hpp"

namespace nearest::pg::inverted {

/// A list that a scan probes.
struct ProbedList {
  RankedList ranked;
  format::ListEntry entry;
  core::ListTerms terms;  ///< of hot codes
};

/// A cold code on its page, or a copy.
struct ColdCode {
  const format::CodeHeader* header;  ///< the code's bytes are behind it
  const std::uint8_t*
      hot_row;  ///< (row_bytes) of the hot code: only if levels have their signs there

  const std::uint8_t* bytes() const { return reinterpret_cast<const std::uint8_t*>(header + 1); }
};

class ListQuery {
 public:
  /// Prepares a query. Memory comes from the current context. Not for zero vectors under cosine.
  void prepare(const InvertedState* state, core::VectorView<float> q);

  RankedPoint ranked_point() const { return {&scored_code_, is_product()}; }
  core::ListTerms terms_of(const RankedList& ranked) const {
    return {ranked.base - shift_, ranked.distance * state_->meta.error_ratio,
            format::has_vectors(state_->meta) ? core::kSureDeviations : core::kBoundDeviations};
  }

  const core::ByteTable& table() const { return table_; }
  /// (segments, 256) products with what symbols of 8 bits stand for.
  const float* byte_products() const { return byte_products_; }

  /// True lower bound of the operator's result for a row of a list. Allocates nothing, for codes
  /// may be on a locked page; damaged ones give some number.
  double bound(const RankedList& list, const ColdCode& cold) const;

  /// The key of what the operator returns, or of a bound of it.
  double key_of(double result) const;
  core::VectorView<float> vector() const { return q_; }

 private:
  bool is_product() const { return state_->meta.metric == core::Metric::kInnerProduct; }
  void prepare_table();
  /// Products of a code's z with the query's code, and Σ z².
  struct ColdSums {
    double product, square;
  };
  ColdSums cold_sums(const ColdCode& cold) const;
  double product_bound(const RankedList& list, const ColdCode& cold, const ColdSums& sums) const;

  const InvertedState* state_ = nullptr;
  core::VectorView<float> q_;
  core::QueryPoint point_{};
  const float* scored_ = nullptr;  ///< (dim) what hot codes and centroids are scored with
  core::ScalarQuery scored_code_{};
  std::int64_t code_sum_ = 0;  ///< Σ z of the query's code
  float shift_ = 0;            ///< for inner product: what the center adds to every product
  core::ByteTable table_{};
  const float* byte_products_ = nullptr;
  std::int8_t* levels_ = nullptr;      ///< (dim) work space for levels
  std::uint8_t* level_row_ = nullptr;  ///< and for their signs
};

}  // namespace nearest::pg::inverted
