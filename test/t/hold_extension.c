/* Loaded by 034_hnsw_races.pl: hold_extension(index) keeps an index from growing until the statement is canceled. An
 * insert that has chosen its neighbors, or has found the pages of its vector's rows full, then waits for its page, and
 * goes on with what it read before. SQL has no such lock. */
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
Datum hold_extension(PG_FUNCTION_ARGS)
{
	Relation	index = relation_open(PG_GETARG_OID(0), AccessShareLock);

	LockRelationForExtension(index, ExclusiveLock);
	for (;;)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1L, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}
