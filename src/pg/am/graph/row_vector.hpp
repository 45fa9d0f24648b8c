/// The vector of a row that is about to be indexed.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "common/hashfn.h"
}

#include "core/graph/space.hpp"
#include "pg/type/vector_datum.hpp"

namespace nearest::pg::graph {

/// Where a row belongs.
enum class RowPlace : std::uint8_t { kGraph, kNullRows, kZeroRows };

struct RowVector {
  RowPlace place;
  core::VectorView<float> x;  ///< only for kGraph
  std::uint64_t hash;         ///< of its bytes
};

/// Reads an indexed value; may allocate in the current context. Raises on a wrong dimension.
inline RowVector read_row_vector(core::Metric metric, std::uint32_t dim, Datum value,
                                 bool is_null) {
  if (is_null) return {RowPlace::kNullRows, {}, 0};
  const auto* vector = get_vector<float>(value);
  const core::VectorView<float> x = vector->view();
  check_expected_dim(static_cast<int32>(dim), x.size());
  if (metric == core::Metric::kCosine && !(core::norm_of(x) > 0)) {
    return {RowPlace::kZeroRows, {}, 0};
  }
  // Vectors that are equal in SQL may differ in the signs of zeros: they then only have nodes of
  // their own.
  const std::uint64_t hash = hash_bytes_extended(reinterpret_cast<const unsigned char*>(x.data()),
                                                 static_cast<int>(x.size_bytes()), 0);
  return {RowPlace::kGraph, x, hash};
}

}  // namespace nearest::pg::graph
