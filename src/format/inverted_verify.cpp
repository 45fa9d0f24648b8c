#include "format/inverted_verify.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/ivf/params.hpp"
#include "core/quantize/half_code.hpp"
#include "core/quantize/product_code.hpp"
#include "format/vector_value.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::format {
namespace {

bool is_known(const InvertedMeta& meta) {
  const bool is_metric = meta.metric == core::Metric::kL2 ||
                         meta.metric == core::Metric::kInnerProduct ||
                         meta.metric == core::Metric::kCosine;
  return is_metric && meta.refine <= Refine::kFloat &&
         (meta.codec == Codec::kSigns || meta.codec == Codec::kProduct) &&
         meta.rotation <= Rotation::kTrained;
}

const char* code_fault(const InvertedMeta& meta, std::size_t block_bytes) {
  const bool is_product = meta.codec == Codec::kProduct;
  // Vectors have signs in front of them, always turned the same way.
  if (has_vectors(meta) && (is_product || meta.rotation != Rotation::kRandom)) {
    return "It has codes that vectors do not have.";
  }
  if (is_product && meta.bits != 4 && meta.bits != 8) return "It has codes of an unknown width.";
  const bool has_levels = meta.refine == Refine::kExtraBits;
  if (has_levels ? is_product || meta.bits < 2 || meta.bits > 8 : !is_product && meta.bits != 1) {
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

bool is_finite(float value) { return std::isfinite(value); }

std::size_t used_bytes(std::span<const std::byte> page) {
  return reinterpret_cast<const ServerPageHeader*>(page.data())->lower - kServerHeaderBytes;
}

/// Bytes [begin, end) of a page's content.
bool are_zero(ConstPageBytes content, std::size_t begin, std::size_t end) {
  return std::all_of(content.begin() + static_cast<std::ptrdiff_t>(begin),
                     content.begin() + static_cast<std::ptrdiff_t>(end),
                     [](std::byte byte) { return byte == std::byte{}; });
}

const char* verify_float_page(std::span<const std::byte> page) {
  const ConstPageBytes content = content_of(page);
  const auto& header = *at<FloatPageHeader>(content, 0);
  if (header.n_floats == 0 || header.n_floats > floats_per_page(page.size()) ||
      used_bytes(page) != sizeof header + header.n_floats * sizeof(float)) {
    return "A page of numbers has not the length of its numbers.";
  }
  if (std::any_of(std::begin(header.reserved), std::end(header.reserved),
                  [](std::uint16_t reserved) { return reserved != 0; })) {
    return "A page of numbers has a header that is not one.";
  }
  const auto* const floats = at<float>(content, sizeof header);
  return std::all_of(floats, floats + header.n_floats, is_finite)
             ? nullptr
             : "A number that was trained is not finite.";
}

/// 8-bit codes have a scale that makes the largest 127.
const char* scalar_fault(const std::int8_t* z, std::uint32_t dim, float scale,
                         std::uint32_t square) {
  std::uint32_t sum = 0;
  int largest = 0;
  for (std::uint32_t i = 0; i < dim; ++i) {
    const int magnitude = std::abs(int{z[i]});
    largest = std::max(largest, magnitude);
    sum += static_cast<std::uint32_t>(magnitude * magnitude);
  }
  if (largest > core::kScalarCodeMax) return "A code is out of range.";
  if (sum != square) return "A code has not the square that is stored.";
  return largest == (scale > 0 ? core::kScalarCodeMax : 0) ? nullptr
                                                           : "A code does not fit its scale.";
}

Fault verify_centroid_page(std::span<const std::byte> page, const InvertedMeta& meta) {
  const ConstPageBytes content = content_of(page);
  const auto& header = *at<CentroidPageHeader>(content, 0);
  const std::uint32_t n = header.n_centroids;
  if (n == 0 || n > centroids_per_page(meta.dim, page.size()) ||
      used_bytes(page) != centroid_code_offset(meta.dim, n, n)) {
    return {"A page of centroids has not the length of its centroids."};
  }
  if (header.use.value() == PageUse::kClosed) {
    return {"A page of centroids has a header that is not one."};
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    const auto slot = static_cast<std::int32_t>(i);
    const auto& centroid = *at<CentroidHeader>(content, centroid_header_offset(i));
    const std::size_t code = centroid_code_offset(meta.dim, n, i);
    if (!is_centroid_sound(centroid)) {
      return {"A centroid has sizes that cannot be.", slot};
    }
    if (const char* const fault = scalar_fault(at<std::int8_t>(content, code), meta.dim,
                                               centroid.scale, centroid.square)) {
      return {fault, slot};
    }
    if (!are_zero(content, code + meta.dim, code + align_up(meta.dim, 8))) {
      return {"A centroid is longer than it should be.", slot};
    }
  }
  return {};
}

Fault verify_directory_page(std::span<const std::byte> page) {
  const ConstPageBytes content = content_of(page);
  const auto& header = *at<DirectoryPageHeader>(content, 0);
  if (header.n_entries == 0 || header.n_entries > entries_per_page(page.size()) ||
      used_bytes(page) != sizeof header + header.n_entries * sizeof(ListEntry)) {
    return {"A page of the directory has not the length of its entries."};
  }
  for (std::uint32_t i = 0; i < header.n_entries; ++i) {
    const auto& entry = *at<ListEntry>(content, sizeof header + i * sizeof(ListEntry));
    const bool is_empty = entry.first == kNoBlock;
    if (is_empty != (entry.last == kNoBlock) || (is_empty && entry.room != kNoBlock)) {
      return {"A list has a beginning or an end, but not both.", static_cast<std::int32_t>(i)};
    }
  }
  return {};
}

/// A code by itself: what it does not use is zero.
bool is_row_clear(const std::uint8_t* row, const InvertedMeta& meta, const ListShape& shape) {
  if (meta.codec != Codec::kSigns) return true;
  for (std::uint32_t bit = meta.dim; bit < 8 * shape.row_bytes; ++bit) {
    if ((row[bit / 8] >> (bit % 8) & 1) != 0) return false;
  }
  return true;
}

inline constexpr std::size_t kMostRowBytes = 32768;  ///< no block is longer

const char* code_fault(const ConstListPage& page, std::uint32_t slot, const InvertedMeta& meta) {
  const ListShape& shape = *page.shape;
  if (shape.row_bytes == 0) return nullptr;
  std::uint8_t row[kMostRowBytes];
  if (page.is_in_block(slot)) {
    core::get_code(page.block(slot), shape.segments, slot % core::kBlockCodes, row);
  } else {
    std::memcpy(row, page.row(slot), shape.row_bytes);
  }
  return is_row_clear(row, meta, shape) ? nullptr : "A code is longer than it should be.";
}

/// Whether a slot has what VACUUM leaves behind, or a row.
const char* slot_fault(const ConstListPage& page, std::uint32_t slot,
                       const InvertedExpectations& expected) {
  const Tid& tid = page.tids()[slot];
  const bool is_dropped = is_dead(tid);
  if (is_dropped ? tid != kDeadTid : !is_possible(tid) || tid.offset > expected.most_row_offset) {
    return "A row is where no table has one.";
  }
  if (page.shape->has_factors) {
    const core::CodeFactors factors{page.a()[slot], page.b()[slot], page.error()[slot]};
    const bool is_right = is_dropped
                              ? factors.a == kDeadFactors.a && factors.b == 0 && factors.error == 0
                              : is_finite(factors.a) && factors.b >= 0 && is_finite(factors.b) &&
                                    factors.error >= 0 && is_finite(factors.error);
    if (!is_right) return "A row has factors that cannot be.";
  }
  return code_fault(page, slot, *expected.meta);
}

/// What no slot in use needs is zero.
bool is_rest_clear(const ConstListPage& page) {
  const ListShape& shape = *page.shape;
  const std::uint32_t n = page.header().n_slots;
  const std::uint32_t cold =
      shape.n_cold == 0 ? 0 : (n + shape.cold_per_page - 1) / shape.cold_per_page;
  const std::size_t tids_end = shape.tids_offset + std::size_t{n} * sizeof(Tid);
  if (!are_zero(page.bytes, shape.cold_offset + std::size_t{cold} * sizeof(BlockId),
                shape.tids_offset) ||
      !are_zero(page.bytes, tids_end, shape.factors_offset)) {
    return false;
  }
  std::size_t factors_end = shape.factors_offset;
  for (int i = 0; shape.has_factors && i < 3; ++i) {
    const std::size_t begin = factors_end + std::size_t{n} * sizeof(float);
    factors_end += std::size_t{shape.slots} * sizeof(float);
    if (!are_zero(page.bytes, begin, factors_end)) return false;
  }
  const std::uint32_t in_blocks = shape.packed_blocks(n);
  const std::size_t rows = n - std::min(n, 32 * in_blocks);
  const std::size_t codes_end =
      shape.codes_offset + in_blocks * shape.block_bytes() + rows * shape.row_bytes;
  return are_zero(page.bytes, factors_end, shape.codes_offset) &&
         are_zero(page.bytes, codes_end, shape.used_bytes);
}

Fault verify_list_page(std::span<const std::byte> page, const InvertedExpectations& expected) {
  const ConstPageBytes content = content_of(page);
  const auto& header = *at<ListPageHeader>(content, 0);
  const bool has_vectors = header.list < kFirstTidPages;
  // Pages that are not in use may be of lists that an interrupted split would have made.
  if (has_vectors && header.list >= expected.meta->lists && header.is_open()) {
    return {"A page of a list belongs to one that there is not."};
  }
  const ConstListPage list{content, has_vectors ? expected.shape : expected.tid_shape};
  if (const char* const fault =
          list_page_fault(list, used_bytes(page), header.list, header.version)) {
    return {fault};
  }
  if (header.n_slots == 0) return {"A page of a list has a header that is not one."};
  for (std::uint32_t slot = 0; slot < header.n_slots; ++slot) {
    if (const char* const fault = slot_fault(list, slot, expected)) {
      return {fault, static_cast<std::int32_t>(slot)};
    }
  }
  if (!is_rest_clear(list)) return {"A page of a list has content behind its rows."};
  return {};
}

/// dim + 7 for whole groups of bits.
constexpr std::size_t kMostLevels = kMaxDim + 8;

/// The code behind its header. hot: the row's code on its list page, for levels.
const char* cold_code_fault(const CodeHeader& header, const std::uint8_t* hot,
                            const InvertedMeta& meta, const ListShape& shape) {
  const auto* const code = reinterpret_cast<const std::uint8_t*>(&header + 1);
  const core::ScalarCode& own = header.code;
  std::size_t bytes = 0;
  switch (meta.refine) {
    case Refine::kNone:
    case Refine::kFloat:
      return nullptr;
    case Refine::kScalar:
      bytes = meta.dim;
      if (const char* const fault = scalar_fault(reinterpret_cast<const std::int8_t*>(code),
                                                 meta.dim, own.scale, own.square)) {
        return fault;
      }
      break;
    case Refine::kHalf: {
      constexpr std::uint16_t kOne = core::to_half(1), kMagnitude = 0x7FFF;
      bytes = 2 * std::size_t{meta.dim};
      std::uint16_t largest = 0;
      for (std::uint32_t i = 0; i < meta.dim; ++i) {
        std::uint16_t half;
        std::memcpy(&half, code + 2 * std::size_t{i}, sizeof half);
        largest = std::max(largest, static_cast<std::uint16_t>(half & kMagnitude));
      }
      if (largest != (own.scale > 0 ? kOne : 0) || own.square != 0) {
        return "A code does not fit its scale.";
      }
      break;
    }
    case Refine::kExtraBits: {
      const std::size_t extra = core::extra_bits_bytes(meta.dim, meta.bits);
      const std::size_t all = core::code_row_bytes(core::sign_segments(meta.dim));
      const std::size_t in_hot = std::min<std::size_t>(all, shape.row_bytes);
      bytes = extra + all - in_hot;
      std::uint8_t row[kMostLevels / 8 + 8];
      std::memcpy(row, hot, in_hot);
      std::memcpy(row + in_hot, code + extra, all - in_hot);
      std::int8_t levels[kMostLevels];
      core::unpack_levels(row, code, meta.dim, meta.bits, levels);
      std::uint32_t square = 0;
      for (std::uint32_t i = 0; i < meta.dim; ++i) {
        const int level = 2 * levels[i] + 1;
        square += static_cast<std::uint32_t>(level * level);
      }
      if (square != own.square) return "A code has not the square that is stored.";
      break;
    }
  }
  const std::size_t end = shape.cold_bytes - sizeof(ColdHeader) - sizeof header;
  return std::all_of(code + bytes, code + end, [](std::uint8_t byte) { return byte == 0; })
             ? nullptr
             : "A code is longer than it should be.";
}

/// What of a row's cold code can be told without its list page.
const char* cold_header_fault(const ColdHeader& header, const InvertedExpectations& expected) {
  if (!is_possible(header.tid) || header.tid.offset > expected.most_row_offset) {
    return "A row is where no table has one.";
  }
  constexpr const char* kWrongSizes = "What refines a row has sizes that cannot be.";
  if (header.reserved != 0) return kWrongSizes;
  if (has_vectors(*expected.meta)) {
    const auto* const x = reinterpret_cast<const float*>(&header + 1);
    return std::all_of(x, x + expected.meta->dim, is_finite) ? nullptr : "A vector is not finite.";
  }
  const auto& code = *reinterpret_cast<const CodeHeader*>(&header + 1);
  if (!is_code_sound(code)) return kWrongSizes;
  const auto is_set = [](float value) { return std::bit_cast<std::uint32_t>(value) != 0; };
  if (expected.meta->metric == core::Metric::kInnerProduct) {
    return is_set(code.centroid_product) ? "A row has a product that its metric has not." : nullptr;
  }
  return is_set(code.traits.norm) || is_set(code.traits.center_product)
             ? "A row has a length where its metric has none."
             : nullptr;
}

const ColdHeader& cold_row(ConstPageBytes content, const ListShape& shape, std::uint32_t i) {
  return *at<ColdHeader>(content, sizeof(ColdPageHeader) + std::size_t{i} * shape.cold_bytes);
}

Fault verify_cold_page(std::span<const std::byte> page, const InvertedExpectations& expected) {
  const ConstPageBytes content = content_of(page);
  const ListShape& shape = *expected.shape;
  const auto& header = *at<ColdPageHeader>(content, 0);
  if (shape.n_cold == 0) return {"Nothing refines the rows of this index, but a page says so."};
  if (const char* const fault =
          cold_page_fault(content, used_bytes(page), shape, header.hot, header.first_slot)) {
    return {fault};
  }
  if (header.n_slots == 0 || header.first_slot % shape.cold_per_page != 0 ||
      header.first_slot >= shape.slots || header.hot == kNoBlock ||
      trailer_of(page).next != kNoBlock) {
    return {"A page that refines rows has a header that is not one."};
  }
  for (std::uint32_t i = 0; i < header.n_slots; ++i) {
    if (const char* const fault = cold_header_fault(cold_row(content, shape, i), expected)) {
      return {fault, static_cast<std::int32_t>(header.first_slot + i)};
    }
  }
  return {};
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
  if (meta.drift_block == kNoBlock) return "It does not say where its drift page is.";
  if (meta.codec == Codec::kProduct && meta.codebook_block == kNoBlock) {
    return "It does not say where its codebooks are.";
  }
  if (meta.rotation == Rotation::kTrained &&
      (meta.matrix_block == kNoBlock || meta.dim > core::kMaxTurnDim)) {
    return "It does not say where its rotation is.";
  }
  return nullptr;
}

Fault verify_inverted_meta_page(std::span<const std::byte> page) noexcept {
  if (const char* const fault = frame_fault(page)) return {fault};
  const PageTrailer& trailer = trailer_of(page);
  const auto& meta = *at<InvertedMeta>(content_of(page), 0);
  if (trailer.kind != PageKind::kMeta) return {"The first page is not a metapage."};
  if (trailer.next != kNoBlock) return {"The metapage has a next one."};
  if (used_bytes(page) != sizeof meta) return {"The metapage has not the length of its content."};
  if (meta.magic != kInvertedMagic) {
    return {"The metapage does not begin as one of an inverted file."};
  }
  if (meta.version != kInvertedVersion) return {"The metapage is of a version that is not known."};
  if (meta.seed != kRotationSeed) return {"The metapage has another rotation than its version."};
  if (const char* const fault = inverted_meta_fault(meta, page.size())) return {fault};
  for (const std::uint8_t reserved : meta.reserved) {
    if (reserved != 0) return {"The metapage has content that is not known."};
  }
  if (meta.has_left > 1 || meta.reserved_too != 0) {
    return {"The metapage has content that is not known."};
  }
  int exponent = 0;
  if (std::frexp(meta.unit, &exponent) != 0.5) return {"It has sizes that cannot be."};
  const bool has_books = meta.codec == Codec::kProduct;
  const bool has_matrix = meta.rotation == Rotation::kTrained;
  if (meta.bits == 0 || has_books != (meta.codebook_block != kNoBlock) ||
      has_matrix != (meta.matrix_block != kNoBlock) ||
      (meta.groups > 1) != (meta.groups_block != kNoBlock) || meta.centroids_block == kNoBlock ||
      (meta.sample_rows == 0 && (meta.lists > 1 || has_books || has_matrix))) {
    return {"It has parts that do not go together."};
  }
  return {};
}

Fault verify_inverted_page(std::span<const std::byte> page,
                           const InvertedExpectations& expected) noexcept {
  if (const char* const fault = frame_fault(page)) return {fault};
  const PageKind kind = trailer_of(page).kind;
  const bool is_chained = kind == PageKind::kFloats || kind == PageKind::kList;
  if (!is_chained && trailer_of(page).next != kNoBlock) {
    return {"A page has a next one that is in no chain."};
  }
  switch (kind) {
    case PageKind::kMeta:
      return {"A page behind the first is a metapage."};
    case PageKind::kFree:
      return {used_bytes(page) == 0 ? nullptr : "A free page is not empty."};
    case PageKind::kFloats:
      return {verify_float_page(page)};
    case PageKind::kCentroids:
      return verify_centroid_page(page, *expected.meta);
    case PageKind::kDirectory:
      return verify_directory_page(page);
    case PageKind::kList:
      return verify_list_page(page, expected);
    case PageKind::kCold:
      return verify_cold_page(page, expected);
    case PageKind::kDrift:
      return verify_drift_page(page, expected.meta->lists);
    case PageKind::kCenter:
    case PageKind::kEntries:
    case PageKind::kNodes:
    case PageKind::kTids:
      return {"The page is one of a graph."};
  }
  return {"The page is of no kind."};
}

Fault verify_cold_rows(const ConstListPage& hot, ConstPageBytes cold, std::uint32_t first_slot,
                       const InvertedExpectations& expected) noexcept {
  const ListShape& shape = *hot.shape;
  const std::uint32_t n =
      std::min<std::uint32_t>(shape.cold_per_page, hot.header().n_slots - first_slot);
  if (at<ColdPageHeader>(cold, 0)->n_slots != n) {
    return {"A page that refines a list's rows has not as many of them.",
            static_cast<std::int32_t>(first_slot)};
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint32_t slot = first_slot + i;
    const ColdHeader& header = cold_row(cold, shape, i);
    const auto place = static_cast<std::int32_t>(slot);
    const bool is_dropped = is_dead(hot.tids()[slot]);
    if (!is_dropped && header.tid != hot.tids()[slot]) {
      return {"What refines a row belongs to another one.", place};
    }
    if (has_vectors(*expected.meta)) continue;
    const auto& code = *reinterpret_cast<const CodeHeader*>(&header + 1);
    // Nothing is known of a row if it is too far out: its factors say so, and its error.
    const bool is_unknown = std::isinf(code.code.error);
    const bool has_limit = hot.error()[slot] < std::numeric_limits<float>::max();
    if (!is_dropped && is_unknown == has_limit) {
      return {"A row has a code, but neither or both are known.", place};
    }
    std::uint8_t row[kMostRowBytes];
    if (hot.is_in_block(slot)) {
      core::get_code(hot.block(slot), shape.segments, slot % core::kBlockCodes, row);
    } else {
      std::memcpy(row, hot.row(slot), shape.row_bytes);
    }
    if (const char* const fault = cold_code_fault(code, row, *expected.meta, shape)) {
      return {fault, place};
    }
  }
  return {};
}

const char* rotation_fault(const float* row, std::uint32_t dim) noexcept {
  double squares = 0;
  for (std::uint32_t i = 0; i < dim; ++i) {
    squares += static_cast<double>(row[i]) * static_cast<double>(row[i]);
  }
  return std::fabs(squares - 1) < 1e-3 ? nullptr : "The rotation changes lengths.";
}

}  // namespace nearest::format
