/// The loops of the integer kernels, written once over types that each instruction set's file
/// supplies and keeps to itself; see register_loops.hpp for why.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nearest::core {

/// Σ a_i·b_i for B of 8 or 16 bits. P is a register of partial sums:
///   P::kLanes                   elements that one step takes
///   add(a, b)                   takes the kLanes elements at a and b
///   add_rest(a, b, i, dim)      takes the elements from i to dim, fewer than kLanes
///   a + b, total()
/// Four of them hide the latency of the additions; the last steps too go to different ones, because
/// they are a good part of all steps of short vectors.
template <class P, class B>
std::int32_t fold_codes(const std::int8_t* a, const B* b, std::size_t dim) {
  P sum0, sum1, sum2, sum3;
  std::size_t i = 0;
  for (; i + 4 * P::kLanes <= dim; i += 4 * P::kLanes) {
    sum0.add(a + i, b + i);
    sum1.add(a + i + P::kLanes, b + i + P::kLanes);
    sum2.add(a + i + 2 * P::kLanes, b + i + 2 * P::kLanes);
    sum3.add(a + i + 3 * P::kLanes, b + i + 3 * P::kLanes);
  }
  if (i + P::kLanes <= dim) {
    sum0.add(a + i, b + i);
    i += P::kLanes;
  }
  if (i + P::kLanes <= dim) {
    sum1.add(a + i, b + i);
    i += P::kLanes;
  }
  if (i + P::kLanes <= dim) {
    sum2.add(a + i, b + i);
    i += P::kLanes;
  }
  if (i < dim) sum3.add_rest(a, b, i, dim);
  return ((sum0 + sum1) + (sum2 + sum3)).total();
}

/// Zeros, then ones: a register of up to 32 bytes loaded across the border is a mask of its last
/// bytes.
alignas(64) inline constexpr std::uint8_t kLastBytes[64] = {
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

/// The mask of the last n of the P::kLanes elements B that one step takes.
template <class P, class B>
const std::uint8_t* last_elements(std::size_t n) {
  return kLastBytes + 32 - (P::kLanes - n) * sizeof(B);
}

/// add_rest for sets without masked loads: the last register of the vectors overlaps elements
/// that were taken before, which P::add_last(a, b, n) leaves out: all but the last n.
template <class P, class B>
void add_overlapping(P& sums, const std::int8_t* a, const B* b, std::size_t i, std::size_t dim) {
  if (dim >= P::kLanes) {
    sums.add_last(a + dim - P::kLanes, b + dim - P::kLanes, dim - i);
    return;
  }
  std::int8_t a_window[P::kLanes] = {};
  B b_window[P::kLanes] = {};
  __builtin_memcpy(a_window, a, dim);
  __builtin_memcpy(b_window, b, dim * sizeof(B));
  sums.add(a_window, b_window);
}

/// KernelTable::masked_sums_x8 by counts in bytes. N is a register of N::kCodes words and offers
///   zero(), load(p), add_words(a, b)
///   add_counts(code, planes, positive, negative)   adds to each byte of positive what the bits
///   that
///                            a byte of code has set are worth in the planes 0 to 2 (at most 56),
///                            and to negative their number in plane 3
///   sum_bytes(a)             of each word, in 64 bits
///   store(positive, negative, sums)   positive - 8·negative of each word
template <class N>
void masked_sums(const std::uint64_t* codes, std::size_t words, const std::uint64_t* planes,
                 std::int32_t* sums) {
  constexpr std::size_t kCodes = 8, kParts = kCodes / N::kCodes, kPlanes = 4;
  constexpr std::size_t kWordsInBytes = 4;  // 4 · 56 <= 255

  N positive_sums[kParts], negative_sums[kParts];
#pragma GCC unroll 4
  for (std::size_t part = 0; part < kParts; ++part) {
    positive_sums[part] = negative_sums[part] = N::zero();
  }
  for (std::size_t begin = 0; begin < words; begin += kWordsInBytes) {
    const std::size_t end = begin + kWordsInBytes < words ? begin + kWordsInBytes : words;
    N positive[kParts], negative[kParts];
#pragma GCC unroll 4
    for (std::size_t part = 0; part < kParts; ++part) {
      positive[part] = negative[part] = N::zero();
    }
    for (std::size_t w = begin; w < end; ++w) {
#pragma GCC unroll 4
      for (std::size_t part = 0; part < kParts; ++part) {
        N::add_counts(N::load(codes + w * kCodes + part * N::kCodes), planes + w * kPlanes,
                      positive[part], negative[part]);
      }
    }
#pragma GCC unroll 4
    for (std::size_t part = 0; part < kParts; ++part) {
      positive_sums[part] = add_words(positive_sums[part], sum_bytes(positive[part]));
      negative_sums[part] = add_words(negative_sums[part], sum_bytes(negative[part]));
    }
  }
#pragma GCC unroll 4
  for (std::size_t part = 0; part < kParts; ++part) {
    store(positive_sums[part], negative_sums[part], sums + part * N::kCodes);
  }
}

/// The number of bits set in 0 to 15, times kWeight: a table for lookups.
template <int kWeight>
struct NibbleCounts {
  alignas(16) std::int8_t values[16] = {};
  constexpr NibbleCounts() {
    for (int i = 0; i < 16; ++i) {
      values[i] = static_cast<std::int8_t>(kWeight *
                                           ((i & 1) + (i >> 1 & 1) + (i >> 2 & 1) + (i >> 3 & 1)));
    }
  }
};
template <int kWeight>
inline constexpr NibbleCounts<kWeight> kNibbleCounts;

/// add_counts by a lookup of sixteen bytes. The low and the high half bytes of the code are cut out
/// once for all planes, whose other bits they then mask. N offers also
///   broadcast(word), operator&, a + b of bytes, shift_right_4(a) of words
///   low_nibbles()            0x0F in each byte
///   load_table(p)            sixteen bytes that look_up(table, a) takes the entry of each byte
///   from
template <class N, int kWeight>
N weighted_counts(N low, N high, std::uint64_t plane_word) {
  const N plane = N::broadcast(plane_word), table = N::load_table(kNibbleCounts<kWeight>.values);
  return look_up(table, low & plane) + look_up(table, high & shift_right_4(plane));
}

template <class N>
void add_nibble_counts(N code, const std::uint64_t* planes, N& positive, N& negative) {
  const N low = code & N::low_nibbles(), high = shift_right_4(code) & N::low_nibbles();
  positive =
      positive +
      (weighted_counts<N, 1>(low, high, planes[0]) +
       (weighted_counts<N, 2>(low, high, planes[1]) + weighted_counts<N, 4>(low, high, planes[2])));
  negative = negative + weighted_counts<N, 1>(low, high, planes[3]);
}

}  // namespace nearest::core
