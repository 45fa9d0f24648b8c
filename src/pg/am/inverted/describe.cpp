#include "pg/am/inverted/describe.hpp"
#include "pg/am/common/index_facts.hpp"

extern "C" {
#include "access/amapi.h"
}

#include <algorithm>

#include "core/ivf/params.hpp"
#include "core/rotate/opq.hpp"
#include "format/graph_meta.hpp"

namespace nearest::pg::inverted {
namespace {

static_assert(core::kMaxOpqDim <= core::kMaxTurnDim);

constexpr unsigned kShortBits = 4, kLongBits = 8;  // of a segment of a product code

[[noreturn]] void report_options(const char* message, const char* hint) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg_internal("%s", message),
                  errhint("%s", hint)));
  pg_unreachable();
}

std::uint32_t dim_of(Relation index) {
  const int32 dim = TupleDescAttr(RelationGetDescr(index), 0)->atttypmod;
  if (dim < 1) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("column does not have dimensions"),
             errhint("Give the column a type such as vector(384), or index an expression "
                     "such as (embedding::vector(384)).")));
  }
  return static_cast<std::uint32_t>(dim);
}

/// Segments of a sign code, as far as they fit a page; even, as blocks of them are.
std::uint32_t sign_code_segments(std::uint32_t dim) {
  const auto all = static_cast<std::uint32_t>(format::align_up(core::sign_segments(dim), 2));
  return std::min(all, format::most_segments(BLCKSZ));
}

void choose_signs(const InvertedOptions& options, format::InvertedMeta* meta) {
  if (options.subquantizers != 0) {
    report_options("subquantizers are of product quantization only",
                   "Add quantizer = pq, or leave out subquantizers.");
  }
  meta->codec = format::Codec::kSigns;
  meta->segments = sign_code_segments(meta->dim);
  const auto refine = static_cast<RefineOption>(options.refine);
  const bool has_levels = refine == RefineOption::kUnset || refine == RefineOption::kExtra;
  if (!has_levels && options.bits != 0) {
    report_options("bits of quantizer rabitq count with refine = extra only",
                   "The short code has one bit per dimension.");
  }
  meta->refine = format::Refine::kExtraBits;
  meta->bits = static_cast<std::uint8_t>(!has_levels         ? 1
                                         : options.bits == 0 ? core::kDefaultLevelBits
                                                             : options.bits);
}

void choose_product(const InvertedOptions& options, format::InvertedMeta* meta) {
  if (static_cast<RefineOption>(options.refine) == RefineOption::kExtra) {
    report_options("refine = extra is of quantizer rabitq only",
                   "Product codes are refined by sq8 or half.");
  }
  const auto bits = options.bits == 0 ? kShortBits : static_cast<unsigned>(options.bits);
  if (bits != kShortBits && bits != kLongBits) {
    report_options("bits of quantizer pq must be 4 or 8", "Codes of 4 bits are much faster.");
  }
  // One bit per dimension: as long as sign codes.
  const std::uint32_t fewest = (meta->dim + core::kMaxSegmentDim - 1) / core::kMaxSegmentDim;
  std::uint32_t segments = std::max(fewest, (meta->dim + bits - 1) / bits);
  if (options.subquantizers != 0) {
    segments = static_cast<std::uint32_t>(options.subquantizers);
    if (segments < fewest || segments > meta->dim) {
      ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                      errmsg("subquantizers must be between %u and %u for %u dimensions", fewest,
                             meta->dim, meta->dim),
                      errdetail("A subquantizer takes one dimension at least and %zu at most.",
                                core::kMaxSegmentDim)));
    }
  } else if (bits == kShortBits) {
    segments = std::min(segments, format::most_segments(BLCKSZ));
  }
  meta->codec = format::Codec::kProduct;
  meta->bits = static_cast<std::uint8_t>(bits);
  meta->segments =
      bits == kShortBits ? static_cast<std::uint32_t>(format::align_up(segments, 2)) : segments;
  meta->refine = format::Refine::kScalar;
}

void choose_codes(const InvertedOptions& options, format::InvertedMeta* meta) {
  if (static_cast<QuantizerOption>(options.quantizer) == QuantizerOption::kPq) {
    choose_product(options, meta);
  } else {
    choose_signs(options, meta);
  }
  switch (static_cast<RefineOption>(options.refine)) {
    case RefineOption::kUnset:
    case RefineOption::kExtra:
      break;
    case RefineOption::kNone:
      meta->refine = format::Refine::kNone;
      break;
    case RefineOption::kSq8:
      meta->refine = format::Refine::kScalar;
      break;
    case RefineOption::kHalf:
      meta->refine = format::Refine::kHalf;
      break;
  }
  switch (static_cast<RotationOption>(options.rotation)) {
    case RotationOption::kUnset:
    case RotationOption::kRandom:
      meta->rotation = format::Rotation::kRandom;
      break;
    case RotationOption::kNone:
      meta->rotation = format::Rotation::kNone;
      break;
    case RotationOption::kOpq:
      meta->rotation = format::Rotation::kTrained;
      break;
  }
  if (meta->rotation == format::Rotation::kTrained && meta->dim > core::kMaxOpqDim) {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("column cannot have more than %zu dimensions for rotation = opq",
                           core::kMaxOpqDim),
                    errhint("rotation = random is faster and has no such limit.")));
  }
}

format::InvertedMeta choose(const InvertedOptions& options, Method method, core::Metric metric,
                            std::uint32_t dim) {
  format::InvertedMeta meta{};
  meta.magic = format::kInvertedMagic;
  meta.version = format::kInvertedVersion;
  meta.dim = dim;
  meta.metric = metric;
  meta.lists = 1;
  meta.groups = 1;
  meta.seed = format::kRotationSeed;
  meta.unit = 1;
  meta.query_norm = 1;
  meta.error_ratio = 1;
  if (method == Method::kFlat) {
    meta.codec = format::Codec::kSigns;
    meta.segments = sign_code_segments(dim);
    meta.bits = 1;
    meta.rotation = format::Rotation::kRandom;
    meta.refine = format::Refine::kFloat;
  } else {
    choose_codes(options, &meta);
  }
  return meta;
}

bool fits(const format::InvertedMeta& meta) {
  return format::list_shape(meta, BLCKSZ).slots > 0 &&
         format::centroids_per_page(meta.dim, BLCKSZ) > 0;
}

/// The most dimensions that an index of these options can have.
std::uint32_t largest_dim(const InvertedOptions& options, Method method, core::Metric metric,
                          std::uint32_t too_many) {
  std::uint32_t fit = 1;
  while (fit + 1 < too_many) {
    const std::uint32_t middle = fit + (too_many - fit) / 2;
    InvertedOptions other = options;
    other.subquantizers = 0;
    (fits(choose(other, method, metric, middle)) ? fit : too_many) = middle;
  }
  return fit;
}

}  // namespace

format::InvertedMeta describe(Relation index, const InvertedOptions& options,
                              std::uint64_t model_stamp) {
  const std::uint32_t dim = dim_of(index);
  const Method method = method_of(index);
  const core::Metric metric = metric_of(index);
  format::InvertedMeta meta = choose(options, method, metric, dim);
  meta.model_stamp = model_stamp;
  if (fits(meta)) return meta;
  if (options.subquantizers != 0) {
    InvertedOptions other = options;
    other.subquantizers = 0;
    if (fits(choose(other, method, metric, dim))) {
      ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                      errmsg("codes of %d subquantizers do not fit on a page of %d bytes",
                             options.subquantizers, BLCKSZ),
                      errhint("Use fewer subquantizers.")));
    }
  }
  ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                  errmsg("column cannot have more than %u dimensions for %s index",
                         largest_dim(options, method, metric, dim), name_of(method)),
                  errdetail("What an index keeps of a row must fit on a page of %d bytes.", BLCKSZ),
                  method == Method::kFlat ? errhint("ivfpq indexes take more dimensions.")
                                          : errhint("Other values of refine take less room.")));
  pg_unreachable();
}

void make_untrained(format::InvertedMeta* meta) {
  meta->lists = 1;
  meta->groups = 1;
  meta->sample_rows = 0;
  if (meta->codec == format::Codec::kProduct) {
    meta->codec = format::Codec::kSigns;
    meta->segments = sign_code_segments(meta->dim);
    meta->bits = 1;
  }
  if (meta->rotation == format::Rotation::kTrained) meta->rotation = format::Rotation::kRandom;
}

Method method_of(Relation index) {
  return index->rd_indam->amoptions == parse_flat_options ? Method::kFlat : Method::kCoded;
}

InvertedState make_state(const format::InvertedMeta& meta, const float* center,
                         const float* matrix) {
  InvertedState state{};
  state.meta = meta;
  state.shape = format::list_shape(meta, BLCKSZ);
  state.tid_shape = format::tid_list_shape(BLCKSZ);
  auto* const rotated = static_cast<float*>(palloc(meta.dim * sizeof(float)));
  state.space = make_space(meta, center, matrix, rotated);
  if (meta.codec == format::Codec::kProduct) {
    state.books.shape = {meta.dim, meta.segments, meta.bits};
  }
  return state;
}

}  // namespace nearest::pg::inverted
