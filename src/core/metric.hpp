/// Distances between vectors as users see them: one template each over the element type.
///
/// Sums are in float32 (see kernels/table.hpp), what follows is in double, as in pgvector: a sum
/// that overflows makes a distance infinite, and the cosine distance of a zero vector is NaN. Both
/// vectors must have the same dimension; callers check.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/element.hpp"
#include "core/kernels/table.hpp"

namespace nearest::core {

/// The kernels of one element type under common names, so that templates can call them.
template <Element T>
struct KernelsFor;

template <>
struct KernelsFor<float> {
  using View = VectorView<float>;
  static float l2_squared(View a, View b) {
    return kernels().l2_squared_f32(a.data(), b.data(), a.size());
  }
  static float inner_product(View a, View b) {
    return kernels().inner_product_f32(a.data(), b.data(), a.size());
  }
  static CosineSums cosine_sums(View a, View b) {
    return kernels().cosine_sums_f32(a.data(), b.data(), a.size());
  }
  static float l1(View a, View b) { return kernels().l1_f32(a.data(), b.data(), a.size()); }
};

template <Element T>
double l2_squared_distance(VectorView<T> a, VectorView<T> b) {
  return KernelsFor<T>::l2_squared(a, b);
}

template <Element T>
double l2_distance(VectorView<T> a, VectorView<T> b) {
  return std::sqrt(l2_squared_distance<T>(a, b));
}

template <Element T>
double inner_product(VectorView<T> a, VectorView<T> b) {
  return KernelsFor<T>::inner_product(a, b);
}

template <Element T>
double negative_inner_product(VectorView<T> a, VectorView<T> b) {
  return -inner_product<T>(a, b);
}

/// 1 - cosine similarity, in [0, 2]; NaN if a vector is zero or a sum overflows.
template <Element T>
double cosine_distance(VectorView<T> a, VectorView<T> b) {
  const CosineSums sums = KernelsFor<T>::cosine_sums(a, b);
  const double similarity = static_cast<double>(sums.product) /
                            std::sqrt(static_cast<double>(sums.a_squared) * sums.b_squared);
  // Written so that NaN stays NaN.
  return 1.0 - (similarity > 1.0 ? 1.0 : similarity < -1.0 ? -1.0 : similarity);
}

template <Element T>
double l1_distance(VectorView<T> a, VectorView<T> b) {
  return KernelsFor<T>::l1(a, b);
}

/// The angle between two unit vectors as a part of a half turn, in [0, 1].
template <Element T>
double spherical_distance(VectorView<T> a, VectorView<T> b) {
  constexpr double kPi = 3.14159265358979323846;
  return std::acos(std::clamp(inner_product<T>(a, b), -1.0, 1.0)) / kPi;
}

/// Euclidean norm; in double, so that it cannot overflow.
template <Element T>
double norm(VectorView<T> a) {
  const T* const elements = a.data();
  const std::size_t n = a.size();
  double squared = 0;
#pragma omp simd reduction(+ : squared)
  for (std::size_t i = 0; i < n; ++i) {
    squared += static_cast<double>(elements[i]) * static_cast<double>(elements[i]);
  }
  return std::sqrt(squared);
}

/// -1, 0 or 1: element by element, then the shorter vector first, as arrays compare.
template <Element T>
int compare(VectorView<T> a, VectorView<T> b) {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (a[i] < b[i]) return -1;
    if (a[i] > b[i]) return 1;
  }
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return 0;
}

}  // namespace nearest::core
