/// Distance functions of dense vector types: checks, then core/metric.
#pragma once

#include "pg/type/vector_datum.hpp"

#include "core/metric.hpp"

namespace nearest::pg {

/// (T, T) -> float8 by one of core's metrics.
template <core::Element T, double (*kDistance)(core::VectorView<T>, core::VectorView<T>)>
Datum dense_distance(FunctionCallInfo fcinfo) {
  const Value<T>* a = get_vector_argument<T>(fcinfo, 0);
  const Value<T>* b = get_vector_argument<T>(fcinfo, 1);
  check_same_dim<T>(a, b);
  PG_RETURN_FLOAT8(kDistance(a->view(), b->view()));
}

/// (T) -> float8: the Euclidean norm.
template <core::Element T>
Datum dense_norm(FunctionCallInfo fcinfo) {
  PG_RETURN_FLOAT8(core::norm<T>(get_vector_argument<T>(fcinfo, 0)->view()));
}

/// (T) -> integer. Touches no element, so it does not read ahead.
template <core::Element T>
Datum dense_dims(FunctionCallInfo fcinfo) {
  PG_RETURN_INT32(get_vector<T>(PG_GETARG_DATUM(0))->dim);
}

}  // namespace nearest::pg
