/// Trains what an inverted file is made of on a sample: where its space lies, centroids, rotation,
/// codebooks.
#pragma once

#include "pg/postgres.hpp"

#include "core/cluster/nearest_centroid.hpp"
#include "pg/am/inverted/file_writer.hpp"
#include "pg/am/inverted/state.hpp"

namespace nearest::pg::inverted {

/// What a build has before it looks at all rows.
struct Model {
  InvertedState state;
  Trained trained;
  float* centroids;      ///< (lists, dim) what the codes stand for, in the space of the state
  float* group_centers;  ///< (groups, dim) likewise, if there are more groups than one
};

/// Of an index without training: one list around the origin of a space whose center and sizes the
/// rows tell, if there are any. meta: of describe(). rows: (n, dim) as in the table, n may be 0.
/// Memory comes from the current context, as below.
Model untrained_model(const format::InvertedMeta& meta, const core::Rows& rows);

/// meta: of describe(), with lists as wanted; rows: (n, dim) as in the table, n >= lists; they are
/// changed. May take as long as it takes and serves interrupts all the while.
Model train(const format::InvertedMeta& meta, float* rows, std::size_t n);

/// Memory that training takes for each row of the sample, and besides: what does not depend on it.
struct TrainingMemory {
  std::size_t per_row, fixed;

  static TrainingMemory of(const format::InvertedMeta& meta, std::size_t lists);
};

}  // namespace nearest::pg::inverted
