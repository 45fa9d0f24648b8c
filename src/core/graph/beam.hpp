/// The best candidates of a search so far, nearest first.
#pragma once

#include <cstdint>

#include "core/arena.hpp"

namespace nearest::core {

/// A sorted array of at most `width` entries: beams are short, and shifting a few cache lines costs
/// less than the branches of a heap. Keys lie apart from what belongs to them, so that finding a
/// place reads little, and without branches that would be guessed wrong half of the time.
class Beam {
 public:
  static constexpr std::uint32_t kNoIndex = 0x7FFF'FFFF;

  struct Entry {
    std::uint32_t id;          ///< of the node
    std::uint32_t index : 31;  ///< in the candidate table
    std::uint32_t visited : 1;

    static Entry make(std::uint32_t id, std::uint32_t index, bool visited) {
      return {id, index & kNoIndex, visited ? 1U : 0U};
    }
  };
  static_assert(sizeof(Entry) == 8);

  static constexpr std::size_t kNone = ~std::size_t{0};

  template <Arena A>
  void prepare(A arena, std::size_t width) {
    keys_.clear();
    entries_.clear();
    keys_.reserve(arena, width + 1);
    entries_.reserve(arena, width + 1);
    width_ = width;
    first_open_ = 0;
  }

  std::size_t size() const { return keys_.size(); }
  std::size_t width() const { return width_; }
  bool is_full() const { return size() == width_; }
  float key(std::size_t i) const { return keys_[i]; }
  const Entry& operator[](std::size_t i) const { return entries_[i]; }

  /// The largest key; the beam must not be empty.
  float worst() const { return keys_[size() - 1]; }

  /// True if an entry with this key would stay.
  bool accepts(float key) const { return !is_full() || (width_ > 0 && key < worst()); }

  /// Enters a candidate that is accepted, behind its equals. Returns the index of the one that
  /// leaves, or kNoIndex.
  std::uint32_t insert(float key, const Entry& entry) {
    const std::size_t place = first_above(key);
    std::size_t last = size();
    std::uint32_t leaving = kNoIndex;
    if (last == width_) {
      --last;
      leaving = entries_[last].index;
    } else {
      keys_.set_size(last + 1);
      entries_.set_size(last + 1);
    }
    std::memmove(keys_.begin() + place + 1, keys_.begin() + place, (last - place) * sizeof(float));
    std::memmove(static_cast<void*>(entries_.begin() + place + 1), entries_.begin() + place,
                 (last - place) * sizeof(Entry));
    keys_[place] = key;
    entries_[place] = entry;
    if (entry.visited) {
      if (place <= first_open_) ++first_open_;
    } else if (place < first_open_) {
      first_open_ = place;
    }
    return leaving;
  }

  /// Takes a candidate out, if it is in with this key.
  void remove(float key, std::uint32_t id) {
    const std::size_t place = place_of(key, id);
    if (place == kNone) return;
    const std::size_t behind = size() - place - 1;
    std::memmove(keys_.begin() + place, keys_.begin() + place + 1, behind * sizeof(float));
    std::memmove(static_cast<void*>(entries_.begin() + place), entries_.begin() + place + 1,
                 behind * sizeof(Entry));
    keys_.set_size(size() - 1);
    entries_.set_size(entries_.size() - 1);
    if (place < first_open_) --first_open_;
  }

  /// The nearest entry not visited yet, or kNone.
  std::size_t next_open() {
    while (first_open_ < size() && entries_[first_open_].visited) ++first_open_;
    return first_open_ < size() ? first_open_ : kNone;
  }

 private:
  std::size_t place_of(float key, std::uint32_t id) const {
    if (size() == 0 || key > worst()) return kNone;
    std::size_t place = first_above(key);
    while (place > 0 && keys_[place - 1] == key && entries_[place - 1].id != id) --place;
    return place > 0 && keys_[place - 1] == key ? place - 1 : kNone;
  }

  /// The place of the first key above `key`.
  std::size_t first_above(float key) const {
    const float* base = keys_.begin();
    std::size_t left = size();
    while (left > 1) {
      const std::size_t half = left / 2;
      base += base[half - 1] <= key ? half : 0;  // a conditional move
      left -= half;
    }
    const auto place = static_cast<std::size_t>(base - keys_.begin());
    return left == 1 && *base <= key ? place + 1 : place;
  }

  ArenaArray<float> keys_;
  ArenaArray<Entry> entries_;
  std::size_t width_ = 0;
  std::size_t first_open_ = 0;  ///< all entries before it are visited
};

}  // namespace nearest::core
