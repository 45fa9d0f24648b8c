/// A query as lists see it: where it lies, what it makes of hot codes, and what of cold ones.
///
/// Keys are what hot and cold codes have in common, and rows are ordered by: |q - x|² of the points
/// in units², or -<q, x> in units² for inner product. Flat vectors have the operator's own result.
#pragma once

#include "pg/postgres.hpp"

#include "core/ivf/scan_block.hpp"
#include "pg/am/inverted/centroids.hpp"
#include "pg/am/inverted/list_pages.hpp"

namespace nearest::pg::inverted {

/// A list that a scan probes. Of a batch of lists, which share their memory.
struct ProbedList {
  std::uint32_t list;
  format::ListEntry entry;
  core::ListTerms terms;  ///< of hot codes

  // What cold codes of the list are scored with; made when the first one is.
  bool is_prepared;
  core::ScalarQuery query;  ///< of q - ĉ; for inner product of q
  std::int64_t query_sum;   ///< Σ z of it
  const float* u;           ///< (dim) the same as floats
  double error;             ///< bound of what is wrong with it
  double product;           ///< <q, ĉ>: inner product only
  double centroid_norm;     ///< |ĉ|: inner product only
};

/// A cold code on its page, or a copy.
struct ColdCode {
  core::ScalarCode code;
  core::PointTraits traits;
  const std::uint8_t* bytes;  ///< (cold_bytes - sizeof(ColdHeader))
  const std::uint8_t*
      hot_row;  ///< (row_bytes) of the hot code: only if levels have their signs there
};

class ListQuery {
 public:
  /// Prepares a query. Memory comes from the current context. Not for zero vectors under cosine.
  void prepare(const InvertedState* state, core::VectorView<float> q);

  RankedPoint ranked_point() const { return {&scored_code_, is_product()}; }
  core::ListTerms terms_of(const RankedList& ranked) const {
    return {ranked.base - shift_, ranked.distance * state_->meta.error_ratio};
  }

  const core::ByteTable& table() const { return table_; }
  /// (segments, 256) products with what symbols of 8 bits stand for.
  const float* byte_products() const { return byte_products_; }

  /// Makes a list ready for bound(). Memory comes from the current context.
  void prepare_list(const Centroids& centroids, ProbedList* list) const;
  /// True lower bound of the operator's result for a row of a prepared list. Allocates nothing, for
  /// codes may be on a locked page; damaged ones give some number.
  double bound(const ProbedList& list, const ColdCode& cold) const;

  /// The key of what the operator returns, or of a bound of it.
  double key_of(double result) const;
  core::VectorView<float> vector() const { return q_; }

 private:
  bool is_product() const { return state_->meta.metric == core::Metric::kInnerProduct; }
  void prepare_table();
  /// What the code's z are: products with the query's code, in its steps, and Σ z².
  struct ColdSums {
    double product, square;
  };
  ColdSums cold_sums(const ProbedList& list, const ColdCode& cold) const;

  const InvertedState* state_ = nullptr;
  core::VectorView<float> q_;
  core::QueryPoint point_{};
  const float* scored_ = nullptr;  ///< (dim) what hot codes and centroids are scored with
  core::ScalarQuery scored_code_{};
  float shift_ = 0;  ///< for inner product: what the center adds to every product
  core::ByteTable table_{};
  const float* byte_products_ = nullptr;
  std::int8_t* levels_ = nullptr;      ///< (dim) work space for levels
  std::uint8_t* level_row_ = nullptr;  ///< and for their signs
};

}  // namespace nearest::pg::inverted
