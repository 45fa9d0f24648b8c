#include "pg/buffer_hints.hpp"

#include <algorithm>
#include <bit>

#include "pg/memory.hpp"

namespace nearest::pg {
namespace {

/// Enough for a join of a few indexed tables; the one not used for longest gives way.
constexpr std::size_t kRelations = 16;

struct Slot {
  RelationFile file;
  std::uint32_t n_hints;
  std::uint64_t last_use;
  MemoryContext context;
  BufferHints* hints;
};

Slot slots[kRelations];
std::uint64_t uses;

}  // namespace

BufferHints* BufferHints::of(Relation relation) {
  const RelationFile file = relation_file(relation);
  Slot* oldest = &slots[0];
  for (Slot& slot : slots) {
    if (slot.hints != nullptr && is_same_file(slot.file, file)) {
      slot.last_use = ++uses;
      // Asking for the length is a call of the kernel; relations grow slowly.
      constexpr std::uint32_t kUsesBetweenLooks = 64;
      if (slot.last_use % kUsesBetweenLooks != 0) return slot.hints;
      oldest = &slot;
      break;
    }
    if (slot.last_use < oldest->last_use) oldest = &slot;
  }
  const std::uint32_t wanted =
      std::clamp(std::bit_ceil(RelationGetNumberOfBlocks(relation) + 1), kFewestHints, kMostHints);
  if (oldest->hints != nullptr && oldest->n_hints >= wanted && is_same_file(oldest->file, file)) {
    return oldest->hints;
  }
  if (oldest->context == nullptr) {
    oldest->context =
        AllocSetContextCreate(TopMemoryContext, "nearest buffer hints", ALLOCSET_SMALL_SIZES);
  }
  oldest->hints = nullptr;  // before anything can fail
  MemoryContextReset(oldest->context);
  auto* const hints = allocate_in<BufferHints>(oldest->context);
  hints->hints_ = allocate_in<Buffer>(oldest->context, wanted);
  hints->mask_ = wanted - 1;
  *oldest = Slot{file, wanted, ++uses, oldest->context, hints};
  return hints;
}

}  // namespace nearest::pg
