/// Words that all page formats share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace nearest::format {

using BlockId = std::uint32_t;
inline constexpr BlockId kNoBlock = 0;  ///< block 0 is the metapage, which nothing points to

/// A heap row's place, as the server stores it.
struct Tid {
  std::uint16_t block_high, block_low, offset;

  friend bool operator==(const Tid&, const Tid&) = default;
};
static_assert(sizeof(Tid) == 6 && std::is_trivially_copyable_v<Tid>);

constexpr std::size_t align_up(std::size_t bytes, std::size_t to) {
  return (bytes + to - 1) / to * to;
}

/// The bytes of a page that are ours: behind the server's header, before our trailer.
using PageBytes = std::span<std::byte>;
using ConstPageBytes = std::span<const std::byte>;

template <class T>
T* at(PageBytes page, std::size_t offset) {
  static_assert(std::is_trivially_copyable_v<T>);
  return reinterpret_cast<T*>(page.data() + offset);
}

template <class T>
const T* at(ConstPageBytes page, std::size_t offset) {
  static_assert(std::is_trivially_copyable_v<T>);
  return reinterpret_cast<const T*>(page.data() + offset);
}

}  // namespace nearest::format
