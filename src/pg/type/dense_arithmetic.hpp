/// Element-wise arithmetic and reshaping of dense vector types.
#pragma once

#include "pg/type/vector_datum.hpp"

extern "C" {
#include "utils/float.h"
#include "utils/varbit.h"
}

#include <algorithm>

#include "core/metric.hpp"

namespace nearest::pg {

template <core::Element T, class Operation>
void combine_elements(const Value<T>* a, const Value<T>* b, Operation operation, Value<T>* result) {
  const T* x = a->elements();
  const T* y = b->elements();
  T* out = result->elements();
  for (std::size_t i = 0; i < result->dim; ++i) out[i] = operation(x[i], y[i]);
  // Sums and products of finite elements are never NaN: what is not finite has overflowed.
  if (!are_finite<T>(result->view())) float_overflow_error();
}

/// (T, T) -> T: the operators + and -, and the transition and combine function of sum(). As such it
/// adds into its state, which no one else reads until the aggregate ends.
template <core::Element T, class Operation>
Datum dense_add_or_subtract(FunctionCallInfo fcinfo) {
  Value<T>* a = get_vector_argument<T>(fcinfo, 0);
  const Value<T>* b = get_vector_argument<T>(fcinfo, 1);
  check_same_dim<T>(a, b);
  Value<T>* result = AggCheckCallContext(fcinfo, nullptr) != 0 ? a : new_vector<T>(a->dim);
  combine_elements<T>(a, b, Operation{}, result);
  PG_RETURN_POINTER(result);
}

/// (T, T) -> T: element-wise product; a product that vanishes is an error like one that overflows.
template <core::Element T>
Datum dense_multiply(FunctionCallInfo fcinfo) {
  const Value<T>* a = get_vector_argument<T>(fcinfo, 0);
  const Value<T>* b = get_vector_argument<T>(fcinfo, 1);
  check_same_dim<T>(a, b);
  Value<T>* result = new_vector<T>(a->dim);
  combine_elements<T>(
      a, b, [](T x, T y) { return static_cast<T>(x * y); }, result);
  for (std::size_t i = 0; i < result->dim; ++i) {
    if (result->elements()[i] == 0 && a->elements()[i] != 0 && b->elements()[i] != 0) {
      float_underflow_error();
    }
  }
  PG_RETURN_POINTER(result);
}

/// (T, T) -> T: the elements of both, one behind the other.
template <core::Element T>
Datum dense_concat(FunctionCallInfo fcinfo) {
  const Value<T>* a = get_vector_argument<T>(fcinfo, 0);
  const Value<T>* b = get_vector_argument<T>(fcinfo, 1);
  const int dim = a->dim + b->dim;
  check_dim<T>(dim);
  Value<T>* result = new_vector<T>(static_cast<std::size_t>(dim));
  T* rest = std::copy_n(a->elements(), a->dim, result->elements());
  std::copy_n(b->elements(), b->dim, rest);
  PG_RETURN_POINTER(result);
}

/// (T) -> T of norm 1; the zero vector stays what it is.
template <core::Element T>
Datum dense_normalize(FunctionCallInfo fcinfo) {
  const Value<T>* value = get_vector_argument<T>(fcinfo, 0);
  Value<T>* result = new_vector<T>(value->dim);
  const double norm = core::norm<T>(value->view());
  std::transform(value->elements(), value->elements() + value->dim, result->elements(),
                 [norm](T x) { return norm > 0 ? static_cast<T>(x / norm) : T{0}; });
  // The norm is at least as large as any element, but rounding of halves may still leave the range.
  if (!are_finite<T>(result->view())) float_overflow_error();
  PG_RETURN_POINTER(result);
}

/// (T, start, count) -> T: elements as substring() takes characters, start 1 being the first.
template <core::Element T>
Datum dense_subvector(FunctionCallInfo fcinfo) {
  const Value<T>* value = get_vector_argument<T>(fcinfo, 0);
  const std::int64_t start = PG_GETARG_INT32(1);
  const std::int64_t count = PG_GETARG_INT32(2);
  // Half-open and from 0, in 64 bits, where no sum of two arguments can overflow.
  const std::int64_t begin = std::max<std::int64_t>(start - 1, 0);
  const std::int64_t end = std::min<std::int64_t>(start - 1 + count, value->dim);
  check_dim<T>(count < 1 ? 0 : end - begin);
  Value<T>* result = new_vector<T>(static_cast<std::size_t>(end - begin));
  std::copy_n(value->elements() + begin, end - begin, result->elements());
  PG_RETURN_POINTER(result);
}

/// (T) -> bit: 1 where an element is positive; the first dimension is the first bit.
template <core::Element T>
Datum dense_binary_quantize(FunctionCallInfo fcinfo) {
  const Value<T>* value = get_vector_argument<T>(fcinfo, 0);
  const int n_bits = value->dim;
  const std::size_t bytes = static_cast<std::size_t>(VARBITTOTALLEN(n_bits));
  auto* result = static_cast<VarBit*>(palloc0(bytes));
  SET_VARSIZE(result, bytes);
  VARBITLEN(result) = n_bits;
  bits8* bits = VARBITS(result);
  for (int i = 0; i < n_bits; ++i) {
    const int is_positive = value->elements()[i] > 0 ? 1 : 0;
    bits[i / 8] = static_cast<bits8>(bits[i / 8] | (is_positive << (7 - i % 8)));
  }
  PG_RETURN_VARBIT_P(result);
}

}  // namespace nearest::pg
