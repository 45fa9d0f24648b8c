/// The background worker that rebuilds one index for nearest_maintain: REINDEX CONCURRENTLY runs
/// only at top level, which a procedure is not.
#include "pg/postgres.hpp"

extern "C" {
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "libpq/pqmq.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/dsm.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

PGDLLEXPORT void nearest_maintenance_worker(Datum main_arg);
}

#include "pg/compat.hpp"
#include "pg/maintain/statement.hpp"
#include "pg/maintain/task.hpp"

namespace nearest::pg::maintain {
namespace {

void begin_transaction() {
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  SPI_connect();
  PushActiveSnapshot(GetTransactionSnapshot());
}

void end_transaction() {
  PopActiveSnapshot();
  SPI_finish();
  CommitTransactionCommand();
}

void set(const char* name, int value) {
  SetConfigOption(name, psprintf("%d", value), PGC_USERSET, PGC_S_SESSION);
}

/// Becomes whom the caller is, as far as the connection has not done that.
void take_over(const Task& task) {
  StartTransactionCommand();
  SetConfigOption("search_path", "", PGC_USERSET, PGC_S_SESSION);
  SetConfigOption("application_name", "nearest_maintain", PGC_USERSET, PGC_S_SESSION);
  set("maintenance_work_mem", task.maintenance_work_mem);
  set("max_parallel_maintenance_workers", task.max_parallel_maintenance_workers);
  set("lock_timeout", task.lock_timeout);
  if (task.user != task.session_user) {
    SetConfigOption("role", GetUserNameFromId(task.user, false), PGC_USERSET, PGC_S_SESSION);
  }
  CommitTransactionCommand();
}

/// Until the process ends: other sessions see by it that the table is being worked on. An advisory
/// lock of a kind that SQL functions do not take (control/maintain.sql looks for it).
void lock_maintenance(Oid table) {
  constexpr uint16 kKind = 3;
  LOCKTAG tag;
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, RelationRelationId, table, kKind);
  StartTransactionCommand();
  if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                    errmsg("another session maintains the indexes of this table")));
  }
  CommitTransactionCommand();
}

void end_entry(const Task& task, int64 entry, Outcome outcome, const char* error) {
  begin_transaction();
  Catalog(task.schema).end(entry, outcome, error);
  end_transaction();
}

/// The name of an index of the table, with its schema; raises if it is gone.
char* find_name(const Task& task, MemoryContext context) {
  StartTransactionCommand();
  const char* const name = get_rel_name(task.index);
  if (name == nullptr || IndexGetRelation(task.index, true) != task.table) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("the index is gone")));
  }
  char* const quoted = MemoryContextStrdup(
      context, quote_qualified_identifier(get_namespace_name(get_rel_namespace(task.index)), name));
  CommitTransactionCommand();
  return quoted;
}

/// Finds an index that is left over, under the lock under which such indexes are made: nobody is
/// building it. The lock need not be kept, since its name remains taken. False if there is none,
/// or the lock is taken.
bool find_leftover(const Task& task, Oid index, Step* step) {
  begin_transaction();
  const bool found = ConditionalLockRelationOid(task.table, ShareUpdateExclusiveLock) &&
                     Catalog(task.schema).find_leftover(task.table, index, TopMemoryContext, step);
  end_transaction();
  return found;
}

void drop(const Step& step) {
  run_at_top_level(psprintf("DROP INDEX CONCURRENTLY %s", step.index_name));
}

void rebuild(const Task& task) {
  const char* const name = find_name(task, TopMemoryContext);
  run_at_top_level(psprintf("REINDEX INDEX %s%s", task.is_concurrent ? "CONCURRENTLY " : "", name));
}

void drop_one(const Task& task) {
  Step step{};
  if (!find_leftover(task, task.index, &step)) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                    errmsg("the index is gone or being built, or its table being vacuumed")));
  }
  drop(step);
}

/// Drops what a rebuild that failed just now has left behind.
void clean_up(const Task& task) {
  Step step{};
  while (find_leftover(task, InvalidOid, &step)) {
    begin_transaction();
    const int64 entry = Catalog(task.schema).begin(step, step.action);
    end_transaction();
    drop(step);
    end_entry(task, entry, Outcome::kDone, nullptr);
  }
}

Outcome outcome_of(int sqlstate) {
  switch (sqlstate) {
    case ERRCODE_QUERY_CANCELED:
      return Outcome::kCanceled;
    case ERRCODE_LOCK_NOT_AVAILABLE:
    case ERRCODE_OBJECT_IN_USE:
      return Outcome::kSkipped;
    default:
      return Outcome::kFailed;
  }
}

/// Calls work(), and catches an error as the server's main loop does. Returns the error, or null.
template <class Work>
ErrorData* run_guarded(Work&& work) {
  ErrorData* volatile error = nullptr;
  PG_TRY();
  { work(); }
  PG_CATCH();
  {
    HOLD_INTERRUPTS();
    disable_all_timeouts(false);
    QueryCancelPending = false;
    MemoryContextSwitchTo(TopMemoryContext);
    error = CopyErrorData();
    EmitErrorReport();
    debug_query_string = nullptr;
    AbortCurrentTransaction();
    PortalErrorCleanup();
    MemoryContextSwitchTo(TopMemoryContext);
    FlushErrorState();
    RESUME_INTERRUPTS();
  }
  PG_END_TRY();
  return error;
}

void perform(Task* task) {
  const ErrorData* const error = run_guarded([&] {
    lock_maintenance(task->table);
    if (task->is_drop) {
      drop_one(*task);
    } else {
      rebuild(*task);
    }
  });
  const Outcome outcome = error != nullptr ? outcome_of(error->sqlerrcode) : Outcome::kDone;
  if (error != nullptr && !task->is_drop) run_guarded([&] { clean_up(*task); });
  run_guarded([&] {
    end_entry(*task, task->entry, outcome, error != nullptr ? error->message : nullptr);
    task->outcome = outcome;
  });
}

}  // namespace
}  // namespace nearest::pg::maintain

/// main_arg: the segment of a Task.
void nearest_maintenance_worker(Datum main_arg) {
  using namespace nearest::pg::maintain;
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  dsm_segment* const segment = dsm_attach(DatumGetUInt32(main_arg));
  if (segment == nullptr) return;  // the caller has gone
  auto* const task = static_cast<Task*>(dsm_segment_address(segment));
  shm_mq_set_sender(queue_of(task), MyProc);
  pq_redirect_to_shm_mq(segment, shm_mq_attach(queue_of(task), segment, nullptr));

  // The superuser that the cluster began with may not be able to log in by name.
  const bool is_first_user = task->session_user == BOOTSTRAP_SUPERUSERID;
  BackgroundWorkerInitializeConnectionByOid(task->database,
                                            is_first_user ? InvalidOid : task->session_user,
                                            nearest::pg::kWorkerConnection);
  take_over(*task);
  perform(task);
}
