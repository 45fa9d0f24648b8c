/// Statements that a worker runs as a client's would be run.
#pragma once

#include "pg/postgres.hpp"

namespace nearest::pg::maintain {

/// Runs one statement at top level, in a transaction of its own, which it may end and begin anew:
/// REINDEX CONCURRENTLY, DROP INDEX CONCURRENTLY and procedures do. Outside of a transaction only.
void run_at_top_level(const char* statement);

}  // namespace nearest::pg::maintain
