#include "pg/postgres.hpp"

extern "C" {
#include "access/xact.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"
#include "utils/wait_event.h"

PGDLLEXPORT void nearest_maintenance_launcher(Datum main_arg);
PGDLLEXPORT void nearest_maintenance_database(Datum main_arg);
}

#include <cstring>

#include "pg/maintain/launcher.hpp"
#include "pg/maintain/settings.hpp"
#include "pg/maintain/statement.hpp"
#include "pg/maintain/window.hpp"

namespace nearest::pg::maintain {
namespace {

/// What the launcher hands to the worker of a database.
struct DatabaseTask {
  char database[NAMEDATALEN];
  int minutes_left;  ///< of the window
};
static_assert(sizeof(DatabaseTask) <= BGW_EXTRALEN);

void describe(BackgroundWorker* worker, const char* function, const char* name) {
  worker->bgw_start_time = BgWorkerStart_RecoveryFinished;  // never on a standby
  strlcpy(worker->bgw_library_name, "pg_nearest", sizeof worker->bgw_library_name);
  strlcpy(worker->bgw_function_name, function, sizeof worker->bgw_function_name);
  strlcpy(worker->bgw_name, name, sizeof worker->bgw_name);
  strlcpy(worker->bgw_type, name, sizeof worker->bgw_type);
}

int minutes_left_now() {
  Window window{};
  parse_window(current_maintenance_settings().window, &window);
  const auto now = static_cast<pg_time_t>(time(nullptr));
  const pg_tm* const local = pg_localtime(&now, session_timezone);
  return window.minutes_left(local->tm_hour * 60 + local->tm_min);
}

/// Maintains one database, and waits until that is done.
void maintain_database(const char* database, int minutes_left) {
  DatabaseTask task{};
  strlcpy(task.database, database, sizeof task.database);
  task.minutes_left = minutes_left;
  BackgroundWorker worker{};
  describe(&worker, "nearest_maintenance_database", "pg_nearest maintenance of a database");
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  worker.bgw_notify_pid = MyProcPid;
  std::memcpy(worker.bgw_extra, &task, sizeof task);
  BackgroundWorkerHandle* handle = nullptr;
  if (!RegisterDynamicBackgroundWorker(&worker, &handle)) {
    ereport(WARNING, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                      errmsg("could not start maintenance of database \"%s\"", database),
                      errhint("Increase max_worker_processes.")));
    return;
  }
  if (WaitForBackgroundWorkerShutdown(handle) == BGWH_POSTMASTER_DIED) proc_exit(1);
}

/// Goes through the databases once.
void make_round() {
  char* const list = pstrdup(current_maintenance_settings().databases);
  List* names = nullptr;
  SplitIdentifierString(list, ',', &names);  // it was checked
  for (int i = 0; i < list_length(names) && ShutdownRequestPending == 0; ++i) {
    const auto* const database = static_cast<const char*>(list_nth(names, i));
    const int minutes_left = minutes_left_now();
    if (minutes_left == 0) {
      ereport(DEBUG1, (errmsg_internal("no maintenance of database \"%s\" outside of the window",
                                       database)));
      return;
    }
    maintain_database(database, minutes_left);
  }
}

/// The extension's schema in this database, quoted; null if there is none.
char* find_schema(MemoryContext context) {
  char* schema = nullptr;
  StartTransactionCommand();
  SPI_connect();
  PushActiveSnapshot(GetTransactionSnapshot());
  if (SPI_execute(
          "SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'pg_nearest'", true,
          1) == SPI_OK_SELECT &&
      SPI_processed > 0) {
    schema =
        MemoryContextStrdup(context, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
  }
  PopActiveSnapshot();
  SPI_finish();
  CommitTransactionCommand();
  return schema;
}

}  // namespace

void register_launcher() {
  if (!process_shared_preload_libraries_in_progress) return;
  BackgroundWorker worker{};
  describe(&worker, "nearest_maintenance_launcher", "pg_nearest maintenance launcher");
  constexpr int kSecondsToRestart = 10;
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_restart_time = kSecondsToRestart;
  RegisterBackgroundWorker(&worker);
}

}  // namespace nearest::pg::maintain

/// Lives as long as the server; does nothing as long as no databases are named.
void nearest_maintenance_launcher(Datum /*main_arg*/) {
  using namespace nearest::pg::maintain;
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
  BackgroundWorkerUnblockSignals();
  // To no database: but so the signal that a worker has ended comes through.
  BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
  const MemoryContext context =
      AllocSetContextCreate(TopMemoryContext, "maintenance launcher", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(context);
  TimestampTz next_round = GetCurrentTimestamp();
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    if (ShutdownRequestPending != 0) proc_exit(1);  // and come back, if the server stays
    if (ConfigReloadPending != 0) {
      ConfigReloadPending = 0;
      ProcessConfigFile(PGC_SIGHUP);
      next_round = GetCurrentTimestamp();
    }
    if (GetCurrentTimestamp() >= next_round) {
      make_round();
      MemoryContextReset(context);
      next_round = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
                                               current_maintenance_settings().naptime * 1000L);
    }
    // Also woken by the end of workers that were waited for.
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
              TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next_round),
              PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
  }
}

/// Calls nearest_maintain in one database, as the superuser that the cluster began with: REINDEX
/// runs what belongs to a table with the rights of its owner.
void nearest_maintenance_database(Datum /*main_arg*/) {
  using namespace nearest::pg::maintain;
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  DatabaseTask task;
  std::memcpy(&task, MyBgworkerEntry->bgw_extra, sizeof task);
  BackgroundWorkerInitializeConnection(task.database, nullptr, 0);
  // As autovacuum: what the database's owner has set must not lead us to functions of others.
  SetConfigOption("search_path", "", PGC_SUSET, PGC_S_OVERRIDE);
  SetConfigOption("application_name", "nearest_maintain", PGC_SUSET, PGC_S_OVERRIDE);
  const char* const schema = find_schema(TopMemoryContext);
  if (schema == nullptr) {
    ereport(LOG, (errmsg("database \"%s\" is to be maintained, but has no extension pg_nearest",
                         task.database)));
    return;
  }
  const int max_index_size = current_maintenance_settings().max_index_size;
  const char* const size =
      max_index_size < 0 ? "NULL" : psprintf("%lld", static_cast<long long>(max_index_size) * 1024);
  run_at_top_level(
      psprintf("CALL %s.nearest_maintain(max_duration => '%d minutes', max_index_size => %s)",
               schema, task.minutes_left, size));
}
