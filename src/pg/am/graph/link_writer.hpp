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
  float norm;      ///< for inner product
};

/// A coded link that is not on a page yet.
struct CodedLink {
  core::LinkFactors factors;
  float norm;            ///< of the target
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

/// Puts a whole link into a column of its group.
void store_link(const format::GraphShape& shape, format::LinkGroup& group, std::size_t column,
                core::NodeId id, const CodedLink& link);

/// Puts a link at a place of a node: instead of the one that is there, or behind the last one.
void put_link(const format::NodeView& node, std::size_t place, core::NodeId id,
              const CodedLink& link);

}  // namespace nearest::pg::graph
