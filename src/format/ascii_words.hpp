/// Eight characters at a time in one 64-bit word, as both directions of float text use them.
#pragma once

#include <bit>
#include <cstdint>

namespace nearest::format {

static_assert(std::endian::native == std::endian::little,
              "the first character of a text must be the lowest byte of its word");

/// "00000000": added to digits it makes characters, subtracted from characters it makes digits.
inline constexpr std::uint64_t kAsciiZeros = 0x3030'3030'3030'3030;

}  // namespace nearest::format
