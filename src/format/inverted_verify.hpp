/// Is a page of an inverted file consistent, and if not, why not?
///
/// Two depths, as in verify.hpp: the faults of the first part are looked for whenever a page is
/// used, so they are cheap and find whatever would make reading or changing it unsafe. The second
/// part looks at every field that has a checkable meaning. Chains are the business of who can read
/// several pages.
///
/// Any bytes may come in; nothing is read outside of the page. Faults are sentences; null means
/// that there is none.
#pragma once

#include "format/inverted_page.hpp"
#include "format/verify.hpp"

namespace nearest::format {

// On each use -------------------------------------------------------------------------------------

/// Of a metapage's content. Its magic and version are known to be right.
const char* inverted_meta_fault(const InvertedMeta& meta, std::size_t block_bytes) noexcept;

/// used: content bytes in use, as the page's header says.
inline const char* list_page_fault(const ConstListPage& page, std::size_t used, std::uint32_t list,
                                   std::uint32_t version) {
  const ListPageHeader& header = page.header();
  if (header.list != list) return "A page of a list belongs to another one.";
  if (header.version != version) return "A page of a list is of another version of it.";
  if (header.n_slots > page.shape->slots) return "A page of a list says that it has too many rows.";
  if (used != page.shape->used_bytes) return "A page of a list has not the length of its rows.";
  return nullptr;
}

/// first_slot: that it should begin with.
inline const char* cold_page_fault(ConstPageBytes content, std::size_t used, const ListShape& shape,
                                   BlockId hot, std::uint32_t first_slot) {
  const auto* header = at<ColdPageHeader>(content, 0);
  if (header->hot != hot || header->first_slot != first_slot) {
    return "A page that refines a list's rows belongs to another one.";
  }
  if (header->n_slots > shape.cold_per_page) {
    return "A page that refines a list's rows says that it has too many of them.";
  }
  if (used != sizeof *header + std::size_t{header->n_slots} * shape.cold_bytes) {
    return "A page that refines a list's rows has not the length of its rows.";
  }
  return nullptr;
}

/// n: how many centroids it should have.
inline const char* centroid_page_fault(ConstPageBytes content, std::uint32_t n) {
  return at<CentroidPageHeader>(content, 0)->n_centroids == n
             ? nullptr
             : "A page of centroids has not as many as it should.";
}

/// n: how many entries it should have.
inline const char* directory_page_fault(ConstPageBytes content, std::uint32_t n) {
  return at<DirectoryPageHeader>(content, 0)->n_entries == n
             ? nullptr
             : "A page of the directory has not as many lists as it should.";
}

inline bool is_centroid_sound(const CentroidHeader& header) {
  constexpr float kMost = 1e30F;
  return header.scale >= 0 && header.scale < kMost && header.reach >= 0 && header.reach < kMost;
}

/// As far as a code of 8 bits would give distances that are no numbers.
inline bool is_code_sound(const CodeHeader& header) {
  constexpr float kMost = 1e30F;
  const auto is_small = [](float product) { return product > -kMost && product < kMost; };
  return header.code.scale >= 0 && header.code.scale < kMost && header.code.error >= 0 &&
         header.traits.norm >= 0 && is_small(header.traits.center_product) &&
         is_small(header.centroid_product);
}

// In full -----------------------------------------------------------------------------------------

/// What is known of an inverted file before its pages are looked at.
struct InvertedExpectations {
  const InvertedMeta* meta;
  const ListShape* shape;         ///< of lists of vectors
  const ListShape* tid_shape;     ///< of the lists of rows without vectors
  std::uint32_t most_row_offset;  ///< of a row in a block of the table

  const ListShape& shape_of(std::uint32_t list) const {
    return list < meta->lists ? *shape : *tid_shape;
  }
};

/// Metapage, whole page.
Fault verify_inverted_meta_page(std::span<const std::byte> page) noexcept;

/// Any other page, whole; frame_fault included. Of a cold page what does not need its list page.
Fault verify_inverted_page(std::span<const std::byte> page,
                           const InvertedExpectations& expected) noexcept;

/// Whether a cold page has what refines the rows of its list page from first_slot on. Both were
/// verified by themselves and read while neither changed. Slots of faults are of the list page.
Fault verify_cold_rows(const ConstListPage& hot, ConstPageBytes cold, std::uint32_t first_slot,
                       const InvertedExpectations& expected) noexcept;

/// rotation: a row of the trained one, (dim).
const char* rotation_fault(const float* row, std::uint32_t dim) noexcept;

}  // namespace nearest::format
