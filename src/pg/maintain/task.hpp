/// What nearest_maintain hands to the worker that it starts, in shared memory, before the queue
/// through which the worker's messages come back.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "storage/shm_mq.h"
}

#include "pg/maintain/catalog.hpp"

namespace nearest::pg::maintain {

struct Task {
  // Who the caller is.
  Oid database, session_user, user;
  // Its settings that count for a build.
  int maintenance_work_mem, max_parallel_maintenance_workers, lock_timeout;

  Oid schema;  ///< of the extension
  Oid table, index;
  int64 entry;  ///< of the log
  bool is_drop, is_concurrent;

  /// What the worker wrote into the log, if it came so far.
  Outcome outcome;
};

inline constexpr Size kTaskQueueBytes = 16384;
inline Size task_bytes() { return MAXALIGN(sizeof(Task)) + kTaskQueueBytes; }
inline shm_mq* queue_of(Task* task) {
  return reinterpret_cast<shm_mq*>(reinterpret_cast<char*>(task) + MAXALIGN(sizeof(Task)));
}

}  // namespace nearest::pg::maintain
