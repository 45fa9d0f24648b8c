/// Reading the rows of a statement.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
}

namespace nearest::pg::quality {

/// Runs a statement that only reads, as the current user, and calls take(tuple, columns) for each
/// of its rows, which is gone after the call.
template <class Take>
void each_row_of(const char* statement, Take&& take) {
  constexpr long kRowsAtOnce = 100;
  SPI_connect();
  const MemoryContext row_context =
      AllocSetContextCreate(CurrentMemoryContext, "row of a statement", ALLOCSET_DEFAULT_SIZES);
  const Portal cursor = SPI_cursor_open_with_args(nullptr, statement, 0, nullptr, nullptr, nullptr,
                                                  true, CURSOR_OPT_NO_SCROLL);
  uint64 rows = 0;
  do {
    SPI_cursor_fetch(cursor, true, kRowsAtOnce);
    rows = SPI_processed;
    for (uint64 row = 0; row < rows; ++row) {
      CHECK_FOR_INTERRUPTS();
      const MemoryContext before = MemoryContextSwitchTo(row_context);
      take(SPI_tuptable->vals[row], SPI_tuptable->tupdesc);
      MemoryContextSwitchTo(before);
      MemoryContextReset(row_context);
    }
    SPI_freetuptable(SPI_tuptable);
  } while (rows > 0);
  SPI_cursor_close(cursor);
  SPI_finish();
}

}  // namespace nearest::pg::quality
