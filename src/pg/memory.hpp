/// Memory contexts as core's arenas.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "storage/shmem.h"  // mul_size
#include "utils/memutils.h"
}

#include <new>
#include <type_traits>

namespace nearest::pg {

/// An arena that is a memory context; out of memory is an error of the server.
struct ContextArena {
  MemoryContext context = nullptr;

  void* allocate(std::size_t bytes) const { return MemoryContextAllocHuge(context, bytes); }
  void release(void* memory) const { pfree(memory); }
};

/// n zeroed objects in a context; nothing will destroy them.
template <class T>
T* allocate_in(MemoryContext context, std::size_t n = 1) {
  static_assert(std::is_trivially_destructible_v<T>);
  T* const objects = static_cast<T*>(MemoryContextAllocExtended(context, mul_size(n, sizeof(T)),
                                                                MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
  return objects;
}

}  // namespace nearest::pg
