/* Loaded by 034_hnsw_races.pl and others: hold_extension(index) keeps an index from growing until the statement is canceled. An
 * insert that has chosen its neighbors, or has found the pages of its vector's rows full, then waits for its page, and
 * goes on with what it read before. hold_lists(index) keeps an inverted file's lists from being replaced in the same way,
 * as nearest_check does. SQL has no such locks. */
#include "postgres.h"

#include "access/relation.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(hold_extension);
PG_FUNCTION_INFO_V1(hold_lists);

static void wait_for_cancel(void)
{
	for (;;)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1L, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

Datum hold_extension(PG_FUNCTION_ARGS)
{
	LockRelationForExtension(relation_open(PG_GETARG_OID(0), AccessShareLock), ExclusiveLock);
	wait_for_cancel();
	PG_RETURN_VOID();
}

Datum hold_lists(PG_FUNCTION_ARGS)
{
	LockPage(relation_open(PG_GETARG_OID(0), AccessShareLock), 0, ShareLock);
	wait_for_cancel();
	PG_RETURN_VOID();
}
