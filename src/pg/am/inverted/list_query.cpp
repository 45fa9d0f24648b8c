#include "pg/am/inverted/list_query.hpp"

#include <cmath>
#include <cstring>
#include <numeric>

#include "core/quantize/half_code.hpp"
#include "core/quantize/query_table.hpp"
#include "core/quantize/sign_code.hpp"

namespace nearest::pg::inverted {
namespace {

constexpr double kLowest = -std::numeric_limits<double>::infinity();
/// More than float32 loses of sums of two or three rounded numbers, relative to them.
constexpr double kRounded = 4 * core::kUnitRoundoff;

double product_of(const float* a, const float* b, std::size_t dim) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < dim; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

}  // namespace

void ListQuery::prepare(const InvertedState* state, core::VectorView<float> q) {
  state_ = state;
  q_ = q;
  const std::size_t dim = q.size();
  const format::InvertedMeta& meta = state->meta;
  auto* const y = static_cast<float*>(palloc(dim * sizeof(float)));
  auto* const z = static_cast<std::int16_t*>(palloc(dim * sizeof(std::int16_t)));
  point_ = core::place_query(state->space, q, y, z);
  scored_ = y;
  scored_code_ = point_.code;
  code_sum_ = std::accumulate(z, z + dim, std::int64_t{0});
  if (is_product() && state->space.rotated_center != nullptr) {
    auto* const w = static_cast<float*>(palloc(dim * sizeof(float)));
    const float* const center = state->space.rotated_center;
    const auto to_unit = static_cast<float>(1 / state->space.unit);
    for (std::size_t i = 0; i < dim; ++i) w[i] = y[i] + center[i] * to_unit;
    shift_ = static_cast<float>(product_of(w, center, dim) / state->space.unit);
    auto* const w_code = static_cast<std::int16_t*>(palloc(dim * sizeof(std::int16_t)));
    scored_ = w;
    scored_code_ = core::encode_query({w, dim}, w_code);
  }
  if (meta.refine == format::Refine::kExtraBits) {
    levels_ = static_cast<std::int8_t*>(palloc(dim + 8));
    level_row_ = static_cast<std::uint8_t*>(palloc(std::max<std::size_t>(
        core::code_row_bytes(core::sign_segments(dim)), state->shape.row_bytes)));
  }
  prepare_table();
}

void ListQuery::prepare_table() {
  const format::InvertedMeta& meta = state_->meta;
  const std::size_t dim = meta.dim;
  constexpr std::size_t kSymbols = 16, kBytes = 256;
  if (!state_->shape.is_packed) {
    auto* const products = static_cast<float*>(palloc(meta.segments * kBytes * sizeof(float)));
    core::code_products(state_->books, scored_, products);
    byte_products_ = products;
    return;
  }
  // Signs may be of more dimensions than hot codes have, or their last symbols of none.
  const std::size_t segments = std::max<std::size_t>(meta.segments, core::sign_segments(dim));
  auto* const products = static_cast<float*>(palloc0(segments * kSymbols * sizeof(float)));
  if (meta.codec == format::Codec::kSigns) {
    core::sign_products({scored_, dim}, products);
  } else {
    core::code_products(state_->books, scored_, products);
  }
  auto* const entries = static_cast<std::uint8_t*>(palloc(meta.segments * kSymbols));
  table_ = core::make_byte_table(products, meta.segments, entries);
  pfree(products);
}

ListQuery::ColdSums ListQuery::cold_sums(const ColdCode& cold) const {
  const format::InvertedMeta& meta = state_->meta;
  const std::size_t dim = meta.dim;
  const core::ScalarQuery& query = point_.code;
  const auto square = static_cast<double>(cold.header->code.square);
  switch (meta.refine) {
    case format::Refine::kScalar: {
      const auto* const z = reinterpret_cast<const std::int8_t*>(cold.bytes());
      return {query.step * core::kernels().inner_product_i8_i16(z, query.z, dim), square};
    }
    case format::Refine::kHalf: {
      const auto* const z = reinterpret_cast<const std::uint16_t*>(cold.bytes());
      ColdSums sums{0, 0};
      for (std::size_t i = 0; i < dim; ++i) {
        const double value = core::from_half(z[i]);
        sums.product += value * query.z[i];
        sums.square += value * value;
      }
      sums.product *= query.step;
      return sums;
    }
    case format::Refine::kExtraBits: {
      // Signs for which the hot code has no room are behind the other bits.
      const std::size_t all_bytes = core::code_row_bytes(core::sign_segments(dim));
      const std::size_t hot_bytes = std::min<std::size_t>(state_->shape.row_bytes, all_bytes);
      std::memcpy(level_row_, cold.hot_row, hot_bytes);
      std::memcpy(level_row_ + hot_bytes, cold.bytes() + core::extra_bits_bytes(dim, meta.bits),
                  all_bytes - hot_bytes);
      core::unpack_levels(level_row_, cold.bytes(), dim, meta.bits, levels_);
      const double product = core::kernels().inner_product_i8_i16(levels_, query.z, dim);
      return {query.step * (2 * product + static_cast<double>(code_sum_)), square};
    }
    case format::Refine::kNone:
    case format::Refine::kFloat:
      break;
  }
  return {0, 0};
}

double ListQuery::bound(const RankedList& list, const ColdCode& cold) const {
  const core::GraphSpace& space = state_->space;
  const format::CodeHeader& header = *cold.header;
  const bool is_bounded =
      point_.is_bounded && header.code.error < std::numeric_limits<float>::infinity();
  if (!is_bounded) return is_product() && point_.norm != 0 ? kLowest : 0;
  const ColdSums sums = cold_sums(cold);
  double result = kLowest;
  if (is_product()) {
    result = product_bound(list, cold, sums);
  } else {
    const double scale = header.code.scale, distance = list.distance;
    const double length = scale * std::sqrt(sums.square);
    const double centroid = std::sqrt(point_.code.square) + distance;  // |ĉ| at most
    // |q - ĉ|² and <ĉ, r̂> were rounded, and so were the centroid and the code that they are of.
    const double lost = kRounded * (distance * distance + 2 * centroid * length);
    const double squared =
        static_cast<double>(list.base) + length * length +
        2 * (static_cast<double>(header.centroid_product) - scale * sums.product) - lost;
    const double sound = squared > 0 ? squared : 0;
    core::QueryPoint query = point_;
    query.error += kRounded * centroid;
    result = space.metric == core::Metric::kCosine
                 ? core::cosine_bound(space, query, header.code, sound)
                 : core::l2_bound(space, query, header.code, sound);
  }
  return std::isnan(result) ? kLowest : result;  // results are sorted, which NaN would break
}

/// <q, x> = <q, c> + <w, ĉ> + <y, r̂> + <P(c), r̂>, in units: y is the query's point, w = y + P(c).
double ListQuery::product_bound(const RankedList& list, const ColdCode& cold,
                                const ColdSums& sums) const {
  if (!(point_.factor > 0)) return point_.norm == 0 ? 0 : kLowest;
  const core::GraphSpace& space = state_->space;
  const core::ScalarCode& own = cold.header->code;
  const core::PointTraits& traits = cold.header->traits;
  const double scale = own.scale;
  const double product = point_.center_product - static_cast<double>(list.base) +
                         scale * sums.product + static_cast<double>(traits.center_product);
  // Neither the point that a code stands for, nor its centroid nor its residual is longer.
  const double length = static_cast<double>(traits.norm) + space.center_norm / space.unit +
                        static_cast<double>(own.error) + 2 * scale * std::sqrt(sums.square);
  const core::ScalarCode code{core::round_up(length), own.error, 1};
  core::QueryPoint query = point_;
  // With the centroid it is w that was coded; and both were rounded.
  query.error += scored_code_.error + kRounded * (std::sqrt(scored_code_.square));
  return core::inner_product_bound(space, query, code, traits, product);
}

double ListQuery::key_of(double result) const {
  if (std::isnan(result)) return std::numeric_limits<double>::infinity();
  const double unit = state_->space.unit;
  switch (state_->space.metric) {
    case core::Metric::kCosine:
      return 2 * result / (unit * unit);
    case core::Metric::kInnerProduct:
      return point_.factor > 0 ? result * point_.factor / (unit * unit) : kLowest;
    default:
      return result > 0 ? result / unit * (result / unit) : result;
  }
}

}  // namespace nearest::pg::inverted
