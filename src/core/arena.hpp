/// Memory that is lent by the caller, for code that may be left by a jump and so must own nothing.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace nearest::core {

/// allocate() never returns null: it fails in the caller's own way (an exception, a jump). What is
/// not released goes with the arena.
template <class A>
concept Arena = requires(A arena, std::size_t bytes, void* memory) {
  { arena.allocate(bytes) } -> std::same_as<void*>;
  {arena.release(memory)};
};

/// A growing array in an arena: destroyed by forgetting it.
template <class T>
class ArenaArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  std::size_t size() const { return size_; }
  std::size_t capacity_bytes() const { return capacity_ * sizeof(T); }
  /// What the next push_back allocates; until it has copied, the old memory is still taken too.
  std::size_t next_growth_bytes() const {
    return size_ == capacity_ ? next_capacity() * sizeof(T) : 0;
  }
  bool empty() const { return size_ == 0; }
  void clear() { size_ = 0; }
  void set_size(std::size_t size) { size_ = size; }  ///< within what was reserved

  template <Arena A>
  void reserve(A arena, std::size_t capacity) {
    if (capacity <= capacity_) return;
    T* const larger = static_cast<T*>(arena.allocate(capacity * sizeof(T)));
    if (size_ > 0) std::memcpy(static_cast<void*>(larger), data_, size_ * sizeof(T));
    if (data_ != nullptr) arena.release(data_);
    data_ = larger;
    capacity_ = capacity;
  }

  template <Arena A>
  void push_back(A arena, const T& value) {
    if (size_ == capacity_) reserve(arena, next_capacity());
    data_[size_++] = value;
  }

 private:
  std::size_t next_capacity() const { return capacity_ < 16 ? 32 : 2 * capacity_; }

  T* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace nearest::core
