/// Scans of graph indexes: the access method's callbacks.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
#include "access/relscan.h"
}

namespace nearest::pg::graph {

IndexScanDesc begin_scan(Relation index, int n_keys, int n_order_bys);
void rescan(IndexScanDesc scan, ScanKey keys, int n_keys, ScanKey order_bys, int n_order_bys);
bool next_row(IndexScanDesc scan, ScanDirection direction);
void end_scan(IndexScanDesc scan);

}  // namespace nearest::pg::graph
