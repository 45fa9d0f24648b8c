/// What an index is to be, by its definition and its options.
#pragma once

#include "pg/postgres.hpp"

#include "format/inverted_page.hpp"
#include "pg/am/inverted/options.hpp"
#include "pg/am/inverted/state.hpp"

namespace nearest::pg::inverted {

/// By the access method's handler.
Method method_of(Relation index);

/// The metapage of an index of one list and no training, with codec and refinement as the trained
/// one will have. Raises if options do not fit together, or the column has too many dimensions.
format::InvertedMeta describe(Relation index, const InvertedOptions& options,
                              std::uint64_t model_stamp);

/// Makes it one without training: one list around the origin, whose codes need no codebooks.
void make_untrained(format::InvertedMeta* meta);

/// Shapes and space of a metapage without what was trained. center: (dim) or null, matrix: (dim,
/// dim) or null; both must live as long. Memory comes from the current context.
InvertedState make_state(const format::InvertedMeta& meta, const float* center,
                         const float* matrix);

}  // namespace nearest::pg::inverted
