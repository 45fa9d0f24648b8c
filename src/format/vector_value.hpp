/// The stored `vector` value, byte for byte pgvector's.
///
///     | varlena header 4 | dim 2 | reserved 2 | elements: dim x sizeof(T) |
///
/// In native byte order, behind whatever short or compressed form the server may store it in; the
/// elements are aligned only once the value has its four-byte header (is "detoasted").
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/element.hpp"

namespace nearest::format {

/// Most elements of a dense vector type, in tables and on the wire.
inline constexpr std::uint32_t kMaxDim = 16'000;

template <core::Element T>
struct DenseValue {
  std::int32_t varlena_header;  ///< the server's; never read here
  std::uint16_t dim;            ///< 1 to kMaxDim
  std::uint16_t reserved;       ///< always 0

  T* elements() { return reinterpret_cast<T*>(this + 1); }
  const T* elements() const { return reinterpret_cast<const T*>(this + 1); }
  core::VectorView<T> view() const { return {elements(), dim}; }

  /// Bytes of a whole value of `dim` elements, the header included.
  static constexpr std::size_t bytes(std::size_t dim) {
    return sizeof(DenseValue) + dim * sizeof(T);
  }
};

static_assert(sizeof(DenseValue<float>) == 8 && offsetof(DenseValue<float>, dim) == 4 &&
              offsetof(DenseValue<float>, reserved) == 6 &&
              std::is_trivially_copyable_v<DenseValue<float>>);

}  // namespace nearest::format
