/// What a vector's elements may be: one trait set per type that can be stored.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>

namespace nearest::core {

/// Traits of a stored element type: `Sum` is what sums of products are kept in by the kernels.
template <class T>
struct ElementTraits;

template <>
struct ElementTraits<float> {
  using Sum = float;
};

/// A type that vectors are made of. Algorithms are templates over it, kernels are not (one per
/// type).
template <class T>
concept Element = requires {
  typename ElementTraits<T>::Sum;
};

/// Borrowed elements of one vector; the dimension is its size().
template <Element T>
using VectorView = std::span<const T>;

}  // namespace nearest::core
