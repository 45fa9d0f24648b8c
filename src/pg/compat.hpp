/// Differences between PostgreSQL versions: here and nowhere else.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
#include "access/nbtxlog.h"
#include "access/relscan.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "nodes/pathnodes.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "tcop/pquery.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/regproc.h"
#include "utils/rel.h"
}

namespace nearest::pg {

inline bool is_same_buffer_tag(const BufferTag& a, const BufferTag& b) {
#if PG_VERSION_NUM >= 160000
  return BufferTagsEqual(&a, &b);
#else
  return BUFFERTAGS_EQUAL(a, b);
#endif
}

/// The same as below; the caller holds the lock on the relation's growth, where it needs one.
inline Buffer extend_locked_relation(Relation relation, ForkNumber fork) {
#if PG_VERSION_NUM >= 160000
  return ExtendBufferedRel(BMR_REL(relation), fork, nullptr,
                           EB_LOCK_FIRST | EB_SKIP_EXTENSION_LOCK);
#else
  return ReadBufferExtended(relation, fork, P_NEW, RBM_ZERO_AND_LOCK, nullptr);
#endif
}

/// A new page at the end of a relation, pinned and exclusive-locked.
inline Buffer extend_relation(Relation relation, ForkNumber fork) {
#if PG_VERSION_NUM >= 160000
  return ExtendBufferedRel(BMR_REL(relation), fork, nullptr, EB_LOCK_FIRST);
#else
  const bool needs_lock = !RELATION_IS_LOCAL(relation);
  if (needs_lock) LockRelationForExtension(relation, ExclusiveLock);
  const Buffer buffer = extend_locked_relation(relation, fork);
  if (needs_lock) UnlockRelationForExtension(relation, ExclusiveLock);
  return buffer;
#endif
}

/// What a relation's file is called.
#if PG_VERSION_NUM >= 160000
using RelationFile = RelFileLocator;
inline RelationFile relation_file(Relation relation) { return relation->rd_locator; }
inline bool is_same_file(const RelationFile& a, const RelationFile& b) {
  return RelFileLocatorEquals(a, b);
}
#else
using RelationFile = RelFileNode;
inline RelationFile relation_file(Relation relation) { return relation->rd_node; }
inline bool is_same_file(const RelationFile& a, const RelationFile& b) {
  return RelFileNodeEquals(a, b);
}
#endif

/// Tells the backend's transactions apart.
inline LocalTransactionId local_transaction() {
#if PG_VERSION_NUM >= 170000
  return MyProc->vxid.lxid;
#else
  return MyProc->lxid;
#endif
}

/// Pins a page of the main fork if it is still in this buffer.
inline bool read_recent_buffer(Relation relation, BlockNumber block, Buffer recent) {
  if (!ReadRecentBuffer(relation_file(relation), MAIN_FORKNUM, block, recent)) return false;
  pgstat_count_buffer_read(relation);  // as ReadBuffer counts
  pgstat_count_buffer_hit(relation);
  return true;
}

/// Whether a query relies on the order of the rows of a query of its WITH.
inline constexpr bool kReadsOrderOfWith = PG_VERSION_NUM >= 170000;

/// Makes the planner take any other path, those disabled by a setting included; the costs must
/// say so too.
inline void disable_path(Path* path) {
#if PG_VERSION_NUM >= 180000
  path->disabled_nodes = 2;  // a setting disables by 1
#else
  (void)path;
#endif
}

/// Room for a page that is read past shared buffers.
#if PG_VERSION_NUM >= 160000
using PageRoom = PGIOAlignedBlock;  // as direct I/O asks
#else
using PageRoom = PGAlignedBlock;
#endif

/// Whether the server would accept a page that it read from a file.
inline bool is_page_verified(Page page, BlockNumber block) {
#if PG_VERSION_NUM >= 180000
  return PageIsVerified(page, block, 0, nullptr);
#else
  return PageIsVerifiedExtended(page, block, 0);
#endif
}

/// Whether a role owns a relation, or may act as if.
inline bool is_owner(Oid relation, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_ownercheck(RelationRelationId, relation, role);
#else
  return pg_class_ownercheck(relation, role);
#endif
}

/// The parts of a name such as schema.table; raises if it is none.
inline List* split_qualified_name(const char* name) {
#if PG_VERSION_NUM >= 160000
  return stringToQualifiedNameList(name, nullptr);
#else
  return stringToQualifiedNameList(name);
#endif
}

/// A scan of an index that is not part of a plan.
inline IndexScanDesc begin_index_scan(Relation heap, Relation index, Snapshot snapshot,
                                      int n_order_bys) {
#if PG_VERSION_NUM >= 180000
  return index_beginscan(heap, index, snapshot, nullptr, 0, n_order_bys);
#else
  return index_beginscan(heap, index, snapshot, 0, n_order_bys);
#endif
}

/// For maintenance that runs code of a table's owner, as the server does it from 17 on.
inline void restrict_search_path() {
#if PG_VERSION_NUM >= 170000
  RestrictSearchPath();
#endif
}

/// Counts a scan where EXPLAIN shows it.
inline void count_index_search([[maybe_unused]] IndexScanDesc scan) {
  pgstat_count_index_scan(scan->indexRelation);
#if PG_VERSION_NUM >= 180000
  if (scan->instrument != nullptr) scan->instrument->nsearches += 1;
#endif
}

/// Tells standbys that a page changes which scans older than a transaction may still be led to:
/// they are canceled, or wait, as the settings say. The record is that of btree indexes, and
/// changes no page.
inline void log_page_reuse([[maybe_unused]] Relation heap, Relation index, BlockNumber block,
                           FullTransactionId last) {
  if (!RelationNeedsWAL(index) || !XLogStandbyInfoActive()) return;
  xl_btree_reuse_page record{};
#if PG_VERSION_NUM >= 160000
  record.locator = index->rd_locator;
  record.block = block;
  record.snapshotConflictHorizon = last;
  record.isCatalogRel = RelationIsAccessibleInLogicalDecoding(heap);
#else
  record.node = index->rd_node;
  record.block = block;
  record.latestRemovedFullXid = last;
#endif
  XLogBeginInsert();
  XLogRegisterData(reinterpret_cast<char*>(&record), SizeOfBtreeReusePage);
  XLogInsert(RM_BTREE_ID, XLOG_BTREE_REUSE_PAGE);
}

inline void delay_vacuum() {
#if PG_VERSION_NUM >= 180000
  vacuum_delay_point(false);
#else
  vacuum_delay_point();
#endif
}

/// Runs a portal of one statement to its end, at top level.
inline void run_portal(Portal portal, DestReceiver* receiver) {
  QueryCompletion completion;
#if PG_VERSION_NUM >= 180000
  PortalRun(portal, FETCH_ALL, true, receiver, receiver, &completion);
#else
  PortalRun(portal, FETCH_ALL, true, true, receiver, receiver, &completion);
#endif
}

/// Of background workers that act for a user whose session let it in already.
#if PG_VERSION_NUM >= 170000
inline constexpr bits32 kWorkerConnection = BGWORKER_BYPASS_ROLELOGINCHECK;
#else
inline constexpr bits32 kWorkerConnection = 0;
#endif

}  // namespace nearest::pg
