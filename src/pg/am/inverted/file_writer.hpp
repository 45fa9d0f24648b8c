/// Writes an inverted file: everything but its lists' rows, whose pages it gives places.
#pragma once

#include "pg/postgres.hpp"

#include <cstdint>

#include "core/drift/figures.hpp"
#include "pg/am/inverted/page_file.hpp"
#include "pg/am/inverted/state.hpp"

namespace nearest::pg::inverted {

/// 8-bit codes of centroids, which say where centroids are, exactly. Borrowed memory.
struct CentroidCodes {
  const std::int8_t* z;          ///< (n, dim)
  const float* scales;           ///< (n)
  const std::uint32_t* squares;  ///< (n)
  const std::uint32_t*
      begins;            ///< (n + 1) of groups: their first lists and the end; null for lists
  const float* reaches;  ///< (n) of lists; null for groups, and without training
};

/// What was trained, besides the state. Borrowed memory.
struct Trained {
  CentroidCodes lists, groups;  ///< (meta.lists), (meta.groups) if there are more groups than one
};

/// Pages of a list with so many rows.
struct ListPages {
  std::uint64_t hot, cold;

  static ListPages of(const format::ListShape& shape, std::uint64_t rows);
};

/// Writes metapage, streams, centroids, directory and drift page. The index must have no pages yet.
/// Where everything is gets filled in in the state's metapage. sizes: (directory_entries) rows of
/// each list; their pages follow in this order, those of rows before those of cold codes. figures:
/// of the rows.
void write_head(PageFile* file, InvertedState* state, const Trained& trained,
                const std::uint64_t* sizes, const core::FigureMoments& figures);

}  // namespace nearest::pg::inverted
