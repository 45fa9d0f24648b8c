/// Between SQL values and the vectors of core: reading arguments, making results, the common
/// checks.
#pragma once

#include "pg/postgres.hpp"

#include "core/element.hpp"
#include "format/vector_value.hpp"
#include "pg/type/read_ahead.hpp"

namespace nearest::pg {

/// What SQL calls the vector type with elements of type T; error messages begin with it.
template <core::Element T>
struct SqlType;

template <>
struct SqlType<float> {
  static constexpr const char* kName = "vector";
};

template <core::Element T>
using Value = format::DenseValue<T>;

/// Raises if `dim` is not a possible dimension.
template <core::Element T>
void check_dim(std::int64_t dim) {
  if (dim < 1) {
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                    errmsg("%s must have at least 1 dimension", SqlType<T>::kName)));
  }
  if (dim > format::kMaxDim) {
    ereport(ERROR,
            (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
             errmsg("%s cannot have more than %u dimensions", SqlType<T>::kName, format::kMaxDim)));
  }
}

/// Raises if a column or cast says vector(typmod) and the value has another dimension; -1 says
/// nothing.
inline void check_expected_dim(int32 typmod, std::size_t dim) {
  if (typmod != -1 && typmod != static_cast<int32>(dim)) {
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                    errmsg("expected %d dimensions, not %d", typmod, static_cast<int>(dim))));
  }
}

/// Raises unless both vectors have the same dimension.
template <core::Element T>
void check_same_dim(const Value<T>* a, const Value<T>* b) {
  if (a->dim != b->dim) {
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("different %s dimensions %d and %d",
                                                            SqlType<T>::kName, a->dim, b->dim)));
  }
}

/// Raises: vectors hold finite numbers only. Called for an element that is not.
template <core::Element T>
[[noreturn]] void report_not_finite(T element) {
  ereport(ERROR,
          (errcode(ERRCODE_DATA_EXCEPTION),
           errmsg(element != element ? "NaN not allowed in %s" : "infinite value not allowed in %s",
                  SqlType<T>::kName)));
  pg_unreachable();
}

/// True if no element is NaN or infinite: one pass without branches.
template <core::Element T>
bool are_finite(core::VectorView<T> elements) {
  bool all_finite = true;
  for (const T element : elements) all_finite &= element - element == 0;  // not for NaN, infinities
  return all_finite;
}

/// Raises if an element is NaN or infinite.
template <core::Element T>
void check_finite(core::VectorView<T> elements) {
  if (are_finite<T>(elements)) return;
  for (const T element : elements) {
    if (!(element - element == 0)) report_not_finite<T>(element);
  }
}

/// The vector behind a Datum, uncompressed and aligned: the value itself or a copy in the current
/// memory context. A stored value whose length does not fit its dimension is reported, never read.
template <core::Element T>
Value<T>* get_vector(Datum datum) {
  auto* value = reinterpret_cast<Value<T>*>(PG_DETOAST_DATUM(datum));
  const std::size_t bytes = VARSIZE(value);
  if (bytes < sizeof(Value<T>) || bytes != Value<T>::bytes(value->dim) || value->dim < 1 ||
      value->dim > format::kMaxDim) [[unlikely]] {
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("stored value of type %s is damaged", SqlType<T>::kName),
                    errdetail("Its length of %zu bytes does not fit its dimension.", bytes)));
  }
  return value;
}

/// An argument whose elements are about to be read.
template <core::Element T>
Value<T>* get_vector_argument(FunctionCallInfo fcinfo, int n) {
  static ReadAhead read_ahead[2];  // a scan is recognized across calls, by argument
  Value<T>* value = get_vector<T>(PG_GETARG_DATUM(n));
  read_ahead[n & 1](value, Value<T>::bytes(value->dim));
  return value;
}

/// For functions that are called in long loops in one memory context, such as comparisons in sorts.
template <core::Element T>
void free_if_copy(Value<T>* value, FunctionCallInfo fcinfo, int n) {
  if (value != reinterpret_cast<Value<T>*>(PG_GETARG_POINTER(n))) pfree(value);
}

/// A new vector in the current memory context; its elements are still to be written.
template <core::Element T>
Value<T>* new_vector(std::size_t dim) {
  const std::size_t bytes = Value<T>::bytes(dim);
  auto* value = static_cast<Value<T>*>(palloc(bytes));
  SET_VARSIZE(value, bytes);
  value->dim = static_cast<std::uint16_t>(dim);
  value->reserved = 0;
  return value;
}

}  // namespace nearest::pg
