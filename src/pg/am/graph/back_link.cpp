#include "pg/am/graph/back_link.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "core/graph/select_neighbors.hpp"

namespace nearest::pg::graph {

HeldLinks::HeldLinks(const GraphState& state, const format::ConstNodeView& node,
                     const PreparedQuery& x, double own_squared)
    : state_(state), node_(node) {
  const format::GraphShape& shape = state.shape;
  const format::NodeHeader& header = node.header();
  const double own_added = std::sqrt(core::added_square(state.space, header.traits.norm));
  for (std::size_t begin = 0; begin < header.n_links; begin += core::kLinkGroup) {
    const format::LinkGroup& group = node.group(begin / core::kLinkGroup);
    float sums[core::kLinkGroup];
    core::score_link_group(shape.link_code, x.link_query, group.words(shape), sums);
    const std::size_t n = std::min<std::size_t>(core::kLinkGroup, header.n_links - begin);
    for (std::size_t j = 0; j < n; ++j) {
      const double b = group.b(j);
      const double a = group.a(j);
      const double code_length = core::link_length_squared(shape.link_code, b);
      double length = code_length, to_new = own_squared + a - b * sums[j], added = 0;
      if (shape.has_norms) {
        added = std::sqrt(core::added_square(state.space, group.norm(j)));
        length += (added - own_added) * (added - own_added);
        to_new += (added - x.added) * (added - x.added);
      }
      links_[begin + j] = {static_cast<float>(length), static_cast<float>(code_length),
                           static_cast<float>(added), static_cast<float>(std::max(to_new, 0.0))};
    }
  }
}

float HeldLinks::between(core::NodeId a, core::NodeId b) const {
  if (a == kNew) return links_[b].to_new;
  if (b == kNew) return links_[a].to_new;
  const core::LinkCodeShape& code = state_.shape.link_code;
  // The highest plane holds the signs. Random directions part two vectors in the share angle / π of
  // the signs (Charikar 2002).
  const std::size_t signs = std::size_t{code.bits - 1} * code.words * core::kLinkGroup;
  const auto column = [&](core::NodeId i) {
    return node_.group(i / core::kLinkGroup).words(state_.shape) + signs + i % core::kLinkGroup;
  };
  const std::uint64_t* const x = column(a);
  const std::uint64_t* const y = column(b);
  int parted = 0;
  for (std::size_t w = 0; w < code.words; ++w) {
    parted += std::popcount(x[w * core::kLinkGroup] ^ y[w * core::kLinkGroup]);
  }
  const float angle = std::numbers::pi_v<float> * static_cast<float>(parted) /
                      static_cast<float>(code.coded_dims());
  const Link &p = links_[a], &q = links_[b];
  const float added = p.added - q.added;
  return p.code_length + q.code_length -
         2 * std::sqrt(p.code_length * q.code_length) * std::cos(angle) + added * added;
}

bool HeldLinks::is_covered(float length) const {
  for (std::size_t i = 0; i < node_.header().n_links; ++i) {
    if (covers(i, length)) return true;
  }
  return false;
}

std::size_t HeldLinks::place_for(float length, bool must) const {
  core::Neighbor candidates[format::kMostLinks + 1], passed[format::kMostLinks + 1];
  bool is_left[format::kMostLinks + 1] = {};
  std::size_t n = 0;
  const std::size_t n_links = node_.header().n_links;
  for (std::size_t i = 0; i < n_links; ++i) {
    if (node_.group(i / core::kLinkGroup).is_kept(i % core::kLinkGroup)) continue;
    candidates[n++] = {links_[i].length, static_cast<core::NodeId>(i)};
    is_left[i] = true;
  }
  if (n == 0) return kNoPlace;
  if (!must && is_covered(length)) return kNoPlace;
  if (!must) {
    candidates[n++] = {length, kNew};
    is_left[kNew] = true;
  }
  std::sort(candidates, candidates + n);
  const std::size_t stay =
      core::select_neighbors(candidates, n, n - 1, core::kPruneFactorSquared, passed,
                             [this](core::NodeId a, core::NodeId b) { return between(a, b); });
  for (std::size_t i = 0; i < stay; ++i) is_left[candidates[i].id] = false;
  if (is_left[kNew]) return kNoPlace;
  return static_cast<std::size_t>(std::find(is_left, is_left + n_links, true) - is_left);
}

}  // namespace nearest::pg::graph
