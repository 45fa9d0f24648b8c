/// Where a new node goes.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

#include "format/graph_page.hpp"

namespace nearest::pg::graph {

/// Writes a node that was composed with version 0 to a slot of its own, as one WAL record: on the
/// page that this backend wrote to last, on one that the free space map names, or on a new one.
/// Returns its id. bytes: (node_bytes)
core::NodeId place_node(Relation index, const format::GraphShape& shape, const std::byte* bytes);

}  // namespace nearest::pg::graph
