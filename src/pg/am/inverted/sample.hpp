/// Rows of a table that training looks at: blocks drawn at random, and of their rows a part that is
/// the same for the same table.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/execnodes.h"
#include "utils/rel.h"
}

#include <cstddef>

#include "core/metric.hpp"
#include "pg/am/inverted/state.hpp"

namespace nearest::pg::inverted {

/// How many rows with a vector the index will have, from some dozen blocks; exact for tables that
/// have no more.
double estimate_rows(Relation heap, Relation index, IndexInfo* info);

/// A sample of at most `most` rows. rows: (most, dim) receives the vectors as they are in the
/// table. Returns how many there are: fewer only if the table has no more, or sampled blocks have
/// not. Never more than the sample and one row are in memory.
std::size_t draw_sample(Relation heap, Relation index, IndexInfo* info,
                        const format::InvertedMeta& meta, std::size_t most, float* rows);

}  // namespace nearest::pg::inverted
