/// The best candidates of a search so far, nearest first.
#pragma once

#include <cstdint>

#include "core/arena.hpp"

namespace nearest::core {

/// A sorted array of at most `width` entries: beams are short, and shifting a few cache lines costs
/// less than the branches of a heap. Ties are broken by the node id, so that searches repeat.
class Beam {
 public:
  struct Entry {
    float key;            ///< steering distance
    std::uint32_t id;     ///< of the node
    std::uint32_t index;  ///< in the candidate table
    bool visited;
  };

  static constexpr std::size_t kNone = ~std::size_t{0};

  template <Arena A>
  void prepare(A arena, std::size_t width) {
    entries_.clear();
    entries_.reserve(arena, width + 1);
    width_ = width;
    first_open_ = 0;
  }

  std::size_t size() const { return entries_.size(); }
  std::size_t width() const { return width_; }
  const Entry& operator[](std::size_t i) const { return entries_[i]; }

  /// True if an entry with this key would stay.
  bool accepts(float key) const {
    return entries_.size() < width_ || key < entries_[entries_.size() - 1].key;
  }

  /// Enters a candidate; the worst one leaves if there are too many.
  void insert(const Entry& entry) {
    if (!accepts(entry.key)) return;
    std::size_t place = place_of(entry.key, entry.id);
    std::size_t last = entries_.size();
    if (last == width_) {
      --last;
    } else {
      entries_.set_size(last + 1);
    }
    Entry* const data = entries_.begin();
    std::memmove(static_cast<void*>(data + place + 1), data + place,
                 (last - place) * sizeof(Entry));
    data[place] = entry;
    if (entry.visited) {
      if (place <= first_open_) ++first_open_;
    } else if (place < first_open_) {
      first_open_ = place;
    }
  }

  /// Takes a candidate out, if it is in with this key.
  void remove(float key, std::uint32_t id) {
    const std::size_t place = place_of(key, id);
    if (place >= entries_.size() || entries_[place].id != id || entries_[place].key != key) return;
    Entry* const data = entries_.begin();
    std::memmove(static_cast<void*>(data + place), data + place + 1,
                 (entries_.size() - place - 1) * sizeof(Entry));
    entries_.set_size(entries_.size() - 1);
    if (place < first_open_) --first_open_;
  }

  /// The nearest entry not visited yet, or kNone.
  std::size_t next_open() {
    while (first_open_ < entries_.size() && entries_[first_open_].visited) ++first_open_;
    return first_open_ < entries_.size() ? first_open_ : kNone;
  }

 private:
  /// Of the first entry that is not before (key, id).
  std::size_t place_of(float key, std::uint32_t id) const {
    std::size_t low = 0, high = entries_.size();
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      const Entry& entry = entries_[middle];
      if (entry.key < key || (entry.key == key && entry.id < id)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  ArenaArray<Entry> entries_;
  std::size_t width_ = 0;
  std::size_t first_open_ = 0;  ///< all entries before it are visited
};

}  // namespace nearest::core
