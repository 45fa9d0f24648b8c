/// Reads every page of an hnsw index and verifies what can be verified.
///
/// Others may change the index meanwhile. Inserts write a node before what leads to it, a row page
/// before what points there; VACUUM takes row pages out of their chains before they are used again.
/// So where a page leads to something that is not there, it is looked at once more: only if it
/// still leads there, that is a fault. What nothing leads to yet is none. Each page is copied under
/// its share lock and looked at afterwards.
///
/// Memory: 11 bytes per block and 2 bits per node.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

#include "format/graph_page.hpp"

namespace nearest::pg {

struct GraphFindings {
  std::int64_t blocks, center_blocks, entry_blocks, node_blocks, row_blocks, unused_blocks;
  std::int64_t nodes, emptied_nodes, free_nodes, unreachable_nodes;
  std::int64_t rows, null_rows, zero_rows;
  std::int64_t entries, links;
  format::GraphShape shape;
};

/// Raises about the first fault.
GraphFindings check_graph(Relation heap, Relation index);

}  // namespace nearest::pg
