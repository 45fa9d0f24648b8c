/// Which codes of the probed lists may be among the k nearest, by their bounds.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/arena.hpp"

namespace nearest::core {

/// A code that was scored. T says where it lies.
template <class T>
struct Survivor {
  float lower, estimate;
  T place;
};

/// Keeps what is not beyond the k-th least upper bound so far: at least k codes are nearer than
/// that, if bounds hold. Bounded: when the room is used up, what has fallen behind the limit goes,
/// and then, if that is not a quarter, those of the largest lower bounds.
template <class T>
class Survivors {
 public:
  /// room: of at least 4·k entries.
  template <Arena A>
  void prepare(A arena, std::size_t k, std::size_t room) {
    found_.clear();
    uppers_.clear();
    found_.reserve(arena, room);
    uppers_.reserve(arena, k);
    k_ = k;
    room_ = room;
    dropped_ = 0;
  }

  /// Bounds above it are of no interest.
  float limit() const {
    return uppers_.size() < k_ ? std::numeric_limits<float>::max() : uppers_[0];
  }

  /// lower <= limit(); upper is the estimate plus as much as lower is below it.
  void add(float lower, float estimate, const T& place) {
    const float upper = estimate + (estimate - lower);
    if (uppers_.size() < k_) {
      uppers_.set_size(uppers_.size() + 1);
      uppers_[uppers_.size() - 1] = upper;
      std::push_heap(uppers_.begin(), uppers_.end());
    } else if (upper < uppers_[0]) {
      std::pop_heap(uppers_.begin(), uppers_.end());
      uppers_[k_ - 1] = upper;
      std::push_heap(uppers_.begin(), uppers_.end());
    }
    if (found_.size() == room_) make_room();
    found_.set_size(found_.size() + 1);
    found_[found_.size() - 1] = {lower, estimate, place};
  }

  /// Drops what the limit has left behind, and sorts the rest by lower bounds.
  void finish() {
    drop_beyond_limit();
    std::sort(found_.begin(), found_.end(), is_lower);
  }

  std::size_t size() const { return found_.size(); }
  const Survivor<T>& operator[](std::size_t i) const { return found_[i]; }
  /// How many were dropped for want of room.
  std::size_t dropped() const { return dropped_; }

 private:
  static bool is_lower(const Survivor<T>& a, const Survivor<T>& b) { return a.lower < b.lower; }

  void drop_beyond_limit() {
    const float most = limit();
    found_.set_size(static_cast<std::size_t>(
        std::remove_if(found_.begin(), found_.end(),
                       [most](const Survivor<T>& one) { return one.lower > most; }) -
        found_.begin()));
  }

  void make_room() {
    drop_beyond_limit();
    const std::size_t keep = room_ - room_ / 4;
    if (found_.size() <= keep) return;
    std::nth_element(found_.begin(), found_.begin() + keep, found_.end(), is_lower);
    dropped_ += found_.size() - keep;
    found_.set_size(keep);
  }

  ArenaArray<Survivor<T>> found_;
  ArenaArray<float> uppers_;  ///< a heap of the k least upper bounds, the largest first
  std::size_t k_ = 0, room_ = 0, dropped_ = 0;
};

}  // namespace nearest::core
