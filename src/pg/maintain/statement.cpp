#include "pg/maintain/statement.hpp"

extern "C" {
#include "access/xact.h"
#include "miscadmin.h"
#include "parser/analyze.h"
#include "pgstat.h"
#include "tcop/cmdtag.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
}

#include "pg/compat.hpp"

namespace nearest::pg::maintain {

void run_at_top_level(const char* statement) {
  // What the statement is made of outlives the transactions that it ends.
  const MemoryContext context =
      AllocSetContextCreate(TopMemoryContext, "statement at top level", ALLOCSET_DEFAULT_SIZES);
  const MemoryContext before = MemoryContextSwitchTo(context);
  debug_query_string = pstrdup(statement);
  pgstat_report_activity(STATE_RUNNING, debug_query_string);
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  MemoryContextSwitchTo(context);

  auto* const raw = linitial_node(RawStmt, pg_parse_query(debug_query_string));
  const bool needs_snapshot = analyze_requires_snapshot(raw);
  if (needs_snapshot) PushActiveSnapshot(GetTransactionSnapshot());
  List* const queries =
      pg_analyze_and_rewrite_fixedparams(raw, debug_query_string, nullptr, 0, nullptr);
  List* const plans = pg_plan_queries(queries, debug_query_string, 0, nullptr);
  if (needs_snapshot) PopActiveSnapshot();

  const Portal portal = CreatePortal("", true, true);
  portal->visible = false;
  PortalDefineQuery(portal, nullptr, debug_query_string, CreateCommandTag(raw->stmt), plans,
                    nullptr);
  PortalStart(portal, nullptr, 0, InvalidSnapshot);
  run_portal(portal, CreateDestReceiver(DestNone));
  PortalDrop(portal, false);
  CommitTransactionCommand();

  debug_query_string = nullptr;
  pgstat_report_activity(STATE_IDLE, nullptr);
  MemoryContextSwitchTo(before);
  MemoryContextDelete(context);
}

}  // namespace nearest::pg::maintain
