/// Writing links into nodes: the one place where link codes are made.
#pragma once

#include "pg/postgres.hpp"

#include "core/graph/space.hpp"
#include "format/graph_page.hpp"
#include "pg/am/graph/state.hpp"

namespace nearest::pg::graph {

/// A point as links see it: decoded from its own code, rotated.
struct LinkPoint {
  const float* y;  ///< (dim)
  double added;    ///< the coordinate that inner product adds
};

/// A coded link that is not on a page yet.
struct CodedLink {
  core::LinkFactors factors;  ///< A holds what |r|² and v give; the added coordinate is apart
  double added_square;
  std::uint64_t* words;  ///< (code_words, kLinkGroup), a column of its own group: column 0
};

/// Makes link codes; work space for one at a time.
class LinkCoder {
 public:
  /// Allocates in the current memory context.
  explicit LinkCoder(const GraphState* state);

  /// Decodes an own code into a point for links; y: (dim) receives it.
  LinkPoint decode(const std::int8_t* z, float scale, float norm, float* y) const;

  /// Codes the link from node v to u; the result's words live until the next call.
  CodedLink encode(const LinkPoint& v, const LinkPoint& u);

  /// As seen from the center: for the entry table.
  CodedLink encode_entry(const LinkPoint& u);

 private:
  const GraphState* state_;
  float* difference_;
  float* origin_;
  std::uint64_t* words_;
};

/// Puts a whole link into a column of its group. Factors outside of what the scales can say are
/// cut.
void store_link(const format::GraphShape& shape, const GraphState& state, format::LinkGroup& group,
                std::size_t column, core::NodeId id, const CodedLink& link, float a_scale,
                float b_scale);

/// Puts a link at a place of a node: instead of the one that is there, or behind the last one.
void put_link(const format::GraphShape& shape, const GraphState& state,
              const format::NodeView& node, std::size_t place, core::NodeId id,
              const CodedLink& link);

/// Coded links of one node that wait for scales that fit all of them.
class LinkBatch {
 public:
  /// Allocates in the current memory context, for n links.
  LinkBatch(const GraphState* state, std::size_t n);

  void clear() { n_ = 0; }
  void add(core::NodeId id, const CodedLink& link);

  /// Stores all of them, in their order; group_of(i) -> LinkGroup&.
  template <class GroupOf>
  void store(float* a_scale, float* b_scale, GroupOf&& group_of) const {
    choose_scales(a_scale, b_scale);
    for (std::size_t i = 0; i < n_; ++i) {
      store_one(i, group_of(i / core::kLinkGroup), *a_scale, *b_scale);
    }
  }

 private:
  struct Item {
    core::NodeId id;
    core::LinkFactors factors;
    double added_square;
  };

  void choose_scales(float* a_scale, float* b_scale) const;
  void store_one(std::size_t i, format::LinkGroup& group, float a_scale, float b_scale) const;

  const GraphState* state_;
  std::size_t n_ = 0;
  Item* items_;
  std::uint64_t* words_;  ///< (n, code_words, kLinkGroup): links in column 0
};

/// The scales for links with these largest factors: with room for links that come later.
inline constexpr float kScaleRoom = 1.5F;
/// Readers refuse scales that are not well below infinity.
inline constexpr float kLargestScale = 1e29F;
inline float link_scale(float largest, float steps) {
  const float scale = largest * kScaleRoom / steps;
  return scale < kLargestScale ? scale : kLargestScale;
}
inline float scale_for_a(float largest) { return link_scale(largest, format::kLargestA); }
inline float scale_for_b(float largest) { return link_scale(largest, format::kLargestB); }

}  // namespace nearest::pg::graph
