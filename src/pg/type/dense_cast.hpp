/// Casts between arrays of numbers and dense vector types.
#pragma once

#include "pg/type/vector_datum.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
}

#include <cstring>

namespace nearest::pg {

/// Writes the n elements behind `data` (fixed width, no nulls) as float32.
template <class Number, class T>
void convert_elements(const char* data, std::size_t n, T* out) {
  for (std::size_t i = 0; i < n; ++i) {
    Number number;
    std::memcpy(&number, data + i * sizeof number, sizeof number);
    out[i] = static_cast<T>(number);
  }
}

/// numeric has no fixed width, and its own cast to real with its own range error.
template <class T>
void convert_numerics(ArrayType* array, std::size_t n, T* out) {
  Datum* numerics = nullptr;
  int n_numerics = 0;
  deconstruct_array(array, NUMERICOID, -1, false, TYPALIGN_INT, &numerics, nullptr, &n_numerics);
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = static_cast<T>(DatumGetFloat4(DirectFunctionCall1(numeric_float4, numerics[i])));
  }
  pfree(numerics);
}

/// (X[], typmod, explicit) -> T for X integer, real, double precision or numeric.
template <core::Element T>
Datum array_to_dense(FunctionCallInfo fcinfo) {
  ArrayType* array = PG_GETARG_ARRAYTYPE_P(0);
  const int32 typmod = PG_GETARG_INT32(1);

  if (ARR_NDIM(array) > 1) {
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("array must be 1-D")));
  }
  if (ARR_HASNULL(array) && array_contains_nulls(array)) {
    ereport(ERROR,
            (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("array must not contain nulls")));
  }
  const int n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
  check_dim<T>(n);
  const auto dim = static_cast<std::size_t>(n);
  check_expected_dim(typmod, dim);

  Value<T>* result = new_vector<T>(dim);
  switch (ARR_ELEMTYPE(array)) {
    case INT4OID:
      convert_elements<int32>(ARR_DATA_PTR(array), dim, result->elements());
      break;
    case FLOAT4OID:
      convert_elements<float4>(ARR_DATA_PTR(array), dim, result->elements());
      break;
    case FLOAT8OID:
      convert_elements<float8>(ARR_DATA_PTR(array), dim, result->elements());
      break;
    case NUMERICOID:
      convert_numerics(array, dim, result->elements());
      break;
    default:
      ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("unsupported array type")));
  }
  check_finite<T>(result->view());
  PG_RETURN_POINTER(result);
}

/// (T, typmod, explicit) -> real[]
template <core::Element T>
Datum dense_to_float4_array(FunctionCallInfo fcinfo) {
  const Value<T>* value = get_vector_argument<T>(fcinfo, 0);
  const std::size_t bytes = ARR_OVERHEAD_NONULLS(1) + value->dim * sizeof(float4);
  auto* array = static_cast<ArrayType*>(palloc0(bytes));
  SET_VARSIZE(array, bytes);
  array->ndim = 1;
  array->elemtype = FLOAT4OID;
  ARR_DIMS(array)[0] = value->dim;
  ARR_LBOUND(array)[0] = 1;
  auto* out = reinterpret_cast<float4*>(ARR_DATA_PTR(array));
  for (const T element : value->view()) *out++ = static_cast<float4>(element);
  PG_RETURN_ARRAYTYPE_P(array);
}

}  // namespace nearest::pg
