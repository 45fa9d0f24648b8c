/// A set of small numbers, blocks mostly: one bit each.
#pragma once

#include "pg/postgres.hpp"

#include <cstddef>
#include <cstdint>

#include "pg/memory.hpp"

namespace nearest::pg {

class Bits {
 public:
  /// For numbers up to n. Memory comes from the current context.
  void prepare(std::size_t n) {
    words_ = allocate_in<std::uint64_t>(CurrentMemoryContext, n / 64 + 1);
  }
  bool has(std::size_t i) const { return (words_[i / 64] >> (i % 64) & 1) != 0; }
  /// False if it was in already.
  bool add(std::size_t i) {
    if (has(i)) return false;
    words_[i / 64] |= std::uint64_t{1} << (i % 64);
    return true;
  }
  void remove(std::size_t i) { words_[i / 64] &= ~(std::uint64_t{1} << (i % 64)); }

 private:
  std::uint64_t* words_;
};

}  // namespace nearest::pg
