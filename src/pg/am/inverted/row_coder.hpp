/// What lists hold of a row: builds and inserts make it in the same way.
///
/// Touches plain memory only, so threads may run it.
#pragma once

#include "pg/postgres.hpp"

#include "core/drift/figures.hpp"
#include "core/quantize/estimator.hpp"
#include "pg/am/inverted/state.hpp"

namespace nearest::pg::inverted {

/// What of codes is estimated: for inner product -<q, x> of the points with the center put back, as
/// factors are of points; otherwise |q - x|².
constexpr core::EstimateOf estimate_of(core::Metric metric) {
  return metric == core::Metric::kInnerProduct ? core::EstimateOf::kNegativeProduct
                                               : core::EstimateOf::kSquaredDistance;
}

/// Factors of a row of which nothing is known: every bound reaches it.
inline constexpr core::CodeFactors kUnknownFactors = {0, 0, std::numeric_limits<float>::max()};

/// A row as it goes into a list: | ColdHeader, what refines it | CodeFactors | hot code |. The TID
/// of the cold header is the caller's business.
struct RecordShape {
  std::size_t factors_offset, code_offset, bytes;

  explicit RecordShape(const format::ListShape& shape)
      : factors_offset(shape.cold_bytes),
        code_offset(factors_offset + sizeof(core::CodeFactors)),
        bytes(format::align_up(code_offset + shape.row_bytes, 4)) {}
};

/// A vector's point.
struct PlacedRow {
  double error;  ///< bound of |y - exact|; infinite if nothing can be promised of the row
  float norm;    ///< |x| in units, rounded up; inner product only
};

/// Borrows the state.
class RowCoder {
 public:
  explicit RowCoder(const InvertedState& state) : state_(&state), record_(state.shape) {}

  const RecordShape& record() const { return record_; }
  /// Work memory of encode, in floats.
  std::size_t work_floats() const { return 3 * std::size_t{state_->meta.dim} + 16; }

  /// Where a vector lies: y: (dim), turned. Not for zero vectors under cosine.
  PlacedRow place(core::VectorView<float> x, float* y) const;

  /// The record of a row of a list. x, y: (dim) the vector and its point; centroid: (dim) what the
  /// list's code stands for; record: (record().bytes), aligned for floats; all of it is written.
  void encode(core::VectorView<float> x, const PlacedRow& placed, const float* y,
              const float* centroid, float* work, std::byte* record) const;

  /// Where a row lies by its record, as far as its cold code tells: y: (dim), turned. centroid: of
  /// its list. The vector itself, if the index has it, is placed again; x becomes that. Not without
  /// cold codes.
  PlacedRow decode(const std::byte* record, const float* centroid, core::VectorView<float>* x,
                   float* y) const;

  /// What the drift page is told of a row. record: as encode() left it.
  core::RowFigures figures(core::VectorView<float> x, const PlacedRow& placed, const float* y,
                           const float* centroid, const std::byte* record) const;

 private:
  void encode_residual(const PlacedRow& placed, std::span<const float> r, const float* centroid,
                       float* decoded, std::byte* record) const;
  void encode_refinement(const PlacedRow& placed, std::span<const float> r, const float* centroid,
                         float* decoded, std::byte* record) const;
  void decode_cold(const format::CodeHeader& header, const std::uint8_t* hot, float* r) const;
  core::ScalarCode encode_cold(std::span<const float> r, float* decoded, std::int8_t* z,
                               std::uint8_t* hot, std::uint8_t* cold) const;

  const InvertedState* state_;
  RecordShape record_;
};

}  // namespace nearest::pg::inverted
