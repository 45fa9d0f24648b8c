/// Places of heap rows, as pages have them and as the server does.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "storage/itemptr.h"
}

#include "format/layout.hpp"

namespace nearest::pg {

inline ItemPointerData to_item_pointer(const format::Tid& tid) {
  ItemPointerData pointer;
  pointer.ip_blkid = {tid.block_high, tid.block_low};
  pointer.ip_posid = tid.offset;
  return pointer;
}

inline format::Tid to_tid(const ItemPointerData& pointer) {
  return {pointer.ip_blkid.bi_hi, pointer.ip_blkid.bi_lo, pointer.ip_posid};
}

}  // namespace nearest::pg
