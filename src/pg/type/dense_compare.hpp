/// Order, equality and hashing of dense vector types: what btree and hash operator classes are made
/// of.
#pragma once

#include "pg/type/vector_datum.hpp"

extern "C" {
#include "common/hashfn.h"
}

#include <algorithm>
#include <bit>

#include "core/metric.hpp"

namespace nearest::pg {

/// -1, 0 or 1, and no copy left behind: a sort makes millions of these calls in one memory context.
template <core::Element T>
int compare_arguments(FunctionCallInfo fcinfo) {
  Value<T>* a = get_vector_argument<T>(fcinfo, 0);
  Value<T>* b = get_vector_argument<T>(fcinfo, 1);
  const int order = core::compare<T>(a->view(), b->view());
  free_if_copy<T>(a, fcinfo, 0);
  free_if_copy<T>(b, fcinfo, 1);
  return order;
}

/// (T, T) -> integer
template <core::Element T>
Datum dense_cmp(FunctionCallInfo fcinfo) {
  PG_RETURN_INT32(compare_arguments<T>(fcinfo));
}

/// (T, T) -> boolean; Holds is std::less<int> and the like, applied to the order and 0.
template <core::Element T, class Holds>
Datum dense_relation(FunctionCallInfo fcinfo) {
  PG_RETURN_BOOL(Holds{}(compare_arguments<T>(fcinfo), 0));
}

/// Hash of the elements' bits, the two zeros counted as one because they are equal. The server's
/// hash_bytes wants contiguous memory, so the bits pass through a buffer.
template <core::Element T>
uint64 hash_elements(core::VectorView<T> elements, uint64 seed) {
  constexpr std::size_t kChunk = 256;  // elements; 1 kB of stack
  std::uint32_t bits[kChunk];
  for (std::size_t i = 0; i < elements.size(); i += kChunk) {
    const std::size_t n = std::min(kChunk, elements.size() - i);
    for (std::size_t j = 0; j < n; ++j) {
      bits[j] = elements[i + j] == 0 ? 0 : std::bit_cast<std::uint32_t>(elements[i + j]);
    }
    seed = hash_bytes_extended(reinterpret_cast<const unsigned char*>(bits),
                               static_cast<int>(n * sizeof bits[0]), seed);
  }
  return seed;
}

/// (T) -> integer. The low half of the extended hash with seed 0, as the server wants it.
template <core::Element T>
Datum dense_hash(FunctionCallInfo fcinfo) {
  Value<T>* value = get_vector_argument<T>(fcinfo, 0);
  const uint64 hash = hash_elements<T>(value->view(), 0);
  free_if_copy<T>(value, fcinfo, 0);
  PG_RETURN_UINT32(static_cast<uint32>(hash));
}

/// (T, bigint) -> bigint
template <core::Element T>
Datum dense_hash_extended(FunctionCallInfo fcinfo) {
  Value<T>* value = get_vector_argument<T>(fcinfo, 0);
  const uint64 hash = hash_elements<T>(value->view(), static_cast<uint64>(PG_GETARG_INT64(1)));
  free_if_copy<T>(value, fcinfo, 0);
  PG_RETURN_UINT64(hash);
}

}  // namespace nearest::pg
