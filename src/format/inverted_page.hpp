/// The pages of an inverted file.
///
/// Vectors are placed as core/graph/space.hpp says (taken relative to a center, rotated, in units),
/// and all codes are of those points. A list's centroid is what its 8-bit code stands for, exactly:
/// residuals are to that, so no page needs centroids as floats.
///
/// Float page, of a stream (center, codebooks, trained rotation):
///
///     | FloatPageHeader 8 | float32 x n |                        trailer: next page of the stream
///
/// Centroid page; list i is on page centroids_block + i / centroids_per_page:
///
///     | CentroidPageHeader 8 | CentroidHeader 16 x n | own codes, dim x n, aligned |
///
/// Directory page; list i is on page directory_block + i / entries_per_page:
///
///     | DirectoryPageHeader 8 | ListEntry 16 x n |
///
/// When lists are split or merged, centroids and directory are written anew, and the metapage leads
/// to the new ones. The old ones stay as they are for scans that began before, like the pages of
/// lists that were written anew (PageUse); lists that stay as they are belong to both.
///
/// List page, hot: what every probe of the list reads.
///
///     | ListPageHeader 16 | blocks of its cold pages x n | TIDs 6 x slots, aligned |
///     | a, b, error: float32 x slots each | codes |          trailer: next page of the list
///
/// Slots are filled from the first on. Codes of 4-bit symbols lie in blocks of 32 slots, packed for
/// in-register lookup (core/quantize/code_block.hpp) as soon as a block is full, or the page; until
/// then its rows lie one behind another at the block's beginning. Other codes lie row by row. Lists
/// of rows without a vector have neither factors nor codes.
///
/// A slot whose row VACUUM took out has the TID kDeadTid and factors that no bound reaches; an
/// insert may use it again. Rows never move to another slot. A page leaves its list with all of its
/// rows, or what is left of them: copies on other pages take its place in the chain by one record,
/// while the page stays as it is, next page included, for scans that were led to it before. Its
/// header says so, and since when (PageUse).
///
/// Cold page: what refines the codes of some slots of one list page, read for survivors only.
///
///     | ColdPageHeader 8 | ColdHeader 8 + CodeHeader 24 + code, x n |
///
/// or ColdHeader 8 + float32 x dim, x n, the vectors as they are. Cold codes are of the residual r,
/// and stand for scale · z:
///   kScalar     z: (dim) 8 bits each (core/quantize/scalar_code.hpp)
///   kHalf       z: (dim) binary16, at most 1 (core/quantize/half_code.hpp)
///   kExtraBits  z = 2·w + 1 odd levels: the bits beside the signs as pack_levels has them, then
///               the bytes of signs that the hot code has no room for
/// CodeHeader.code says what scale · z loses, place and rotation included, and Σ z² (0 for kHalf);
/// of inner product, traits.center_product is that of the residual's code alone.
/// An infinite error: nothing is known of the row, which is too far out for a code.
///
/// Slot i of the list page is on its cold page i / cold_per_page. The TID is there once more: if
/// the slot has been used again since a scan copied it, the scan's row is gone.
#pragma once

#include <algorithm>
#include <limits>

#include "core/quantize/code_block.hpp"
#include "core/quantize/sign_code.hpp"
#include "format/inverted_meta.hpp"

namespace nearest::format {

struct FloatPageHeader {
  std::uint16_t n_floats;
  std::uint16_t reserved[3];
};
static_assert(sizeof(FloatPageHeader) == 8);

/// What a page is used for. On disk, in 48 bits, low ones first.
struct PageUse {
  static constexpr std::uint64_t kOpen = 0;
  /// A list page's rows are being copied, or are new copies: no rows are added. A directory page's
  /// entries are being copied, or were: they do not change.
  static constexpr std::uint64_t kClosed = 1;
  /// Otherwise nothing leads to it any more, and this was the next transaction then: whoever can
  /// still be led to it has a snapshot that was taken before that one began.
  static constexpr std::uint64_t kFirstStamp = 2;
  static constexpr std::uint64_t kLastStamp = (std::uint64_t{1} << 48) - 1;

  std::uint16_t words[3];

  std::uint64_t value() const {
    return words[0] | std::uint64_t{words[1]} << 16 | std::uint64_t{words[2]} << 32;
  }
  void set(std::uint64_t value) {
    for (int i = 0; i < 3; ++i) words[i] = static_cast<std::uint16_t>(value >> (16 * i));
  }
  bool is_open() const { return value() == kOpen; }
  bool has_left() const { return value() >= kFirstStamp; }
};
static_assert(sizeof(PageUse) == 6);

struct CentroidPageHeader {
  std::uint16_t n_centroids;
  PageUse use;
};
static_assert(sizeof(CentroidPageHeader) == 8);

struct CentroidHeader {
  static constexpr std::uint32_t kMerged = 1;

  float scale;           ///< of the code
  std::uint32_t square;  ///< of the code
  /// Of a group: its first list; the next one's is its end. Of a list: kMerged if its rows went to
  /// others, so that it is passed over until a split uses its number again; otherwise 0.
  std::uint32_t begin;
  /// Of a list: how much larger than the centroid's the largest product of its rows with a vector
  /// of length 1 is likely to be (core/ivf/list_reach.hpp).
  float reach;
};
static_assert(sizeof(CentroidHeader) == 16);

struct DirectoryPageHeader {
  std::uint16_t n_entries;
  PageUse use;
};
static_assert(sizeof(DirectoryPageHeader) == 8);

struct ListEntry {
  BlockId first, last;    ///< of the chain; kNoBlock for a list without pages
  BlockId room;           ///< a page of it where VACUUM left dead slots, or kNoBlock: a hint
  std::uint32_t version;  ///< counts how often the list was written anew
};
static_assert(sizeof(ListEntry) == 16);

struct ListPageHeader {
  std::uint32_t list;     ///< number_on_pages()
  std::uint32_t version;  ///< of the list
  std::uint16_t n_slots;  ///< in use, dead ones included
  PageUse use;

  std::uint64_t page_use() const { return use.value(); }
  void set_page_use(std::uint64_t value) { use.set(value); }
  bool is_open() const { return use.is_open(); }
  bool has_left() const { return use.has_left(); }
};
static_assert(sizeof(ListPageHeader) == 16);

/// The two lists of rows without vectors come behind the others, whose number grows: on their pages
/// they have numbers from here on.
inline constexpr std::uint32_t kFirstTidPages = 0xFFFF'FFFE;

/// What pages of a list have as its number.
constexpr std::uint32_t number_on_pages(const InvertedMeta& meta, std::uint32_t list) {
  return list < meta.lists ? list : kFirstTidPages + (list - meta.lists);
}
/// The list whose pages have this number; directory_entries(meta) if there is none.
constexpr std::uint32_t list_of_number(const InvertedMeta& meta, std::uint32_t number) {
  if (number >= kFirstTidPages) return meta.lists + (number - kFirstTidPages);
  return number < meta.lists ? number : directory_entries(meta);
}

struct ColdPageHeader {
  BlockId hot;  ///< the list page
  std::uint16_t first_slot;
  std::uint16_t n_slots;  ///< in use
};
static_assert(sizeof(ColdPageHeader) == 8);

struct ColdHeader {
  Tid tid;
  std::uint16_t reserved;
};
static_assert(sizeof(ColdHeader) == 8);

/// What comes before a code behind its ColdHeader. With the product, one code of a query serves all
/// lists: |q - ĉ - r̂|² = |q - ĉ|² + |r̂|² - 2<q, r̂> + 2<ĉ, r̂>.
struct CodeHeader {
  core::ScalarCode code;
  core::PointTraits traits;
  float centroid_product;  ///< <ĉ, r̂>; 0 for inner product
};
static_assert(sizeof(CodeHeader) == 24);

inline constexpr Tid kDeadTid = {0xFFFF, 0xFFFF, 0};
constexpr bool is_dead(const Tid& tid) { return tid.offset == 0; }

/// Of a hot page: so many cold pages at most.
inline constexpr std::uint32_t kMostColdPages = 64;

/// Where the parts of a list's pages are. Follows from a few numbers of the metapage.
struct ListShape {
  std::uint32_t slots;      ///< per page; 0: nothing fits
  std::uint32_t row_bytes;  ///< of a code by itself; 0 for rows without vectors
  bool is_packed;           ///< codes are in blocks of 32
  bool has_factors;
  std::uint32_t segments;       ///< of packed codes, even
  std::uint32_t cold_bytes;     ///< per slot on a cold page; 0 without cold pages
  std::uint32_t cold_per_page;  ///< slots
  std::uint32_t n_cold;         ///< cold pages of a list page
  std::uint32_t cold_offset, tids_offset, factors_offset, codes_offset, used_bytes;

  std::uint32_t block_bytes() const { return 16 * segments; }
  /// Cold pages of a list page with so many slots in use.
  std::uint32_t cold_pages_of(std::uint32_t n_slots) const {
    return cold_per_page == 0 ? 0 : (n_slots + cold_per_page - 1) / cold_per_page;
  }
  /// Blocks of a page with so many slots in use that are packed.
  std::uint32_t packed_blocks(std::uint32_t n_slots) const {
    return is_packed ? (n_slots + (n_slots == slots ? 31 : 0)) / 32 : 0;
  }
};

/// Segments of a sign code that fit a page: beyond that the last dimensions are not in the hot
/// code, which is then less exact, but none the worse for bounds.
std::uint32_t most_segments(std::size_t block_bytes) noexcept;

/// The shape of the lists of vectors; slots is 0 if not even one block of codes fits a page.
ListShape list_shape(const InvertedMeta& meta, std::size_t block_bytes) noexcept;
/// The shape of the two lists of rows without vectors.
ListShape tid_list_shape(std::size_t block_bytes) noexcept;

constexpr std::uint32_t centroids_per_page(std::uint32_t dim, std::size_t block_bytes) {
  return static_cast<std::uint32_t>((content_bytes(block_bytes) - sizeof(CentroidPageHeader)) /
                                    (sizeof(CentroidHeader) + align_up(dim, 8)));
}
/// Where on a page with n centroids the i-th has its header and its code.
constexpr std::size_t centroid_header_offset(std::uint32_t i) {
  return sizeof(CentroidPageHeader) + std::size_t{i} * sizeof(CentroidHeader);
}
constexpr std::size_t centroid_code_offset(std::uint32_t dim, std::uint32_t n, std::uint32_t i) {
  return centroid_header_offset(n) + std::size_t{i} * align_up(dim, 8);
}
constexpr std::uint32_t entries_per_page(std::size_t block_bytes) {
  return static_cast<std::uint32_t>((content_bytes(block_bytes) - sizeof(DirectoryPageHeader)) /
                                    sizeof(ListEntry));
}
constexpr std::uint32_t floats_per_page(std::size_t block_bytes) {
  return static_cast<std::uint32_t>((content_bytes(block_bytes) - sizeof(FloatPageHeader)) /
                                    sizeof(float));
}

template <class Byte>
struct BasicListPage {
  template <class T>
  using Maybe = std::conditional_t<std::is_const_v<Byte>, const T, T>;

  std::span<Byte> bytes;
  const ListShape* shape;

  Maybe<ListPageHeader>& header() const {
    return *reinterpret_cast<Maybe<ListPageHeader>*>(bytes.data());
  }
  Maybe<BlockId>* cold_pages() const { return part<BlockId>(shape->cold_offset); }
  Maybe<Tid>* tids() const { return part<Tid>(shape->tids_offset); }
  Maybe<float>* a() const { return part<float>(shape->factors_offset); }
  Maybe<float>* b() const { return a() + shape->slots; }
  Maybe<float>* error() const { return b() + shape->slots; }
  Maybe<std::uint8_t>* codes() const { return part<std::uint8_t>(shape->codes_offset); }
  /// Packed codes: the block of 32 that slot is in.
  Maybe<std::uint8_t>* block(std::uint32_t slot) const {
    return codes() + std::size_t{slot / 32} * shape->block_bytes();
  }
  /// Where the code of a slot lies row by row.
  Maybe<std::uint8_t>* row(std::uint32_t slot) const {
    return shape->is_packed ? block(slot) + std::size_t{slot % 32} * shape->row_bytes
                            : codes() + std::size_t{slot} * shape->row_bytes;
  }
  /// Whether the slot's code is packed: its block is full, or was.
  bool is_in_block(std::uint32_t slot) const {
    return slot / 32 < shape->packed_blocks(header().n_slots);
  }

 private:
  template <class T>
  Maybe<T>* part(std::size_t offset) const {
    return reinterpret_cast<Maybe<T>*>(bytes.data() + offset);
  }
};
using ListPage = BasicListPage<std::byte>;
using ConstListPage = BasicListPage<const std::byte>;

/// Factors of a slot that no bound reaches.
inline constexpr core::CodeFactors kDeadFactors = {std::numeric_limits<float>::infinity(), 0, 0};

/// Writes a row into a slot: the next one, or a dead one. code: (row_bytes), row by row.
void put_row(const ListPage& page, std::uint32_t slot, const Tid& tid,
             const core::CodeFactors& factors, const std::uint8_t* code) noexcept;
/// Takes a row out; the slot stays in use.
void drop_row(const ListPage& page, std::uint32_t slot) noexcept;

}  // namespace nearest::format
