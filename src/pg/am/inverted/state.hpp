/// What a backend knows of an inverted file: metapage, shapes of its pages, the space that vectors
/// are placed in, and what was trained.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

#include "core/ivf/rank_lists.hpp"
#include "core/quantize/product_code.hpp"
#include "format/inverted_page.hpp"

namespace nearest::pg::inverted {

inline constexpr BlockNumber kMetaBlock = 0;

/// Centroids as a backend keeps them that has found lists for some rows.
struct KeptCentroids {
  core::CoarseCodes lists;
  core::ListGroups groups;

  /// What they take; 0: too much to be kept.
  static std::size_t bytes(const format::InvertedMeta& meta);
};

struct InvertedState {
  format::InvertedMeta meta;
  format::ListShape shape;       ///< of lists of vectors
  format::ListShape tid_shape;   ///< of the two lists of rows without vectors
  core::GraphSpace space;        ///< how vectors are placed: borrows the center
  core::ProductCodebooks books;  ///< codec kProduct; without columns if the index is untrained
  MemoryContext context;         ///< that all of it is in

  // Kept when reading their pages has become more than keeping them (list_choice.hpp).
  mutable const KeptCentroids* centroids;  ///< null: not yet
  mutable std::int64_t centroid_pages_read;
};

/// The space that a metapage describes; center: (dim) or null, matrix: (dim, dim) of a trained
/// rotation, or null as long as it is not trained; both must live as long. rotated: (dim) work
/// space that receives the rotated center if the metric needs it.
core::GraphSpace make_space(const format::InvertedMeta& meta, const float* center,
                            const float* matrix, float* rotated);

/// The metapage, checked against itself and the catalogs. Raises if it is damaged or of another
/// version.
format::InvertedMeta read_meta(Relation index);

/// The state of an index, with what was trained. It is not to be freed, and stays where it is until
/// the transaction ends: a backend keeps those of the indexes that it used last.
const InvertedState* load_state(Relation index);
/// The same without an error, and without what was trained: null if the metapage cannot be used.
bool try_load_shape(Relation index, format::InvertedMeta* meta);

}  // namespace nearest::pg::inverted
