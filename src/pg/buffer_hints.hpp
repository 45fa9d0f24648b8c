/// Where pages of a relation were last seen in shared buffers.
///
/// A search reads dozens of pages in no order, and for each one the server looks up its buffer in a
/// table that lies all over memory. A backend remembers where it found a page: then pinning it is a
/// look at the buffer's own descriptor, and the page can be asked for before it is needed.
///
/// Contract:
///   1. A hint may be wrong at any time: the server compares the page's name after it pins, and
///      falls back to the table.
///   2. Prefetching reads no byte; it may bring in another page's memory, which costs time only.
///   3. One array per relation and backend, for at most 16 relations, of at most kMostHints entries
///      (4 MB) and not of more than twice as many as there are shared buffers. The objects are
///      never freed: a scan that stays open while other relations take its place only has bad
///      hints.
///   4. Relations in local buffers have none: their pages are looked up each time.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
}

#include <cstdint>

#include "pg/compat.hpp"

namespace nearest::pg {

class BufferHints {
 public:
  /// The hints of a relation, never null; empty for those in local buffers. They live as long as
  /// the backend, but another relation may take their place, so ask again for each scan.
  static BufferHints* of(Relation relation);

  /// Pins a page of the main fork, as ReadBuffer does.
  Buffer read(Relation relation, BlockNumber block) {
    if (RelationUsesLocalBuffers(relation)) return ReadBuffer(relation, block);
    Buffer& hint = hints_[block & mask_];
    // A pin by hint does not count as a use for the clock that evicts pages: now and then take the
    // way that does.
    constexpr std::uint32_t kUncounted = 16;
    if (hint > 0 && ++reads_ % kUncounted != 0 && read_recent_buffer(relation, block, hint)) {
      return hint;
    }
    const Buffer buffer = ReadBuffer(relation, block);
    hint = buffer;
    return buffer;
  }

  /// Whether the relation has this block. It must be one that is never truncated, as an index of
  /// ours is: what was once its length is remembered.
  bool has_block(Relation relation, BlockNumber block) {
    if (!is_same_file(file_, relation_file(relation))) {
      return block < RelationGetNumberOfBlocks(relation);  // another relation took the place
    }
    if (block >= known_blocks_) known_blocks_ = RelationGetNumberOfBlocks(relation);
    return block < known_blocks_;
  }

  /// Remembers a page that another has read.
  void learn(BlockNumber block, Buffer buffer) {
    if (buffer > 0) hints_[block & mask_] = buffer;
  }

  /// Asks the CPU for the descriptor of a page and for `bytes` of it, if it is known where they
  /// are.
  void prefetch(BlockNumber block, std::size_t offset, std::size_t bytes) const {
    const Buffer hint = hints_[block & mask_];
    if (hint <= 0) return;
    __builtin_prefetch(GetBufferDescriptor(static_cast<uint32>(hint - 1)), 1);
    const char* const page = BufferBlocks + static_cast<std::size_t>(hint - 1) * BLCKSZ;
    __builtin_prefetch(page);
    __builtin_prefetch(page + BLCKSZ - kCacheLine);  // the special space
    for (std::size_t i = 0; i < bytes; i += kCacheLine) __builtin_prefetch(page + offset + i);
  }

  /// The hint itself, or 0.
  Buffer at(BlockNumber block) const { return hints_[block & mask_]; }

  /// The page itself, if its buffer is known: for prefetching what it points to. Without pin or
  /// lock: what is read there is a guess. Null if unknown.
  const char* peek(BlockNumber block) const {
    const Buffer hint = hints_[block & mask_];
    return hint > 0 ? BufferBlocks + static_cast<std::size_t>(hint - 1) * BLCKSZ : nullptr;
  }

  static constexpr std::size_t kCacheLine = 64;

 private:
  static constexpr std::uint32_t kFewestHints = 1024, kMostHints = 1U << 20;

  static std::uint32_t most_hints();
  static BufferHints* of_local();

  /// Empty hints for a relation, with room for all of its blocks if they are not too many.
  void begin(Relation relation);

  std::uint64_t last_use_;
  Buffer* hints_;  ///< null: used by no relation yet
  RelationFile file_;
  std::uint32_t mask_;
  std::uint32_t reads_;
  BlockNumber known_blocks_;
};

}  // namespace nearest::pg
