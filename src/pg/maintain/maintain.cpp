/// CALL nearest_maintain(): goes through the plan, step by step, each in a worker.
#include "pg/postgres.hpp"

extern "C" {
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "libpq/pqmq.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
}

#include <csignal>
#include <cstring>
#include <new>

#include "pg/compat.hpp"
#include "pg/maintain/catalog.hpp"
#include "pg/maintain/figures.hpp"
#include "pg/maintain/task.hpp"

namespace nearest::pg::maintain {
namespace {

struct Rebuild {
  Outcome outcome;
  bool is_logged;     ///< by the worker
  const char* error;  ///< or null
  int sqlstate;
};

/// If the caller fails or is canceled, so is its worker.
void stop_worker(dsm_segment* /*segment*/, Datum worker) {
  auto* const handle = reinterpret_cast<BackgroundWorkerHandle*>(DatumGetPointer(worker));
  pid_t pid = 0;
  switch (GetBackgroundWorkerPid(handle, &pid)) {
    case BGWH_STARTED:
      kill(pid, SIGINT);
      break;
    case BGWH_NOT_YET_STARTED:
      TerminateBackgroundWorker(handle);
      break;
    case BGWH_STOPPED:
    case BGWH_POSTMASTER_DIED:
      break;
  }
  pfree(handle);
}

BackgroundWorkerHandle* start_worker(dsm_segment* segment) {
  BackgroundWorker worker{};
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  strlcpy(worker.bgw_library_name, "pg_nearest", sizeof worker.bgw_library_name);
  strlcpy(worker.bgw_function_name, "nearest_maintenance_worker", sizeof worker.bgw_function_name);
  strlcpy(worker.bgw_name, "pg_nearest maintenance", sizeof worker.bgw_name);
  strlcpy(worker.bgw_type, "pg_nearest maintenance", sizeof worker.bgw_type);
  worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
  worker.bgw_notify_pid = MyProcPid;
  // An error frees the portal's memory before it detaches the segment, which still needs the
  // handle.
  const MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);
  BackgroundWorkerHandle* handle = nullptr;
  const bool is_registered = RegisterDynamicBackgroundWorker(&worker, &handle);
  MemoryContextSwitchTo(before);
  if (!is_registered) {
    ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                    errmsg("could not start a background worker"),
                    errhint("Increase max_worker_processes.")));
  }
  on_dsm_detach(segment, stop_worker, PointerGetDatum(handle));
  return handle;
}

/// Passes on what the worker tells the user; keeps the first error.
void take_message(StringInfo message, Rebuild* rebuild, MemoryContext context) {
  const char type = static_cast<char>(pq_getmsgbyte(message));
  if (type != 'E' && type != 'N') return;
  ErrorData error;
  pq_parse_errornotice(message, &error);
  if (error.elevel < ERROR) {
    ThrowErrorData(&error);
  } else if (rebuild->error == nullptr) {
    rebuild->error = MemoryContextStrdup(context, error.message != nullptr ? error.message : "");
    rebuild->sqlstate = error.sqlerrcode;
  }
}

/// Waits until the worker's messages end.
void listen(shm_mq_handle* queue, Rebuild* rebuild, MemoryContext context) {
  const MemoryContext message_context =
      AllocSetContextCreate(CurrentMemoryContext, "message of a worker", ALLOCSET_DEFAULT_SIZES);
  for (;;) {
    Size bytes = 0;
    void* data = nullptr;
    CHECK_FOR_INTERRUPTS();
    if (shm_mq_receive(queue, &bytes, &data, false) != SHM_MQ_SUCCESS) break;
    const MemoryContext before = MemoryContextSwitchTo(message_context);
    StringInfoData message;
    initStringInfo(&message);
    appendBinaryStringInfo(&message, static_cast<const char*>(data), static_cast<int>(bytes));
    take_message(&message, rebuild, context);
    MemoryContextSwitchTo(before);
    MemoryContextReset(message_context);
  }
  MemoryContextDelete(message_context);
}

/// Has a worker do one step. Without a snapshot: the worker waits for all that are older than its
/// index.
Rebuild run_step(const Step& step, Oid schema, int64 entry, bool is_concurrent,
                 MemoryContext context) {
  Rebuild rebuild{};
  dsm_segment* const segment = dsm_create(task_bytes(), 0);
  auto* const task = new (dsm_segment_address(segment)) Task{};
  task->database = MyDatabaseId;
  task->session_user = GetSessionUserId();
  task->user = GetUserId();
  task->maintenance_work_mem = maintenance_work_mem;
  task->max_parallel_maintenance_workers = max_parallel_maintenance_workers;
  task->lock_timeout = LockTimeout;
  task->schema = schema;
  task->table = step.table;
  task->index = step.index;
  task->entry = entry;
  task->is_drop = std::strcmp(step.action, "drop") == 0;
  task->is_concurrent = is_concurrent;
  task->outcome = Outcome::kNone;
  shm_mq* const queue = shm_mq_create(queue_of(task), kTaskQueueBytes);
  shm_mq_set_receiver(queue, MyProc);

  BackgroundWorkerHandle* const worker = start_worker(segment);
  listen(shm_mq_attach(queue, segment, worker), &rebuild, context);
  if (WaitForBackgroundWorkerShutdown(worker) == BGWH_POSTMASTER_DIED) proc_exit(1);
  cancel_on_dsm_detach(segment, stop_worker, PointerGetDatum(worker));
  pfree(worker);
  rebuild.outcome = task->outcome;
  rebuild.is_logged = task->outcome != Outcome::kNone;
  if (!rebuild.is_logged) {
    rebuild.outcome = Outcome::kFailed;
    if (rebuild.error == nullptr) rebuild.error = "the background worker ended before it was done";
  }
  dsm_detach(segment);
  return rebuild;
}

/// What happened so far.
struct Tally {
  int steps, failures, sqlstate;
};

void warn(const Step& step, const Rebuild& rebuild) {
  ereport(WARNING, (errcode(rebuild.sqlstate != 0 ? rebuild.sqlstate : ERRCODE_INTERNAL_ERROR),
                    errmsg("could not %s index %s", step.action, step.index_name),
                    errdetail_internal("%s", rebuild.error != nullptr ? rebuild.error : "")));
}

/// The next step of the plan. False if there is none.
bool take_step(const Limits& limits, Oid schema, bool is_concurrent, Tally* tally,
               MemoryContext context) {
  Step step{};
  const Catalog catalog(schema);
  if (!catalog.find_next(limits, context, &step)) return false;
  const bool is_rebuild = std::strcmp(step.action, "rebuild") == 0;
  const int64 entry =
      catalog.begin(step, is_rebuild && is_concurrent ? "rebuild concurrently" : step.action);
  SPI_commit();
  const Rebuild rebuild = run_step(step, schema, entry, is_concurrent, context);
  if (!rebuild.is_logged) {
    Catalog(schema).end(entry, rebuild.outcome, rebuild.error);
    SPI_commit();
  }
  tally->steps += 1;
  if (rebuild.outcome == Outcome::kDone) return true;
  warn(step, rebuild);
  if (rebuild.outcome != Outcome::kSkipped) {
    tally->failures += 1;
    if (tally->sqlstate == 0) tally->sqlstate = rebuild.sqlstate;
  }
  return true;
}

void refuse(FunctionCallInfo fcinfo) {
  if (RecoveryInProgress()) {
    ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                    errmsg("cannot rebuild indexes during recovery"),
                    errhint("Call nearest_maintain on the primary server.")));
  }
  if (fcinfo->context == nullptr || !IsA(fcinfo->context, CallContext) ||
      castNode(CallContext, fcinfo->context)->atomic) {
    ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                    errmsg("nearest_maintain cannot run inside a transaction block or a function"),
                    errhint("CALL it by itself.")));
  }
}

void check_owner(Oid relation) {
  const char* const name = get_rel_name(relation);
  if (name == nullptr) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("no relation has OID %u", relation)));
  }
  const char kind = get_rel_relkind(relation);
  const bool is_index = kind == RELKIND_INDEX || kind == RELKIND_PARTITIONED_INDEX;
  const Oid table = is_index ? IndexGetRelation(relation, false) : relation;
  if (!may_maintain(table)) {
    aclcheck_error(ACLCHECK_NOT_OWNER, is_index ? OBJECT_INDEX : OBJECT_TABLE, name);
  }
}

}  // namespace
}  // namespace nearest::pg::maintain

/// nearest_maintain(relation regclass, concurrently boolean, max_duration interval, max_index_size
/// bigint, retry_after interval)
NEAREST_FUNCTION(nearest_maintain) {
  using namespace nearest::pg::maintain;
  refuse(fcinfo);
  Limits limits{};
  limits.relation = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);
  const bool is_concurrent = PG_ARGISNULL(1) || PG_GETARG_BOOL(1);
  limits.has_max_duration = !PG_ARGISNULL(2);
  if (limits.has_max_duration) limits.max_duration = *PG_GETARG_INTERVAL_P(2);
  limits.max_index_size = PG_ARGISNULL(3) ? -1 : PG_GETARG_INT64(3);
  if (!PG_ARGISNULL(4)) limits.retry_after = *PG_GETARG_INTERVAL_P(4);
  limits.began = GetCurrentTimestamp();
  if (OidIsValid(limits.relation)) check_owner(limits.relation);
  const Oid schema = get_func_namespace(fcinfo->flinfo->fn_oid);

  SPI_connect_ext(SPI_OPT_NONATOMIC);
  const MemoryContext context = CurrentMemoryContext;  // lives until SPI_finish
  Catalog(schema).mark_interrupted();
  SPI_commit();
  Tally tally{};
  while (take_step(limits, schema, is_concurrent, &tally, context)) CHECK_FOR_INTERRUPTS();
  SPI_finish();
  if (tally.failures > 0) {
    ereport(ERROR, (errcode(tally.sqlstate != 0 ? tally.sqlstate : ERRCODE_INTERNAL_ERROR),
                    errmsg("%d of %d steps of maintenance failed", tally.failures, tally.steps),
                    errhint("nearest_maintenance_log has the errors.")));
  }
  PG_RETURN_NULL();
}
