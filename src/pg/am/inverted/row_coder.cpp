#include "pg/am/inverted/row_coder.hpp"

#include <cmath>

#include "core/quantize/half_code.hpp"
#include "core/quantize/sign_code.hpp"

namespace nearest::pg::inverted {
namespace {

constexpr double kNowhere = std::numeric_limits<double>::infinity();
constexpr std::size_t kMostRowBytes = 2048;  // of signs
constexpr std::size_t kMostLevels = 8 * kMostRowBytes;

}  // namespace

PlacedRow RowCoder::place(core::VectorView<float> x, float* y) const {
  const core::GraphSpace& space = state_->space;
  const bool is_cosine = space.metric == core::Metric::kCosine;
  const double norm = core::norm_of(x);
  double size = is_cosine ? 1 : norm;
  if (!is_cosine && !(norm <= core::longest_coded(space))) size = kNowhere;
  PlacedRow placed{core::place_scaled(space, x, is_cosine ? 1 / norm : 1, size, y), 0};
  if (space.metric == core::Metric::kInnerProduct) {
    placed.norm = core::round_up(norm / space.unit);
  }
  // The operator sums squares in float32: for vectors this short or long its result can be
  // anything.
  if (is_cosine && !(norm > 1e-15 && norm < 1e15)) placed.error = kNowhere;
  return placed;
}

void RowCoder::encode(core::VectorView<float> x, const PlacedRow& placed, const float* y,
                      const float* centroid, float* work, std::byte* record) const {
  const std::size_t dim = x.size();
  std::memset(record, 0, record_.bytes);
  float* const r = work;
  float* const decoded = r + dim;
  for (std::size_t i = 0; i < dim; ++i) r[i] = y[i] - centroid[i];
  if (format::has_vectors(state_->meta)) {
    std::memcpy(record + sizeof(format::ColdHeader), x.data(), x.size_bytes());
  } else if (state_->shape.cold_bytes > 0) {
    encode_refinement(placed, {r, dim}, centroid, decoded, record);
  }
  encode_residual(placed, {r, dim}, centroid, decoded, record);
}

PlacedRow RowCoder::decode(const std::byte* record, const float* centroid,
                           core::VectorView<float>* x, float* y) const {
  const std::size_t dim = state_->meta.dim;
  if (format::has_vectors(state_->meta)) {
    *x = {reinterpret_cast<const float*>(record + sizeof(format::ColdHeader)), dim};
    return place(*x, y);
  }
  const auto& header =
      *reinterpret_cast<const format::CodeHeader*>(record + sizeof(format::ColdHeader));
  decode_cold(header, reinterpret_cast<const std::uint8_t*>(record + record_.code_offset), y);
  double squares = 0, centroid_squares = 0;
#pragma omp simd reduction(+ : squares, centroid_squares)
  for (std::size_t i = 0; i < dim; ++i) {
    squares += static_cast<double>(y[i]) * y[i];
    centroid_squares += static_cast<double>(centroid[i]) * centroid[i];
    y[i] += centroid[i];
  }
  *x = {y, dim};
  // What was coded is lost, and what the products and the sum round.
  const double rounded =
      4 * core::kUnitRoundoff * (std::sqrt(squares) + std::sqrt(centroid_squares));
  return {static_cast<double>(header.code.error) + rounded, header.traits.norm};
}

core::RowFigures RowCoder::figures(core::VectorView<float> x, const PlacedRow& placed,
                                   const float* y, const float* centroid,
                                   const std::byte* record) const {
  core::RowFigures figures;
  figures.set(core::Figure::kNorm, core::norm_of(x));
  if (placed.error == kNowhere) return figures;
  double squared = 0;
#pragma omp simd reduction(+ : squared)
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double r = static_cast<double>(y[i]) - static_cast<double>(centroid[i]);
    squared += r * r;
  }
  const double length = std::sqrt(squared);
  figures.set(core::Figure::kCentroidDistance, length * state_->space.unit);
  core::CodeFactors factors;
  std::memcpy(&factors, record + record_.factors_offset, sizeof factors);
  figures.set(core::Figure::kCodeError,
              core::error_of(estimate_of(state_->meta.metric), factors, length, x.size()));
  return figures;
}

/// The cold code, what it loses, and the signs of the hot one where levels have them.
void RowCoder::encode_refinement(const PlacedRow& placed, std::span<const float> r,
                                 const float* centroid, float* decoded, std::byte* record) const {
  const std::size_t dim = r.size();
  auto* const hot = reinterpret_cast<std::uint8_t*>(record + record_.code_offset);
  auto& header = *reinterpret_cast<format::CodeHeader*>(record + sizeof(format::ColdHeader));
  auto* const cold = reinterpret_cast<std::uint8_t*>(&header + 1);
  header.code = encode_cold(r, decoded, reinterpret_cast<std::int8_t*>(decoded + dim), hot, cold);
  double lost = 0, length = 0;
#pragma omp simd reduction(+ : lost, length)
  for (std::size_t i = 0; i < dim; ++i) {
    const double rest = static_cast<double>(r[i]) - static_cast<double>(decoded[i]);
    lost += rest * rest;
    length += static_cast<double>(r[i]) * static_cast<double>(r[i]);
  }
  const bool is_product = state_->space.metric == core::Metric::kInnerProduct;
  const float* const other = is_product ? state_->space.rotated_center : centroid;
  double product = 0;
  if (other != nullptr) {
#pragma omp simd reduction(+ : product)
    for (std::size_t i = 0; i < dim; ++i) {
      product += static_cast<double>(other[i]) * static_cast<double>(decoded[i]);
    }
  }
  // The subtraction of the centroid and the product of scale and z were rounded, too.
  header.code.error =
      core::round_up(std::sqrt(lost) + placed.error + 4 * core::kUnitRoundoff * std::sqrt(length));
  if (is_product) {
    header.traits = {placed.norm, static_cast<float>(product / state_->space.unit)};
  } else {
    header.centroid_product = static_cast<float>(product);
  }
}

/// The hot code, unless levels have its signs, and its factors.
void RowCoder::encode_residual(const PlacedRow& placed, std::span<const float> r,
                               const float* centroid, float* decoded, std::byte* record) const {
  const format::InvertedMeta& meta = state_->meta;
  const std::size_t dim = r.size();
  auto* const hot = reinterpret_cast<std::uint8_t*>(record + record_.code_offset);
  if (meta.codec == format::Codec::kProduct) {
    core::encode_product_rows(state_->books, {r.data(), 1, dim}, hot);
    core::decode_product(state_->books, hot, decoded);
  } else {
    const std::size_t coded = std::min<std::size_t>(dim, std::size_t{4} * meta.segments);
    if (meta.refine != format::Refine::kExtraBits) core::encode_sign_row(r.first(coded), hot);
    core::decode_sign_row(hot, coded, decoded);
    std::fill(decoded + coded, decoded + dim, 0.0F);  // not in the code
  }
  const core::CodeFactors factors =
      placed.error == kNowhere
          ? kUnknownFactors
          : core::make_factors(estimate_of(meta.metric),
                               core::ResidualSums::of(r.data(), decoded, centroid, dim), dim);
  std::memcpy(record + record_.factors_offset, &factors, sizeof factors);
}

/// What a cold code stands for.
void RowCoder::decode_cold(const format::CodeHeader& header, const std::uint8_t* hot,
                           float* r) const {
  const format::InvertedMeta& meta = state_->meta;
  const std::size_t dim = meta.dim;
  const auto* const cold = reinterpret_cast<const std::uint8_t*>(&header + 1);
  const float scale = header.code.scale;
  switch (meta.refine) {
    case format::Refine::kNone:
    case format::Refine::kFloat:
      std::fill_n(r, dim, 0.0F);
      break;
    case format::Refine::kScalar:
      core::decode_scalar({reinterpret_cast<const std::int8_t*>(cold), dim}, scale, r);
      break;
    case format::Refine::kHalf: {
      const auto* const halves = reinterpret_cast<const std::uint16_t*>(cold);
      for (std::size_t i = 0; i < dim; ++i) r[i] = scale * core::from_half(halves[i]);
      break;
    }
    case format::Refine::kExtraBits: {
      std::uint8_t row[kMostRowBytes];
      const std::size_t all_bytes = core::code_row_bytes(core::sign_segments(dim));
      const std::size_t hot_bytes = std::min<std::size_t>(state_->shape.row_bytes, all_bytes);
      std::memcpy(row, hot, hot_bytes);
      std::memcpy(row + hot_bytes, cold + core::extra_bits_bytes(dim, meta.bits),
                  all_bytes - hot_bytes);
      std::int8_t levels[kMostLevels];
      core::unpack_levels(row, cold, dim, meta.bits, levels);
      for (std::size_t i = 0; i < dim; ++i) {
        r[i] = scale * static_cast<float>(2 * levels[i] + 1);
      }
      break;
    }
  }
}

/// Writes the cold code, and the signs of the hot one where levels have them. decoded: scale · z.
core::ScalarCode RowCoder::encode_cold(std::span<const float> r, float* decoded, std::int8_t* z,
                                       std::uint8_t* hot, std::uint8_t* cold) const {
  const format::InvertedMeta& meta = state_->meta;
  const std::size_t dim = r.size();
  switch (meta.refine) {
    case format::Refine::kNone:
    case format::Refine::kFloat:
      break;
    case format::Refine::kScalar: {
      const core::ScalarCode code = core::encode_scalar(r, core::ErrorNorm::kEuclidean, z);
      core::decode_scalar({z, dim}, code.scale, decoded);
      std::memcpy(cold, z, dim);
      return code;
    }
    case format::Refine::kHalf: {
      auto* const halves = reinterpret_cast<std::uint16_t*>(cold);
      const float scale = core::encode_half(r, halves);
      for (std::size_t i = 0; i < dim; ++i) decoded[i] = scale * core::from_half(halves[i]);
      return {scale, 0, 0};
    }
    case format::Refine::kExtraBits: {
      const float scale = core::encode_levels(r, meta.bits, z);
      std::uint32_t square = 0;
#pragma omp simd reduction(+ : square)
      for (std::size_t i = 0; i < dim; ++i) {
        const int level = 2 * z[i] + 1;
        square += static_cast<std::uint32_t>(level * level);
        decoded[i] = scale * static_cast<float>(level);
      }
      std::uint8_t row[kMostRowBytes];
      core::pack_levels(z, dim, meta.bits, row, cold);
      const std::size_t hot_bytes = state_->shape.row_bytes;
      const std::size_t all_bytes = core::code_row_bytes(core::sign_segments(dim));
      std::memcpy(hot, row, std::min(hot_bytes, all_bytes));
      if (all_bytes > hot_bytes) {
        std::memcpy(cold + core::extra_bits_bytes(dim, meta.bits), row + hot_bytes,
                    all_bytes - hot_bytes);
      }
      return {scale, 0, square};
    }
  }
  return {};
}

}  // namespace nearest::pg::inverted
