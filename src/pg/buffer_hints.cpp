#include "pg/buffer_hints.hpp"

#include <algorithm>
#include <bit>

#include "pg/memory.hpp"

namespace nearest::pg {

BufferHints* BufferHints::of_local() {
  static Buffer no_hint;
  static BufferHints none;
  none.hints_ = &no_hint;
  return &none;
}

void BufferHints::begin(Relation relation) {
  const BlockNumber n_blocks = RelationGetNumberOfBlocks(relation);
  const std::uint32_t n_hints = std::clamp(std::bit_ceil(n_blocks + 1), kFewestHints, most_hints());
  auto* const hints = allocate_in<Buffer>(TopMemoryContext, n_hints);  // before anything is changed
  if (hints_ != nullptr) pfree(hints_);
  hints_ = hints;
  mask_ = n_hints - 1;
  known_blocks_ = n_blocks;
  file_ = relation_file(relation);
}

/// No more pages than there are shared buffers can be where they were; twice as many leave room for
/// pages that have none.
std::uint32_t BufferHints::most_hints() {
  return std::clamp(std::bit_ceil(2U * static_cast<std::uint32_t>(NBuffers)), kFewestHints,
                    kMostHints);
}

BufferHints* BufferHints::of(Relation relation) {
  if (RelationUsesLocalBuffers(relation)) return of_local();
  /// Enough for a join of a few indexed tables; the one not used for longest gives way.
  constexpr std::size_t kRelations = 16;
  static BufferHints all[kRelations];
  static std::uint64_t uses;

  const RelationFile file = relation_file(relation);
  BufferHints* found = &all[0];
  for (BufferHints& hints : all) {
    if (hints.hints_ != nullptr && is_same_file(hints.file_, file)) {
      found = &hints;
      break;
    }
    if (hints.last_use_ < found->last_use_) found = &hints;
  }
  found->last_use_ = ++uses;
  const bool is_its_own = found->hints_ != nullptr && is_same_file(found->file_, file);
  // Asking for the length is a call of the kernel; relations grow slowly.
  constexpr std::uint32_t kUsesBetweenLooks = 64;
  if (is_its_own && uses % kUsesBetweenLooks != 0) return found;
  const bool is_outgrown = is_its_own && found->mask_ + 1 < most_hints() &&
                           RelationGetNumberOfBlocks(relation) > found->mask_;
  if (!is_its_own || is_outgrown) found->begin(relation);
  return found;
}

}  // namespace nearest::pg
