/// Drift pages: what indexes of all kinds keep of the rows they were built on, and of those since.
///
/// Locks: the drift page alone, and never waited for.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "storage/bufpage.h"
#include "utils/rel.h"
}

#include "format/drift_page.hpp"

namespace nearest::pg {

/// What is known of the rows of a build.
struct DriftBase {
  core::FigureMoments figures;
  std::uint64_t rows;
  std::uint32_t lists;         ///< 0 for a graph
  const std::uint64_t* sizes;  ///< (lists) rows of each; null if there are none
};

/// Makes the drift page of a new index.
void init_drift_page(Page page, const DriftBase& base);

/// Puts what is known by now of the rows of a build on the page, as one WAL record.
void set_drift_base(Relation index, BlockNumber block, const DriftBase& base);

/// Makes the page one of other lists, after those of an index were split or merged: sizes: (lists).
/// A damaged page is passed over with a warning.
void set_drift_lists(Relation index, BlockNumber block, std::uint32_t lists,
                     const std::uint64_t* sizes);

/// Adds a sampled row, as one WAL record; passes over it if somebody else has the page locked, and,
/// with a warning, if the page is damaged.
void add_drift_row(Relation index, BlockNumber block, std::uint32_t lists,
                   const format::DriftRow& row);

/// Copies the page. Returns what is wrong with it, or null.
const char* try_read_drift_page(Relation index, BlockNumber block, std::uint32_t lists,
                                format::DriftPage* page);

}  // namespace nearest::pg
