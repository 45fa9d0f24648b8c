/// Rows that SQL functions return.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "fmgr.h"
#include "utils/builtins.h"
}

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace nearest::pg {

/// The result of a function that was declared with a row of n columns. Raises if it was not.
Datum row_result(FunctionCallInfo call, const Datum* values, const bool* nulls, int n);

/// Columns by number, NULL until they are set.
template <int kColumns>
struct ResultRow {
  Datum values[kColumns] = {};
  bool nulls[kColumns];

  ResultRow() { std::fill_n(nulls, kColumns, true); }
  void set(int column, Datum value) {
    values[column] = value;
    nulls[column] = false;
  }
  void set_count(int column, std::int64_t count) { set(column, Int64GetDatum(count)); }
  /// NaN is NULL.
  void set_number(int column, double number) {
    if (!std::isnan(number)) set(column, Float8GetDatum(number));
  }
  /// NULL stays NULL.
  void set_text(int column, const char* text) {
    if (text != nullptr) set(column, CStringGetTextDatum(text));
  }
  Datum finish(FunctionCallInfo call) const { return row_result(call, values, nulls, kColumns); }
};

}  // namespace nearest::pg
