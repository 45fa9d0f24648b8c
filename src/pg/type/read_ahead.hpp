/// Prefetching for sequential scans over vectors that are stored inline.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
}

#include <cstdint>

#include "pg/compat.hpp"

namespace nearest::pg {

/// Asks the CPU to fetch what a sequential scan over a table of vectors reads next. Without this
/// every row waits for memory: rows are larger than the 4 kB at whose borders hardware prefetchers
/// stop.
///
/// The row wanted is the one at the same place of the next page. Where that page is, the buffers
/// around this one tell: tables come into shared buffers block by block, so the next block is
/// mostly a few buffers on, or back where buffers were freed in one go. Each buffer's descriptor
/// names its block. Where the next block is not near, the next row of the same page is fetched,
/// which lies below.
///
/// Reads in no order, such as those of an index, soon stop asking: each failure doubles the number
/// of pages until the next search.
///
/// Descriptors are read without a lock. A torn or stale tag costs a useless prefetch, no more: no
/// byte of another page is read.
class ReadAhead {
 public:
  /// Call with the address of a row's vector when its elements are about to be read.
  void operator()(const void* value, std::size_t bytes) {
    const std::uintptr_t offset =
        reinterpret_cast<std::uintptr_t>(value) - reinterpret_cast<std::uintptr_t>(BufferBlocks);
    const bool is_in_pool = offset >= kCacheLine && offset < std::uintptr_t{BLCKSZ} * NBuffers;
    if (!is_in_pool) return;  // a copy; a local buffer
    if (row_comes_by_index) [[unlikely]] {
      row_comes_by_index = false;  // what lies near it says nothing of the next one
      return;
    }
    const auto buffer = static_cast<int>(offset / BLCKSZ);
    if (buffer != buffer_) {
      buffer_ = buffer;
      if (find_next()) __builtin_prefetch(BufferBlocks + std::size_t{BLCKSZ} * next());
    }

    // The row with its header, which the visibility check reads first.
    const std::size_t row_bytes = bytes + kCacheLine;
    const std::size_t row_offset = offset - kCacheLine;
    if (step_ != 0) {
      fetch(row_offset + static_cast<std::ptrdiff_t>(step_) * BLCKSZ, row_bytes);
    } else if (offset % BLCKSZ > row_bytes) {
      fetch(row_offset - bytes, row_bytes);
    }
  }

  /// Set by index scans for each row that they return.
  static inline bool row_comes_by_index = false;

 private:
  static constexpr std::size_t kCacheLine = 64;
  static constexpr int kNear = 32;      // buffers that are searched in both directions
  static constexpr int kMaxPause = 64;  // pages

  int next() const { return buffer_ + step_; }

  static void fetch(std::size_t offset, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; i += kCacheLine)
      __builtin_prefetch(BufferBlocks + offset + i);
  }

  /// Sets step_ to where the next block is, 0 if that is not known.
  bool find_next() {
    if (pages_to_skip_ > 0) {
      --pages_to_skip_;
      return false;
    }
    BufferTag wanted = GetBufferDescriptor(static_cast<uint32>(buffer_))->tag;
    ++wanted.blockNum;
    const auto holds_wanted = [&](int buffer) {
      return buffer >= 0 && buffer < NBuffers &&
             is_same_buffer_tag(GetBufferDescriptor(static_cast<uint32>(buffer))->tag, wanted);
    };
    if (step_ != 0 && holds_wanted(next())) return true;
    for (int distance = 1; distance <= kNear; ++distance) {
      for (const int step : {distance, -distance}) {
        step_ = step;
        if (holds_wanted(next())) {
          pause_ = 1;
          return true;
        }
      }
    }
    step_ = 0;
    pages_to_skip_ = pause_;
    pause_ = pause_ < kMaxPause ? 2 * pause_ : kMaxPause;
    return false;
  }

  int buffer_ = -1;  ///< of the last call, from 0
  int step_ = 0;     ///< from it to the buffer of the next block
  int pause_ = 1;    ///< pages to skip after the next failure
  int pages_to_skip_ = 0;
};

}  // namespace nearest::pg
