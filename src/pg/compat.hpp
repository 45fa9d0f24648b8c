/// Differences between PostgreSQL versions: here and nowhere else.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "storage/buf_internals.h"
}

namespace nearest::pg {

inline bool is_same_buffer_tag(const BufferTag& a, const BufferTag& b) {
#if PG_VERSION_NUM >= 160000
  return BufferTagsEqual(&a, &b);
#else
  return BUFFERTAGS_EQUAL(a, b);
#endif
}

}  // namespace nearest::pg
