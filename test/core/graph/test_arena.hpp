/// An arena for tests: fills what it lends with a pattern, counts, and frees all when it dies.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <set>

namespace nearest::core {

class TestMemory {
 public:
  TestMemory() = default;
  TestMemory(const TestMemory&) = delete;
  TestMemory& operator=(const TestMemory&) = delete;
  ~TestMemory() {
    for (void* const lent : lent_) std::free(lent);
  }

  /// What core takes by value.
  struct Arena {
    TestMemory* memory = nullptr;
    void* allocate(std::size_t bytes) { return memory->allocate(bytes); }
    void release(void* lent) { memory->release(lent); }
  };
  Arena arena() { return {this}; }

  std::size_t lent() const { return lent_.size(); }
  std::size_t allocations() const { return allocations_; }
  bool was_misused() const { return was_misused_; }  ///< released what was not lent

 private:
  void* allocate(std::size_t bytes) {
    void* const lent = std::malloc(bytes + 1);
    if (lent == nullptr) throw std::bad_alloc();
    std::memset(lent, 0xA5, bytes + 1);  // nobody may rely on zeros
    lent_.insert(lent);
    ++allocations_;
    return lent;
  }
  void release(void* lent) {
    if (lent_.erase(lent) == 0) {
      was_misused_ = true;
      return;
    }
    std::free(lent);
  }

  std::set<void*> lent_;
  std::size_t allocations_ = 0;
  bool was_misused_ = false;
};

}  // namespace nearest::core
