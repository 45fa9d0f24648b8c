/// Codes of 4-bit symbols: alone as rows, and packed in blocks of 32 for table_sums_x32.
///
/// A row has two symbols a byte, the even one low. A block has the symbols of one segment together,
/// sixteen bytes for all codes: code j is in the low half of byte j, or in the high half of byte
/// j - 16. A new code is appended as a row; 32 rows are packed once they are there. Places without
/// a code are zero, so a block may be packed, scanned and filled further.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>

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

/// Turns 8 rows of 8 bytes into columns: byte j of words[i] becomes byte i of words[j].
inline void transpose_bytes(std::uint64_t* words) {
  const auto swap = [&](std::size_t i, std::size_t j, unsigned shift, std::uint64_t mask) {
    const std::uint64_t changed = (words[i] >> shift ^ words[j]) & mask;
    words[j] ^= changed;
    words[i] ^= changed << shift;
  };
  for (std::size_t i = 0; i < 4; ++i) swap(i, i + 4, 32, 0x0000'0000'FFFF'FFFFU);
  for (const std::size_t i : {0, 1, 4, 5}) swap(i, i + 2, 16, 0x0000'FFFF'0000'FFFFU);
  for (const std::size_t i : {0, 2, 4, 6}) swap(i, i + 1, 8, 0x00FF'00FF'00FF'00FFU);
}

/// Packs n <= 32 rows, `stride` bytes from one to the next; block: (code_block_bytes(segments)).
inline void pack_block(const std::uint8_t* rows, std::size_t stride, std::size_t n,
                       std::size_t segments, std::uint8_t* block) {
  constexpr std::size_t kWord = 8, kWords = kBlockCodes / kWord;
  constexpr std::uint64_t kLow = 0x0F0F'0F0F'0F0F'0F0FU;
  static_assert(std::endian::native == std::endian::little);
  const std::size_t bytes = code_row_bytes(segments);
  for (std::size_t begin = 0; begin < bytes; begin += kWord) {
    const std::size_t width = bytes - begin < kWord ? bytes - begin : kWord;
    // columns[w][i]: byte begin + i of the eight rows from 8·w on
    std::uint64_t columns[kWords][kWord] = {};
    for (std::size_t w = 0; w < kWords && w * kWord < n; ++w) {
      const std::size_t n_rows = n - w * kWord < kWord ? n - w * kWord : kWord;
      for (std::size_t j = 0; j < n_rows; ++j) {
        std::memcpy(&columns[w][j], rows + (w * kWord + j) * stride + begin, width);
      }
      transpose_bytes(columns[w]);
    }
    for (std::size_t i = 0; i < width; ++i) {
      std::uint64_t even[2], odd[2];
      for (std::size_t half = 0; half < 2; ++half) {
        const std::uint64_t low = columns[half][i], high = columns[half + 2][i];
        even[half] = (low & kLow) | (high & kLow) << 4;
        odd[half] = (low >> 4 & kLow) | (high & ~kLow);
      }
      const std::size_t s = 2 * (begin + i);
      std::memcpy(block + 16 * s, even, sizeof even);
      if (s + 1 < segments) std::memcpy(block + 16 * (s + 1), odd, sizeof odd);
    }
  }
}

}  // namespace nearest::core
