#include "format/graph_page.hpp"

#include <algorithm>

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::format {
namespace {

constexpr std::uint32_t kFewestInlineTids = 2;  // a row and the version an update left behind
constexpr std::uint32_t kMostInlineTids = 10;   // as many as pgvector has

/// A link code has this many bits at least where the dimension allows. Measured (bench/README.md):
/// 512 bits come close to longer codes, 256 visit half as many nodes again.
constexpr std::uint32_t kUsefulBits = 512;
constexpr std::uint32_t kFewestUsefulWords = 4;
constexpr std::uint32_t kShortestCodeWords = 1;

/// Whole bits per dimension, so that a code has enough bits in all: below that a sign says too
/// little of each.
std::uint32_t bits_for(std::uint32_t dim) {
  constexpr std::uint32_t kFewDimsBits = 224;
  return std::clamp<std::uint32_t>((kFewDimsBits + dim - 1) / dim, 1, core::kMaxCodeBits);
}

std::uint32_t full_words(std::uint32_t dim) { return (dim + 63) / 64; }

/// The longest code with which nodes_per_page nodes fit on a page, or 0.
std::uint32_t words_that_fit(std::uint32_t dim, std::uint32_t m, std::uint32_t bits,
                             std::uint32_t nodes_per_page, std::size_t block_bytes,
                             bool has_norms) {
  for (std::uint32_t words = full_words(dim); words >= kShortestCodeWords; --words) {
    const GraphShape shape =
        make_shape(dim, m, bits, words, kFewestInlineTids, nodes_per_page, block_bytes, has_norms);
    if (shape.node_offset(nodes_per_page) <= shape.content) return words;
  }
  return 0;
}

}  // namespace

GraphShape make_shape(std::uint32_t dim, std::uint32_t m, std::uint32_t code_bits,
                      std::uint32_t code_words, std::uint32_t inline_tids,
                      std::uint32_t nodes_per_page, std::size_t block_bytes,
                      bool has_norms) noexcept {
  GraphShape shape{};
  shape.link_code = {dim, code_words, code_bits};
  shape.max_links = 2 * m;
  shape.inline_tids = inline_tids;
  shape.nodes_per_page = nodes_per_page;
  shape.content = static_cast<std::uint32_t>(content_bytes(block_bytes));
  shape.code_offset =
      static_cast<std::uint32_t>(align_up(sizeof(NodeHeader) + inline_tids * sizeof(Tid), 8));
  shape.groups_offset = static_cast<std::uint32_t>(align_up(shape.code_offset + dim, 8));
  shape.has_norms = has_norms;
  shape.words_offset = static_cast<std::uint32_t>(
      sizeof(LinkGroup) + (has_norms ? kLinkGroup * sizeof(std::uint16_t) : 0));
  shape.group_bytes = static_cast<std::uint32_t>(shape.words_offset +
                                                 shape.link_code.code_words() * 8 * kLinkGroup);
  shape.node_bytes = shape.groups_offset + shape.n_groups(shape.max_links) * shape.group_bytes;
  return shape;
}

GraphShape choose_shape(std::uint32_t dim, std::uint32_t m, core::Metric metric,
                        std::size_t block_bytes) noexcept {
  const bool has_norms = metric == core::Metric::kInnerProduct;
  const std::uint32_t bits = bits_for(dim);
  const std::uint32_t full = full_words(dim);
  // Several bits per dimension are kept whole; a long code of signs may be cut by a quarter if one
  // node more fits on the page.
  const std::uint32_t useful = std::min(full, kUsefulBits / 64);
  const std::uint32_t enough =
      bits > 1 ? full : std::max((3 * useful + 3) / 4, std::min(full, kFewestUsefulWords));
  std::uint32_t nodes = 1;
  std::uint32_t words = words_that_fit(dim, m, bits, 1, block_bytes, has_norms);
  std::uint32_t used_bits = bits;
  while (words == 0 && used_bits > 1) {
    --used_bits;
    words = words_that_fit(dim, m, used_bits, 1, block_bytes, has_norms);
  }
  if (words == 0) return {};
  for (std::uint32_t more = 2; more <= 64; ++more) {
    const std::uint32_t fitting = words_that_fit(dim, m, used_bits, more, block_bytes, has_norms);
    if (fitting < enough) break;
    nodes = more;
    words = fitting;
  }
  // What is left over holds rows of equal vectors.
  std::uint32_t tids = kFewestInlineTids;
  while (tids < kMostInlineTids) {
    const GraphShape larger =
        make_shape(dim, m, used_bits, words, tids + 1, nodes, block_bytes, has_norms);
    if (larger.node_offset(nodes) > larger.content) break;
    ++tids;
  }
  return make_shape(dim, m, used_bits, words, tids, nodes, block_bytes, has_norms);
}

std::uint32_t largest_dim(std::uint32_t m, core::Metric metric, std::size_t block_bytes) noexcept {
  std::uint32_t low = 0, high = static_cast<std::uint32_t>(block_bytes);
  while (low < high) {
    const std::uint32_t middle = (low + high + 1) / 2;
    if (choose_shape(middle, m, metric, block_bytes).nodes_per_page > 0) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

GraphShape shape_of(const GraphMeta& meta, std::size_t block_bytes) noexcept {
  if (meta.dim < 1 || meta.dim > block_bytes || meta.m < 1 || 2U * meta.m > kMostLinks ||
      meta.code_bits < 1 || meta.code_bits > core::kMaxCodeBits || meta.code_words < 1 ||
      meta.code_words > full_words(meta.dim) || meta.inline_tids < 1 ||
      meta.inline_tids > kMostInlineTids || meta.nodes_per_page < 1 ||
      meta.nodes_per_page > kMostNodesPerPage) {
    return {};
  }
  const GraphShape shape =
      make_shape(meta.dim, meta.m, meta.code_bits, meta.code_words, meta.inline_tids,
                 meta.nodes_per_page, block_bytes, meta.metric == core::Metric::kInnerProduct);
  return shape.node_offset(shape.nodes_per_page) <= shape.content ? shape : GraphShape{};
}

}  // namespace nearest::format
