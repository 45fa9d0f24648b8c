/// Changes of the entry table: the nodes where searches begin.
#pragma once

#include "pg/am/graph/link_writer.hpp"

namespace nearest::pg::graph {

/// Adds a node; link: from the center (LinkCoder::encode_entry).
void add_entry(Relation index, const GraphState& state, core::NodeId id, const CodedLink& link);

/// A copy of what an entry page names.
struct EntryPage {
  const core::NodeId* ids;
  std::size_t n;
  BlockNumber next;  ///< or kNoBlock
};

/// Reads a page of the entry table, checked. Allocates in the current memory context.
EntryPage read_entry_page(Relation index, const GraphState& state, BlockNumber block);

/// Puts node `to` in the place of the entry for node `from` of that page, or removes it if `to` is
/// kNoNode, whose link is not read. Does nothing if there is no such entry any more.
void replace_entry(Relation index, const GraphState& state, BlockNumber block, core::NodeId from,
                   core::NodeId to, const CodedLink& link);

}  // namespace nearest::pg::graph
