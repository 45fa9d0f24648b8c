/// What queries do with an index that was built from the vectors of another model.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

#include <cstdint>

namespace nearest::pg::models {

/// When a scan begins: warns, once per session and declaration, or raises, as
/// nearest.stale_indexes says. built: the stamp in the index.
void check_scan(Relation index, std::uint64_t built);

/// Whether the planner is to do without a stale index.
bool is_avoided(Relation index, std::uint64_t built);

}  // namespace nearest::pg::models
