#include "pg/am/graph/link_writer.hpp"

#include <algorithm>
#include <cmath>

#include "pg/memory.hpp"

namespace nearest::pg::graph {

LinkCoder::LinkCoder(const GraphState* state) : state_(state) {
  const std::size_t dim = state->shape.link_code.dim;
  difference_ = static_cast<float*>(palloc(dim * sizeof(float)));
  origin_ = static_cast<float*>(palloc0(dim * sizeof(float)));
  words_ = static_cast<std::uint64_t*>(
      palloc0(state->shape.link_code.code_words() * core::kLinkGroup * sizeof(std::uint64_t)));
}

LinkPoint LinkCoder::decode(const std::int8_t* z, float scale, float norm, float* y) const {
  const core::GraphSpace& space = state_->space;
  core::decode_scalar({z, space.dim}, scale, y);
  if (!space.is_rotated()) core::rotate({y, space.dim}, space.seed);
  return {y, norm};
}

CodedLink LinkCoder::encode(const LinkPoint& v, const LinkPoint& u) {
  const std::size_t dim = state_->shape.link_code.dim;
#pragma omp simd
  for (std::size_t i = 0; i < dim; ++i) difference_[i] = u.y[i] - v.y[i];
  CodedLink link{};
  link.factors = core::encode_link(state_->shape.link_code, {difference_, dim}, {v.y, dim}, words_);
  link.norm = u.norm;
  link.words = words_;
  return link;
}

CodedLink LinkCoder::encode_entry(const LinkPoint& u) { return encode({origin_, 0}, u); }

void store_link(const format::GraphShape& shape, format::LinkGroup& group, std::size_t column,
                core::NodeId id, const CodedLink& link) {
  group.ids[column] = id;
  group.set_factors(column, link.factors);
  if (shape.has_norms) group.packed_norms()[column] = format::pack_half(link.norm);
  std::uint64_t* const words = group.words(shape);
  for (std::size_t w = 0; w < shape.link_code.code_words(); ++w) {
    words[w * core::kLinkGroup + column] = link.words[w * core::kLinkGroup];
  }
}

void put_link(const format::NodeView& node, std::size_t place, core::NodeId id,
              const CodedLink& link) {
  format::NodeHeader& header = node.header();
  if (place == header.n_links) header.n_links += 1;
  store_link(*node.shape, node.group(place / core::kLinkGroup), place % core::kLinkGroup, id, link);
}

}  // namespace nearest::pg::graph
