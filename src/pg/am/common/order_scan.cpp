#include "pg/am/common/order_scan.hpp"

extern "C" {
#include "access/relscan.h"
}

#include <cstring>

#include "pg/type/vector_datum.hpp"

namespace nearest::pg {

IndexScanDesc begin_order_scan(Relation index, int n_keys, int n_order_bys) {
  const IndexScanDesc scan = RelationGetIndexScan(index, n_keys, n_order_bys);
  if (n_order_bys > 0) {
    scan->xs_orderbyvals = static_cast<Datum*>(palloc0(sizeof(Datum) * n_order_bys));
    scan->xs_orderbynulls = static_cast<bool*>(palloc0(sizeof(bool) * n_order_bys));
  }
  return scan;
}

void take_scan_keys(IndexScanDesc scan, ScanKey keys, int n_keys, ScanKey order_bys,
                    int n_order_bys) {
  if (keys != nullptr && n_keys > 0) {
    std::memmove(scan->keyData, keys, static_cast<std::size_t>(n_keys) * sizeof(ScanKeyData));
  }
  if (order_bys != nullptr && n_order_bys > 0) {
    std::memmove(scan->orderByData, order_bys,
                 static_cast<std::size_t>(n_order_bys) * sizeof(ScanKeyData));
  }
}

core::VectorView<float> query_of(IndexScanDesc scan, std::uint32_t dim) {
  if (scan->numberOfOrderBys == 0 || (scan->orderByData[0].sk_flags & SK_ISNULL) != 0) return {};
  const core::VectorView<float> q = get_vector<float>(scan->orderByData[0].sk_argument)->view();
  if (q.size() != dim) {
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                    errmsg("different %s dimensions %d and %d", SqlType<float>::kName,
                           static_cast<int>(dim), static_cast<int>(q.size()))));
  }
  return q;
}

}  // namespace nearest::pg
