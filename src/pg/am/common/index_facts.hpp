/// What can be told of an index of ours before anything of it is known.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "storage/block.h"
#include "utils/rel.h"
}

#include "core/graph/space.hpp"

namespace nearest::pg {

/// The metric of an index, by its operator class. False if that is none of ours.
bool find_metric(Relation index, core::Metric* metric);
/// The same; raises if there is none.
core::Metric metric_of(Relation index);

/// Whether reading a block through shared buffers will not raise: the server refuses pages whose
/// header is damaged. Looks at the file; a page that was never written there is in shared buffers.
bool is_readable(Relation index, BlockNumber block);

}  // namespace nearest::pg
