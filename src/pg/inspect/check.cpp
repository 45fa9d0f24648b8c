/// nearest_check(index): the checks of check_graph.hpp and check_inverted.hpp as one SQL function.
#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
}

#include <algorithm>

#include "pg/am/index_kind.hpp"
#include "pg/inspect/check_graph.hpp"
#include "pg/inspect/check_inverted.hpp"
#include "pg/inspect/own_index.hpp"
#include "pg/result_row.hpp"

namespace nearest::pg {
namespace {

/// Columns of the result, in their order.
enum Column {
  kBlocks,
  kCenterBlocks,
  kEntryBlocks,
  kNodeBlocks,
  kRowBlocks,
  kUnusedBlocks,
  kNodes,
  kEmptiedNodes,
  kFreeNodes,
  kUnreachableNodes,
  kRows,
  kNullRows,
  kZeroRows,
  kEntries,
  kLinks,
  kLinksPerNode,
  kNodesPerPage,
  kLinkCodeBits,
  kNodeHeaderBytes,
  kNodeCodeBytes,
  kNodeLinkBytes,
  kTrained,
  kModelBlocks,
  kCentroidBlocks,
  kDirectoryBlocks,
  kListBlocks,
  kColdBlocks,
  kLists,
  kEmptyLists,
  kLargestList,
  kDeadSlots,
  kSlotsPerPage,
  kColumns
};

struct CheckRow : ResultRow<kColumns> {
  void set_size(Column column, std::size_t size) {
    set(column, Int32GetDatum(static_cast<int32>(size)));
  }
};

void fill_row(CheckRow* row, const GraphFindings& found) {
  const format::GraphShape& shape = found.shape;
  row->set_count(kBlocks, found.blocks);
  row->set_count(kCenterBlocks, found.center_blocks);
  row->set_count(kEntryBlocks, found.entry_blocks);
  row->set_count(kNodeBlocks, found.node_blocks);
  row->set_count(kRowBlocks, found.row_blocks);
  row->set_count(kUnusedBlocks, found.unused_blocks);
  row->set_count(kNodes, found.nodes);
  row->set_count(kEmptiedNodes, found.emptied_nodes);
  row->set_count(kFreeNodes, found.free_nodes);
  row->set_count(kUnreachableNodes, found.unreachable_nodes);
  row->set_count(kRows, found.rows);
  row->set_count(kNullRows, found.null_rows);
  row->set_count(kZeroRows, found.zero_rows);
  row->set_count(kEntries, found.entries);
  row->set_count(kLinks, found.links);
  row->set(kLinksPerNode, Float8GetDatum(found.nodes > 0 ? static_cast<double>(found.links) /
                                                               static_cast<double>(found.nodes)
                                                         : 0));
  row->set_size(kNodesPerPage, shape.nodes_per_page);
  row->set_size(kLinkCodeBits, shape.link_code.coded_dims() * shape.link_code.bits);
  row->set_size(kNodeHeaderBytes, shape.code_offset);
  row->set_size(kNodeCodeBytes, shape.groups_offset - shape.code_offset);
  row->set_size(kNodeLinkBytes, shape.node_bytes - shape.groups_offset);
}

void fill_row(CheckRow* row, const InvertedFindings& found) {
  row->set_count(kBlocks, found.blocks);
  row->set_count(kRowBlocks, found.row_blocks);
  row->set_count(kUnusedBlocks, found.unused_blocks);
  row->set_count(kRows, found.rows);
  row->set_count(kNullRows, found.null_rows);
  row->set_count(kZeroRows, found.zero_rows);
  row->set(kTrained, BoolGetDatum(found.is_trained));
  row->set_count(kModelBlocks, found.model_blocks);
  row->set_count(kCentroidBlocks, found.centroid_blocks);
  row->set_count(kDirectoryBlocks, found.directory_blocks);
  row->set_count(kListBlocks, found.list_blocks);
  row->set_count(kColdBlocks, found.cold_blocks);
  row->set_count(kLists, found.lists);
  row->set_count(kEmptyLists, found.empty_lists);
  row->set_count(kLargestList, found.largest_list);
  row->set_count(kDeadSlots, found.dead_slots);
  row->set_size(kSlotsPerPage, found.slots_per_page);
}

}  // namespace
}  // namespace nearest::pg

/// nearest_check(index regclass) -> one row of what it found, or an error about the first fault.
/// Columns about the other kind of index are NULL.
NEAREST_FUNCTION(nearest_check) {
  using namespace nearest::pg;
  const OwnIndex own = open_own_index(PG_GETARG_OID(0), "check");
  CheckRow row;
  if (is_graph(own.index)) {
    fill_row(&row, check_graph(own.heap, own.index));
  } else {
    fill_row(&row, check_inverted(own.heap, own.index));
  }
  close_own_index(own);
  return row.finish(fcinfo);
}
