/// The vector of a row that is about to be indexed.
#pragma once

#include "pg/postgres.hpp"

#include "format/inverted_meta.hpp"
#include "pg/type/vector_datum.hpp"

namespace nearest::pg::inverted {

struct RowVector {
  core::VectorView<float> x;  ///< empty for rows without a place among vectors
  bool is_null;               ///< those are NULL, or else zero vectors under cosine

  bool has_place() const { return !x.empty(); }
  /// The list of a row without a place.
  std::uint32_t list(const format::InvertedMeta& meta) const {
    return is_null ? format::null_rows_list(meta) : format::zero_rows_list(meta);
  }
};

/// Reads an indexed value; may allocate in the current context. Raises on a wrong dimension.
inline RowVector read_row_vector(const format::InvertedMeta& meta, Datum value, bool is_null) {
  if (is_null) return {{}, true};
  const core::VectorView<float> x = get_vector<float>(value)->view();
  check_expected_dim(static_cast<int32>(meta.dim), x.size());
  if (meta.metric == core::Metric::kCosine && !(core::norm_of(x) > 0)) return {{}, false};
  return {x, false};
}

}  // namespace nearest::pg::inverted
