/// The n nearest of many that come after a mark: pages of a long answer, each with one more pass
/// over what there is.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "core/arena.hpp"

namespace nearest::core {

/// T has an order of its own, which decides between equal keys, so that no two are alike.
template <class T>
struct Keyed {
  double key;
  T place;

  friend bool operator<(const Keyed& a, const Keyed& b) {
    return a.key < b.key || (a.key == b.key && a.place < b.place);
  }
};

/// Keeps the n least in an array of 2·n: adding allocates nothing. Keys are not NaN.
template <class T>
class NextNearest {
 public:
  /// Begins a pass for n entries, of those behind `after` only; null: of all.
  template <Arena A>
  void begin(A arena, std::size_t n, const Keyed<T>* after) {
    found_.clear();
    found_.reserve(arena, 2 * n);
    n_ = n;
    has_mark_ = after != nullptr;
    if (has_mark_) mark_ = *after;
    limit_ = std::numeric_limits<double>::infinity();
    has_more_ = false;
  }

  /// Keys above it are of no interest.
  double limit() const { return limit_; }

  void add(double key, const T& place) {
    const Keyed<T> one{key, place};
    if (key > limit_ || (has_mark_ && !(mark_ < one))) return;
    if (found_.size() == 2 * n_) cut();
    found_.set_size(found_.size() + 1);
    found_[found_.size() - 1] = one;
  }

  /// Sorts the n least and drops the others.
  void finish() {
    if (found_.size() > n_) cut();
    std::sort(found_.begin(), found_.end());
  }

  std::size_t size() const { return found_.size(); }
  Keyed<T>* begin() { return found_.begin(); }
  const Keyed<T>& operator[](std::size_t i) const { return found_[i]; }
  /// Whether there are others behind the last of these: it is the mark of the next pass.
  bool has_more() const { return has_more_; }

 private:
  void cut() {
    std::nth_element(found_.begin(), found_.begin() + (n_ - 1), found_.end());
    limit_ = found_[n_ - 1].key;
    found_.set_size(n_);
    has_more_ = true;
  }

  ArenaArray<Keyed<T>> found_;
  Keyed<T> mark_{};
  double limit_ = 0;
  std::size_t n_ = 0;
  bool has_mark_ = false, has_more_ = false;
};

}  // namespace nearest::core
