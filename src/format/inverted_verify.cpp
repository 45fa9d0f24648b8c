#include "format/inverted_verify.hpp"

#include <cmath>

#include "core/ivf/params.hpp"
#include "core/quantize/product_code.hpp"
#include "format/vector_value.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::format {
namespace {

bool is_known(const InvertedMeta& meta) {
  const bool is_metric = meta.metric == core::Metric::kL2 ||
                         meta.metric == core::Metric::kInnerProduct ||
                         meta.metric == core::Metric::kCosine;
  return is_metric && meta.refine <= Refine::kExtraBits && meta.codec <= Codec::kProduct &&
         meta.rotation <= Rotation::kTrained;
}

const char* code_fault(const InvertedMeta& meta, std::size_t block_bytes) {
  if (meta.codec == Codec::kFlat) {
    return meta.refine == Refine::kNone ? nullptr : "Vectors as they are cannot be refined.";
  }
  const bool is_product = meta.codec == Codec::kProduct;
  if (is_product && meta.bits != 4 && meta.bits != 8) return "It has codes of an unknown width.";
  if (meta.refine == Refine::kExtraBits && (is_product || meta.bits < 2 || meta.bits > 8)) {
    return "It has levels of an unknown width.";
  }
  const std::uint32_t most_by_dim = is_product ? meta.dim : (meta.dim + 3) / 4;
  const bool is_packed = !is_product || meta.bits == 4;
  const std::uint32_t most = static_cast<std::uint32_t>(align_up(most_by_dim, is_packed ? 2 : 1));
  const bool is_odd = is_packed && meta.segments % 2 != 0;
  if (meta.segments == 0 || meta.segments > most || is_odd ||
      (is_packed && meta.segments > most_segments(block_bytes)) ||
      (is_product && (meta.dim + meta.segments - 1) / meta.segments > core::kMaxSegmentDim)) {
    return "It has codes of a length that cannot be.";
  }
  return nullptr;
}

const char* sizes_fault(const InvertedMeta& meta) {
  constexpr double kMost = 1e300;
  const bool has_sizes = meta.unit > 0 && meta.unit < kMost && meta.query_norm > 0 &&
                         meta.query_norm < kMost && meta.center_norm >= 0 &&
                         meta.center_norm < kMost && meta.error_ratio >= 0 &&
                         meta.training_error >= 0;  // NaN fails all of these
  return has_sizes ? nullptr : "It has sizes that cannot be.";
}

}  // namespace

const char* inverted_meta_fault(const InvertedMeta& meta, std::size_t block_bytes) noexcept {
  if (meta.dim == 0 || meta.dim > kMaxDim) return "It has dimensions that cannot be.";
  if (!is_known(meta)) return "It says that lists hold what no list does.";
  if (meta.lists == 0 || meta.lists > core::kMaxLists) return "It has too many lists, or none.";
  if (meta.groups == 0 || meta.groups > meta.lists) return "It has too many groups, or none.";
  if (const char* const fault = code_fault(meta, block_bytes)) return fault;
  if (const char* const fault = sizes_fault(meta)) return fault;
  if (centroids_per_page(meta.dim, block_bytes) == 0 && meta.lists > 1) {
    return "Its vectors are too long for lists.";
  }
  if (list_shape(meta, block_bytes).slots == 0) return "Its vectors are too long for a page.";
  const bool needs_centroids = meta.lists > 1;
  if (meta.directory_block == kNoBlock || (needs_centroids && meta.centroids_block == kNoBlock) ||
      (meta.groups > 1 && meta.groups_block == kNoBlock)) {
    return "It does not say where its lists are.";
  }
  if (meta.rotation == Rotation::kTrained &&
      (meta.matrix_block == kNoBlock || meta.dim > core::kMaxTurnDim)) {
    return "It does not say where its rotation is.";
  }
  return nullptr;
}

}  // namespace nearest::format
