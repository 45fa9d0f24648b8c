/// Prefetching for sequential scans over vectors that are stored inline.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
}

#include <cstdint>

namespace nearest::pg {

/// Call with the address of a row's vector while a scan reads it. If the value lies in a shared
/// buffer and the scan has been walking the buffer pool page by page, asks the CPU to fetch the
/// bytes at the same place of the next buffer: in a table of vectors that is the row to be read a
/// page from now. Without this every row waits for memory, since hardware prefetchers stop at each
/// 4 kB.
///
/// Only a hint: no byte is read, a wrong guess costs a little bandwidth, and the walk is watched so
/// that scans in another order make no guesses.
inline void read_ahead(const void* value, std::size_t bytes) {
  constexpr std::size_t kCacheLine = 64;
  static std::size_t last_page = 0;
  static bool walking = false;

  const auto pool = reinterpret_cast<std::uintptr_t>(BufferBlocks);
  const std::size_t page = (reinterpret_cast<std::uintptr_t>(value) - pool) / BLCKSZ;
  const std::size_t next_page = page + 1;
  if (next_page >= static_cast<std::size_t>(NBuffers)) return;  // a copy, or a temporary table

  if (page != last_page) {
    walking = page == last_page + 1;
    last_page = page;
    if (walking) {
      __builtin_prefetch(BufferBlocks + next_page * BLCKSZ);  // page header and line pointers
      __builtin_prefetch(GetBufferDescriptor(static_cast<uint32>(next_page)), 1);  // its pin count
    }
  }
  if (!walking) return;
  // From one line before the value: the row's header, which the visibility check reads first.
  const char* next = static_cast<const char*>(value) + BLCKSZ - kCacheLine;
  for (std::size_t i = 0; i < bytes + kCacheLine; i += kCacheLine) __builtin_prefetch(next + i);
}

}  // namespace nearest::pg
