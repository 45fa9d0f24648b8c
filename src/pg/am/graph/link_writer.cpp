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
  const double added =
      space.metric == core::Metric::kInnerProduct ? std::sqrt(core::added_square(space, norm)) : 0;
  return {y, added};
}

CodedLink LinkCoder::encode(const LinkPoint& v, const LinkPoint& u) {
  const std::size_t dim = state_->shape.link_code.dim;
#pragma omp simd
  for (std::size_t i = 0; i < dim; ++i) difference_[i] = u.y[i] - v.y[i];
  CodedLink link{};
  link.factors = core::encode_link(state_->shape.link_code, {difference_, dim}, {v.y, dim}, words_);
  link.added_square = u.added * u.added;
  link.words = words_;
  return link;
}

CodedLink LinkCoder::encode_entry(const LinkPoint& u) { return encode({origin_, 0}, u); }

void store_link(const format::GraphShape& shape, const GraphState& state, format::LinkGroup& group,
                std::size_t column, core::NodeId id, const CodedLink& link, float a_scale,
                float b_scale) {
  group.ids[column] = id;
  group.a[column] = format::pack_a(link.factors.a, a_scale);
  group.b[column] = format::pack_b(link.factors.b, b_scale);
  if (shape.has_added) {
    const double longest = state.space.longest / state.space.unit;
    const double share = longest > 0 ? link.added_square / (longest * longest) : 0;
    group.added()[column] =
        static_cast<std::uint16_t>(std::min(share, 1.0) * format::kLargestAdded);
  }
  std::uint64_t* const words = group.words(shape);
  for (std::size_t w = 0; w < shape.link_code.code_words(); ++w) {
    words[w * core::kLinkGroup + column] = link.words[w * core::kLinkGroup];
  }
}

void put_link(const format::GraphShape& shape, const GraphState& state,
              const format::NodeView& node, std::size_t place, core::NodeId id,
              const CodedLink& link) {
  format::NodeHeader& header = node.header();
  if (place == header.n_links) header.n_links += 1;
  if (header.n_links == 1) {
    // The only one sets the scales, with room for links that are longer.
    constexpr float kRoom = 2;
    header.a_scale = scale_for_a(kRoom * std::fabs(link.factors.a));
    header.b_scale = scale_for_b(kRoom * link.factors.b);
  }
  store_link(shape, state, node.group(place / core::kLinkGroup), place % core::kLinkGroup, id, link,
             header.a_scale, header.b_scale);
}

LinkBatch::LinkBatch(const GraphState* state, std::size_t n) : state_(state) {
  const std::size_t words = state->shape.link_code.code_words() * core::kLinkGroup;
  items_ = allocate_in<Item>(CurrentMemoryContext, n);
  words_ = allocate_in<std::uint64_t>(CurrentMemoryContext, n * words);
}

void LinkBatch::add(core::NodeId id, const CodedLink& link) {
  const std::size_t words = state_->shape.link_code.code_words() * core::kLinkGroup;
  items_[n_] = {id, link.factors, link.added_square};
  for (std::size_t w = 0; w < words; w += core::kLinkGroup) {
    words_[n_ * words + w] = link.words[w];
  }
  ++n_;
}

void LinkBatch::choose_scales(float* a_scale, float* b_scale) const {
  float largest_a = 0, largest_b = 0;
  for (std::size_t i = 0; i < n_; ++i) {
    largest_a = std::max(largest_a, std::fabs(items_[i].factors.a));
    largest_b = std::max(largest_b, items_[i].factors.b);
  }
  *a_scale = scale_for_a(largest_a);
  *b_scale = scale_for_b(largest_b);
}

void LinkBatch::store_one(std::size_t i, format::LinkGroup& group, float a_scale,
                          float b_scale) const {
  const std::size_t words = state_->shape.link_code.code_words() * core::kLinkGroup;
  const CodedLink link{items_[i].factors, items_[i].added_square, words_ + i * words};
  store_link(state_->shape, *state_, group, i % core::kLinkGroup, items_[i].id, link, a_scale,
             b_scale);
}

}  // namespace nearest::pg::graph
