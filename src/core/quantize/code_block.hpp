/// Codes of 4-bit symbols: alone as rows, and packed in blocks of 32 for table_sums_x32.
///
/// A row has two symbols a byte, the even one low. A block has the symbols of one segment together,
/// sixteen bytes for all codes: code j is in the low half of byte j, or in the high half of byte
/// j - 16. A new code is appended as a row; 32 rows are packed once they are there. Places without
/// a code are zero, so a block may be packed, scanned and filled further.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nearest::core {

inline constexpr std::size_t kBlockCodes = 32;

constexpr std::size_t code_row_bytes(std::size_t segments) { return (segments + 1) / 2; }
constexpr std::size_t code_block_bytes(std::size_t segments) { return 16 * segments; }

inline unsigned symbol_of(const std::uint8_t* row, std::size_t segment) {
  return static_cast<unsigned>(row[segment / 2]) >> (segment % 2 * 4) & 15U;
}
/// The row's other symbols stay; bytes must have been set to zero before.
inline void add_symbol(std::uint8_t* row, std::size_t segment, unsigned symbol) {
  row[segment / 2] = static_cast<std::uint8_t>(row[segment / 2] | symbol << (segment % 2 * 4));
}

/// Puts a row in place j of a block, whatever was there.
inline void put_code(std::uint8_t* block, std::size_t segments, std::size_t j,
                     const std::uint8_t* row) {
  const unsigned shift = j < 16 ? 0 : 4;
  const unsigned keep = 0xF0U >> shift;
  std::uint8_t* const column = block + j % 16;
  for (std::size_t s = 0; s < segments; ++s) {
    column[16 * s] =
        static_cast<std::uint8_t>((column[16 * s] & keep) | symbol_of(row, s) << shift);
  }
}

/// Takes code j out of a block; row: (code_row_bytes(segments)).
inline void get_code(const std::uint8_t* block, std::size_t segments, std::size_t j,
                     std::uint8_t* row) {
  const unsigned shift = j < 16 ? 0 : 4;
  std::memset(row, 0, code_row_bytes(segments));
  for (std::size_t s = 0; s < segments; ++s) {
    add_symbol(row, s, static_cast<unsigned>(block[16 * s + j % 16]) >> shift & 15U);
  }
}

/// Packs n <= 32 rows, `stride` bytes from one to the next; block: (code_block_bytes(segments)).
inline void pack_block(const std::uint8_t* rows, std::size_t stride, std::size_t n,
                       std::size_t segments, std::uint8_t* block) {
  constexpr std::size_t kHalf = kBlockCodes / 2;
  const std::size_t n_low = n < kHalf ? n : kHalf, n_high = n - n_low;
  for (std::size_t s = 0; s < segments; s += 2) {
    std::uint8_t even[kHalf] = {}, odd[kHalf] = {};
    for (std::size_t j = 0; j < n_low; ++j) {
      const unsigned two = rows[j * stride + s / 2];
      even[j] = static_cast<std::uint8_t>(two & 0x0FU);
      odd[j] = static_cast<std::uint8_t>(two >> 4);
    }
    for (std::size_t j = 0; j < n_high; ++j) {
      const unsigned two = rows[(kHalf + j) * stride + s / 2];
      even[j] = static_cast<std::uint8_t>(even[j] | two << 4);
      odd[j] = static_cast<std::uint8_t>(odd[j] | (two & 0xF0U));
    }
    std::memcpy(block + kHalf * s, even, kHalf);
    if (s + 1 < segments) std::memcpy(block + kHalf * (s + 1), odd, kHalf);
  }
}

}  // namespace nearest::core
