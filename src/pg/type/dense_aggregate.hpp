/// avg() of dense vector types. State: float8[], {count, sum of dimension 1, ..., sum of dimension
/// n}, and {0} before the first row; the same as pgvector's, so partial states can be stored and
/// exchanged.
#pragma once

#include "pg/type/vector_datum.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/float.h"
}

#include <span>

namespace nearest::pg {

/// The numbers of a state array: never empty. SQL can call these functions with any float8[].
inline std::span<float8> get_state(ArrayType* state, const char* caller) {
  if (ARR_NDIM(state) != 1 || ARR_DIMS(state)[0] < 1 || ARR_HASNULL(state) ||
      ARR_ELEMTYPE(state) != FLOAT8OID) {
    elog(ERROR, "%s: expected state array", caller);
  }
  return {reinterpret_cast<float8*>(ARR_DATA_PTR(state)),
          static_cast<std::size_t>(ARR_DIMS(state)[0])};
}

/// A new state for `dim` dimensions in the current memory context, all zero.
inline ArrayType* new_state(std::size_t dim) {
  const std::size_t bytes = ARR_OVERHEAD_NONULLS(1) + (dim + 1) * sizeof(float8);
  auto* state = static_cast<ArrayType*>(palloc0(bytes));
  SET_VARSIZE(state, bytes);
  state->ndim = 1;
  state->elemtype = FLOAT8OID;
  ARR_DIMS(state)[0] = static_cast<int>(dim) + 1;
  ARR_LBOUND(state)[0] = 1;
  return state;
}

/// What the new state may be written into: inside an aggregate the old one itself, since no one
/// else holds it; else (SQL called the function) a copy.
inline ArrayType* own_state(FunctionCallInfo fcinfo, ArrayType* state) {
  if (AggCheckCallContext(fcinfo, nullptr) != 0) return state;
  return DatumGetArrayTypePCopy(PointerGetDatum(state));
}

/// sums[i] += addends[i]; false if a sum is no longer finite. One pass that compilers vectorize.
template <class Addend>
bool add_to(std::span<float8> sums, const Addend* addends) {
  float8 not_finite = 0;  // x - x is 0 for finite x, else NaN, and a NaN stays
#pragma omp simd reduction(+ : not_finite)
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const float8 sum = sums[i] + static_cast<float8>(addends[i]);
    sums[i] = sum;
    not_finite += sum - sum;
  }
  return not_finite == 0;
}

/// (state, T) -> state
template <core::Element T>
Datum dense_accum(FunctionCallInfo fcinfo, const char* caller) {
  ArrayType* state = PG_GETARG_ARRAYTYPE_P(0);
  const Value<T>* value = get_vector_argument<T>(fcinfo, 1);
  const std::size_t dim = get_state(state, caller).size() - 1;
  const float8 count = get_state(state, caller)[0];

  if (dim == 0) {
    state = new_state(value->dim);
  } else {
    check_expected_dim(static_cast<int32>(dim), value->dim);
    state = own_state(fcinfo, state);
  }
  const std::span<float8> numbers = get_state(state, caller);
  numbers[0] = count + 1;
  if (!add_to(numbers.subspan(1), value->elements())) float_overflow_error();
  PG_RETURN_ARRAYTYPE_P(state);
}

/// (state, state) -> state
template <core::Element T>
Datum dense_combine(FunctionCallInfo fcinfo, const char* caller) {
  ArrayType* state = PG_GETARG_ARRAYTYPE_P(0);
  ArrayType* other = PG_GETARG_ARRAYTYPE_P(1);
  const std::span<float8> numbers = get_state(state, caller);
  const std::span<float8> addends = get_state(other, caller);

  if (addends.size() > 1) check_dim<T>(static_cast<std::int64_t>(addends.size()) - 1);
  if (numbers.size() > 1) check_dim<T>(static_cast<std::int64_t>(numbers.size()) - 1);

  if (numbers.size() == 1 || addends.size() == 1) {
    // One of them has seen no row: the other is the sum, only the counts add up.
    ArrayType* longer = numbers.size() == 1 ? other : state;
    ArrayType* result = DatumGetArrayTypePCopy(PointerGetDatum(longer));
    get_state(result, caller)[0] = numbers[0] + addends[0];
    PG_RETURN_ARRAYTYPE_P(result);
  }
  check_expected_dim(static_cast<int32>(numbers.size() - 1), addends.size() - 1);
  ArrayType* result = own_state(fcinfo, state);
  if (!add_to(get_state(result, caller), addends.data())) float_overflow_error();
  PG_RETURN_ARRAYTYPE_P(result);
}

/// (state) -> T, NULL for no rows.
template <core::Element T>
Datum dense_avg(FunctionCallInfo fcinfo, const char* caller) {
  const std::span<const float8> numbers = get_state(PG_GETARG_ARRAYTYPE_P(0), caller);
  const float8 count = numbers[0];
  if (count == 0) PG_RETURN_NULL();
  const std::size_t dim = numbers.size() - 1;
  check_dim<T>(static_cast<std::int64_t>(dim));
  Value<T>* result = new_vector<T>(dim);
  for (std::size_t i = 0; i < dim; ++i) {
    result->elements()[i] = static_cast<T>(numbers[i + 1] / count);
  }
  check_finite<T>(result->view());
  PG_RETURN_POINTER(result);
}

}  // namespace nearest::pg
