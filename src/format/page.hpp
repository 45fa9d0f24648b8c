/// What every page of our indexes has in common.
///
///     | server's page header 24 | content, up to content_bytes | PageTrailer 8 |
///
/// The trailer is the page's special space; pd_lower lies behind the content in use, since the
/// server clears what lies between it and the trailer when it logs a change.
#pragma once

#include "format/layout.hpp"

namespace nearest::format {

/// On disk: never renumber.
enum class PageKind : std::uint8_t {
  kMeta = 1,
  kCenter = 2,   ///< a part of the center that vectors are coded around
  kEntries = 3,  ///< nodes where searches begin
  kNodes = 4,
  kTids = 5,       ///< rows that did not fit into their node, or have no place in the graph
  kFree = 6,       ///< was something else, may become anything
  kFloats = 7,     ///< of an inverted file: a part of a stream of numbers
  kCentroids = 8,  ///< of lists, or of groups of lists
  kDirectory = 9,  ///< where lists begin and end
  kList = 10,      ///< codes and rows of one list
  kCold = 11,      ///< what refines the codes of one list page
  kDrift = 12,     ///< what rows were like (drift_page.hpp)
};
inline constexpr PageKind kLastKind = PageKind::kDrift;

inline constexpr std::uint16_t kGraphPageId = 0x6E67;  ///< "gn", last on the page, for tools

struct PageTrailer {
  BlockId next;  ///< of a chain of pages, or kNoBlock
  PageKind kind;
  std::uint8_t reserved;
  std::uint16_t page_id;
};
static_assert(sizeof(PageTrailer) == 8);

inline constexpr std::size_t kServerHeaderBytes = 24;

/// Of a page of block_bytes.
constexpr std::size_t content_bytes(std::size_t block_bytes) {
  return block_bytes - kServerHeaderBytes - sizeof(PageTrailer);
}

}  // namespace nearest::format
