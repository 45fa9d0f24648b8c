/// On whose behalf the rows of an index are read.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

namespace nearest::pg::quality {

/// Raises unless the current user may see all rows of the index's table.
void check_may_read(Relation heap);

/// The user that called, while the table's owner is the current one.
struct Caller {
  Oid user;
  int security;
  int settings_level;
};

/// Expressions and predicates of indexes are the owner's code: it runs with the owner's rights, as
/// in REINDEX, not with those of a superuser who only wants to know a figure. An error undoes it.
Caller become_owner(Relation heap);
void become_caller(const Caller& caller);

}  // namespace nearest::pg::quality
