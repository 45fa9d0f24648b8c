/// What scans of all our indexes have in common: ORDER BY a distance, and nothing else.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
#include "access/skey.h"
}

#include <cstdint>

#include "core/element.hpp"

namespace nearest::pg {

/// A scan with room for the results of its ORDER BY; what is opaque is the caller's.
IndexScanDesc begin_order_scan(Relation index, int n_keys, int n_order_bys);

/// Takes what a rescan is told.
void take_scan_keys(IndexScanDesc scan, ScanKey keys, int n_keys, ScanKey order_bys,
                    int n_order_bys);

/// The vector that rows are ordered by, or of no elements for NULL or without ORDER BY. Raises if
/// its dimension is another one.
core::VectorView<float> query_of(IndexScanDesc scan, std::uint32_t dim);

}  // namespace nearest::pg
