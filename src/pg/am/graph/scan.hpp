/// Scans of graph indexes: the access method's callbacks.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
#include "access/relscan.h"
}

#include <cstdint>

namespace nearest::pg::graph {

IndexScanDesc begin_scan(Relation index, int n_keys, int n_order_bys);
void rescan(IndexScanDesc scan, ScanKey keys, int n_keys, ScanKey order_bys, int n_order_bys);
bool next_row(IndexScanDesc scan, ScanDirection direction);
void end_scan(IndexScanDesc scan);

/// What the last scan of this backend did, for nearest_last_scan().
struct LastScan {
  Oid index;
  std::int64_t rounds;
  std::int64_t pages;
  std::int64_t nodes;
  std::int64_t link_codes;
  std::int64_t rows;
  bool read_the_rest;  ///< the graph was used up and the remaining pages were read in order
};
extern LastScan last_scan;

}  // namespace nearest::pg::graph
