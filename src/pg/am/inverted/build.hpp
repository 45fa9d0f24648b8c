/// Building inverted files: the access methods' callbacks.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
#include "nodes/execnodes.h"
}

#include <cstdint>

namespace nearest::pg::inverted {

IndexBuildResult* build(Relation heap, Relation index, IndexInfo* info);
void build_empty(Relation index);
const char* build_phase_name(std::int64_t phase);

}  // namespace nearest::pg::inverted
