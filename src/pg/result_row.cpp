#include "pg/result_row.hpp"

extern "C" {
#include "access/htup_details.h"
#include "funcapi.h"
}

namespace nearest::pg {

Datum row_result(FunctionCallInfo call, const Datum* values, const bool* nulls, int n) {
  TupleDesc descriptor;
  if (get_call_result_type(call, nullptr, &descriptor) != TYPEFUNC_COMPOSITE ||
      descriptor->natts != n) {
    elog(ERROR, "return type must be a row of %d columns", n);
  }
  return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), const_cast<Datum*>(values),
                                           const_cast<bool*>(nulls)));
}

}  // namespace nearest::pg
