#include "format/verify.hpp"

#include <cmath>

#include "core/graph/params.hpp"
#include "format/drift_page.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::format {
namespace {

bool is_finite(double value) { return std::isfinite(value); }

std::size_t used_bytes(std::span<const std::byte> page) {
  return reinterpret_cast<const ServerPageHeader*>(page.data())->lower - kServerHeaderBytes;
}

const char* tids_fault(const Tid* tids, std::size_t n, const PageExpectations& expected) {
  for (std::size_t i = 0; i < n; ++i) {
    if (!is_possible(tids[i]) || tids[i].offset > expected.most_row_offset) {
      return "A row is where no table has one.";
    }
  }
  return nullptr;
}

Fault verify_center_page(std::span<const std::byte> page, const PageExpectations& expected) {
  const ConstPageBytes content = content_of(page);
  const auto* header = at<CenterPageHeader>(content, 0);
  const std::uint32_t n = header->n_floats;
  if (n == 0 || n > expected.shape->floats_per_page() || n > expected.meta->dim) {
    return {"A part of the center has no right length."};
  }
  if (used_bytes(page) != sizeof *header + n * sizeof(float)) {
    return {"A part of the center has not the length of its numbers."};
  }
  for (const std::uint16_t reserved : header->reserved) {
    if (reserved != 0) return {"A part of the center has a header that is not one."};
  }
  const auto* const floats = at<float>(content, sizeof *header);
  for (std::uint32_t i = 0; i < n; ++i) {
    if (!is_finite(floats[i])) return {"The center is not finite."};
  }
  return {};
}

/// Whether a link has numbers that estimates can be made of.
bool has_factors(const LinkGroup& group, std::size_t column) {
  return is_finite(group.a(column)) && is_finite(group.b(column));
}

Fault verify_entry_page(std::span<const std::byte> page, const PageExpectations& expected) {
  const ConstPageBytes content = content_of(page);
  if (const char* const fault = entry_page_fault(content, used_bytes(page), *expected.shape)) {
    return {fault};
  }
  const auto* header = at<EntryPageHeader>(content, 0);
  for (const std::uint16_t reserved : header->reserved) {
    if (reserved != 0) return {"A page of the entry table has a header that is not one."};
  }
  for (std::uint32_t i = 0; i < header->n_entries; ++i) {
    if (!has_factors(entry_group(content, *expected.shape, i / kLinkGroup), i % kLinkGroup)) {
      return {"An entry has factors that cannot be."};
    }
  }
  return {};
}

Fault verify_tid_page(std::span<const std::byte> page, const PageExpectations& expected) {
  const ConstPageBytes content = content_of(page);
  if (const char* const fault = tid_page_fault(content, used_bytes(page), *expected.shape)) {
    return {fault};
  }
  const auto* header = at<TidPageHeader>(content, 0);
  if (header->reserved != 0 || header->serial == 0) {
    return {"A page of rows has a header that is not one."};
  }
  return {tids_fault(at<Tid>(content, sizeof *header), header->n_tids, expected)};
}

/// The own code: its sum of squares is stored, and its scale is such that the largest is 127.
const char* code_fault(const NodeHeader& header, const std::int8_t* z, std::uint32_t dim) {
  std::uint32_t square = 0;
  int largest = 0;
  for (std::uint32_t i = 0; i < dim; ++i) {
    const int magnitude = std::abs(int{z[i]});
    largest = magnitude > largest ? magnitude : largest;
    square += static_cast<std::uint32_t>(magnitude * magnitude);
  }
  if (largest > core::kScalarCodeMax) return "A node's code is out of range.";
  if (square != header.code.square) return "A node's code has not the square that is stored.";
  if (largest != (header.code.scale > 0 ? core::kScalarCodeMax : 0)) {
    return "A node's code does not fit its scale.";
  }
  return nullptr;
}

/// Inner product stores |x| and <P(c), ŷ>: the length of what the code stands for follows from the
/// second, and the first is at most the code's error away.
const char* traits_fault(const NodeHeader& header, const GraphMeta& meta) {
  // A vector too long for a code.
  if (!(header.code.error < std::numeric_limits<float>::infinity())) return nullptr;
  if (meta.metric != core::Metric::kInnerProduct) {
    return header.traits.norm == 0 && header.traits.center_product == 0
               ? nullptr
               : "A node has a length where its metric has none.";
  }
  const double center = meta.center_norm / meta.unit;
  const double code = header.code.scale * std::sqrt(static_cast<double>(header.code.square));
  const double squared =
      center * center + 2 * static_cast<double>(header.traits.center_product) + code * code;
  const double slack = 1e-3 * (center + code) * (center + code);
  const double least = static_cast<double>(header.traits.norm) - header.code.error;
  const double most = static_cast<double>(header.traits.norm) + header.code.error;
  const bool is_right =
      squared <= most * most + slack && (least < 0 || squared >= least * least - slack);
  return is_right ? nullptr : "A node's length is not that of its code.";
}

const char* node_content_fault(const ConstNodeView& node, const PageExpectations& expected) {
  if (const char* const fault = node_fault(node)) return fault;
  const NodeHeader& header = node.header();
  if (header.state == NodeState::kFree && header.n_links > 0) return "A free node has links.";
  if (const char* const fault = code_fault(header, node.code(), expected.meta->dim)) return fault;
  if (const char* const fault = traits_fault(header, *expected.meta)) return fault;
  for (std::size_t i = 0; i < header.n_links; ++i) {
    if (!has_factors(node.group(i / kLinkGroup), i % kLinkGroup)) {
      return "A link has factors that cannot be.";
    }
  }
  return tids_fault(node.tids(), header.n_tids, expected);
}

Fault verify_node_page(std::span<const std::byte> page, const PageExpectations& expected) {
  const ConstPageBytes content = content_of(page);
  const GraphShape& shape = *expected.shape;
  if (const char* const fault = node_page_fault(content, used_bytes(page), shape)) return {fault};
  const auto* header = at<NodePageHeader>(content, 0);
  for (const std::uint16_t reserved : header->reserved) {
    if (reserved != 0) return {"A page of nodes has a header that is not one."};
  }
  if (trailer_of(page).next != kNoBlock) return {"A page of nodes has a next one."};
  for (std::uint32_t slot = 0; slot < header->n_nodes; ++slot) {
    if (const char* const fault = node_content_fault(node_at(content, shape, slot), expected)) {
      return {fault, static_cast<std::int32_t>(slot)};
    }
  }
  return {};
}

}  // namespace

Fault verify_drift_page(std::span<const std::byte> page, std::uint32_t lists) noexcept {
  if (trailer_of(page).next != kNoBlock) return {"The drift page has a next one."};
  // Its lists may be fewer, of a moment before some were split, never more.
  if (at<DriftPage>(content_of(page), 0)->lists > lists) {
    return {"The drift page is not one of this index."};
  }
  return {drift_page_fault(content_of(page), used_bytes(page), lists)};
}

const char* meta_fault(const GraphMeta& meta, std::size_t block_bytes) noexcept {
  switch (meta.metric) {
    case core::Metric::kL2:
    case core::Metric::kInnerProduct:
    case core::Metric::kCosine:
    case core::Metric::kL1:
      break;
    default:
      return "The metapage names no metric.";
  }
  // Units are powers of two within what float32 vectors can have as lengths; a center and a longest
  // vector are at most some millions of them, but for cosine, whose unit is not of the rows as they
  // are. NaN fails all of these.
  constexpr double kLeastUnit = 0x1p-200, kMostUnit = 0x1p200, kMostUnits = 1e9;
  const double most_length = meta.metric == core::Metric::kCosine ? 1e300 : kMostUnits * meta.unit;
  int exponent = 0;
  const bool has_sizes = meta.unit >= kLeastUnit && meta.unit <= kMostUnit &&
                         std::frexp(meta.unit, &exponent) == 0.5 && meta.longest >= 0 &&
                         meta.longest <= most_length && meta.query_norm > 0 &&
                         meta.query_norm <= most_length && meta.center_norm >= 0 &&
                         meta.center_norm <= kMostUnits * meta.unit;
  if (!has_sizes) return "The metapage has sizes that cannot be.";
  if (meta.m < core::kMinM || meta.m > core::kMaxM ||
      meta.ef_construction < core::kMinEfConstruction ||
      meta.ef_construction > core::kMaxEfConstruction) {
    return "The metapage has options that cannot be.";
  }
  if (meta.settled > Settled::kByRow || (meta.settled == Settled::kNot && meta.built_nodes > 0)) {
    return "The metapage does not know whether its sizes are known.";
  }
  if (shape_of(meta, block_bytes).nodes_per_page == 0) {
    return "The metapage describes nodes that cannot be.";
  }
  if (meta.drift_block == kNoBlock) return "The metapage does not say where its drift page is.";
  return nullptr;
}

const char* frame_fault(std::span<const std::byte> page) noexcept {
  constexpr std::uint16_t kLayoutVersion = 4;  // of the server's pages, since 8.3
  const auto* header = reinterpret_cast<const ServerPageHeader*>(page.data());
  const std::size_t special = page.size() - sizeof(PageTrailer);
  if (header->special != special || header->upper != special ||
      header->lower < kServerHeaderBytes || header->lower > special ||
      header->size_and_version != (page.size() | kLayoutVersion) || header->flags != 0 ||
      header->prune_xid != 0) {
    return "The page's header is not one of an index page.";
  }
  const PageTrailer& trailer = trailer_of(page);
  if (trailer.page_id != kGraphPageId || trailer.reserved != 0) {
    return "The page does not end as one of an index of ours.";
  }
  if (trailer.kind < PageKind::kMeta || trailer.kind > kLastKind) {
    return "The page is of no kind.";
  }
  return nullptr;
}

Fault verify_meta_page(std::span<const std::byte> page) noexcept {
  if (const char* const fault = frame_fault(page)) return {fault};
  const PageTrailer& trailer = trailer_of(page);
  const auto& meta = *at<GraphMeta>(content_of(page), 0);
  if (trailer.kind != PageKind::kMeta) return {"The first page is not a metapage."};
  if (trailer.next != kNoBlock) return {"The metapage has a next one."};
  if (used_bytes(page) != sizeof meta) return {"The metapage has not the length of its content."};
  if (meta.magic != kGraphMagic) {
    return {"The metapage does not begin as one of an hnsw index."};
  }
  if (meta.version != kGraphVersion) return {"The metapage is of a version that is not known."};
  if (meta.seed != kRotationSeed) return {"The metapage has another rotation than its version."};
  if (meta.has_emptied > 1 || meta.reserved != 0) {
    return {"The metapage has content that is not known."};
  }
  return {meta_fault(meta, page.size())};
}

Fault verify_page(std::span<const std::byte> page, const PageExpectations& expected) noexcept {
  if (const char* const fault = frame_fault(page)) return {fault};
  switch (trailer_of(page).kind) {
    case PageKind::kMeta:
      return {"A page behind the first is a metapage."};
    case PageKind::kCenter:
      return verify_center_page(page, expected);
    case PageKind::kEntries:
      return verify_entry_page(page, expected);
    case PageKind::kNodes:
      return verify_node_page(page, expected);
    case PageKind::kTids:
      return verify_tid_page(page, expected);
    case PageKind::kFree:
      return {used_bytes(page) == 0 ? nullptr : "A free page is not empty."};
    case PageKind::kDrift:
      return verify_drift_page(page, 0);
    case PageKind::kFloats:
    case PageKind::kCentroids:
    case PageKind::kDirectory:
    case PageKind::kList:
    case PageKind::kCold:
      return {"The page is one of an inverted file."};
  }
  return {"The page is of no kind."};
}

const char* center_fault(const GraphMeta& meta, const float* center) noexcept {
  double sum = 0;
  for (std::uint32_t i = 0; center != nullptr && i < meta.dim; ++i) {
    if (!is_finite(center[i])) return "The center is not finite.";
    const double element = center[i];
    sum += meta.metric == core::Metric::kL1 ? std::fabs(element) : element * element;
  }
  const double norm = meta.metric == core::Metric::kL1 ? sum : std::sqrt(sum);
  // Sums in another order differ in their last digits.
  return std::fabs(norm - meta.center_norm) <= 1e-9 * norm
             ? nullptr
             : "The center has not the length that the metapage says.";
}

}  // namespace nearest::format
