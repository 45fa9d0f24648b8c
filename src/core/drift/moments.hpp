/// Count, mean and spread of a figure, kept without the values.
#pragma once

#include <cmath>

namespace nearest::core {

/// Welford 1962; merged as by Chan, Golub and LeVeque 1979. Stored in pages: three doubles.
struct Moments {
  double n;
  double mean;
  double squares;  ///< Σ (x - mean)²

  void add(double x) {
    n += 1;
    const double off = x - mean;
    mean += off / n;
    squares += off * (x - mean);
  }

  void merge(const Moments& other) {
    if (other.n == 0) return;
    const double sum = n + other.n, off = other.mean - mean;
    squares += other.squares + off * off * (n * other.n / sum);
    mean += off * (other.n / sum);
    n = sum;
  }

  /// Standard deviation of the values themselves.
  double spread() const { return n > 0 && squares > 0 ? std::sqrt(squares / n) : 0; }
};
static_assert(sizeof(Moments) == 24);

}  // namespace nearest::core
