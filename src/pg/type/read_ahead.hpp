/// Prefetching for sequential scans over vectors that are stored inline.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "storage/bufmgr.h"
}

namespace nearest::pg {

/// Call with the address of a row's vector while a scan reads it. If the value lies in a shared
/// buffer and the scan has been walking the buffer pool page by page, asks the CPU to fetch the
/// bytes at the same place of the next buffer: in a table of vectors that is the row read a page
/// from now, and without this every row waits for memory, since hardware prefetchers stop at each 4
/// kB.
///
/// Only a hint: nothing is read, a wrong guess costs a little bandwidth, and the walk is watched so
/// that scans in another order do not pay for guesses.
inline void read_ahead(const void* value, std::size_t bytes) {
  constexpr std::size_t kCacheLine = 64;
  static std::size_t last_page = 0;
  static bool walking = false;

  const auto offset = static_cast<std::size_t>(static_cast<const char*>(value) - BufferBlocks);
  if (offset >= static_cast<std::size_t>(NBuffers) * BLCKSZ) return;  // a copy, or a local buffer
  const std::size_t page = offset / BLCKSZ;
  if (page != last_page) {
    walking = page == last_page + 1;
    last_page = page;
    if (walking) __builtin_prefetch(BufferBlocks + (page + 1) * BLCKSZ);  // header, line pointers
  }
  if (!walking) return;
  const char* next = static_cast<const char*>(value) + BLCKSZ;
  // One line before the value: the row's header, which the visibility check reads first.
  for (std::size_t i = 0; i < bytes + kCacheLine; i += kCacheLine) {
    __builtin_prefetch(next - kCacheLine + i);
  }
}

}  // namespace nearest::pg
