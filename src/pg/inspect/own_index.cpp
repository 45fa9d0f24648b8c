#include "pg/inspect/own_index.hpp"

extern "C" {
#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
}

#include "pg/am/index_kind.hpp"

namespace nearest::pg {

OwnIndex open_own_index(Oid oid, const char* what, LOCKMODE lock) {
  const char relkind = get_rel_relkind(oid);
  if (relkind == '\0') {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("no relation has OID %u", oid)));
  }
  if (relkind != RELKIND_INDEX) {
    ereport(ERROR,
            (errcode(ERRCODE_WRONG_OBJECT_TYPE),
             errmsg("\"%s\" is not an index of hnsw, ivfflat or ivfpq", get_rel_name(oid)),
             relkind == RELKIND_PARTITIONED_INDEX
                 ? errhint("Name the indexes of its partitions, one at a time.")
                 : errhint("Name an index that was created with USING hnsw, ivfflat or ivfpq.")));
  }
  // The table first, as everybody locks it first.
  const Oid heap_oid = IndexGetRelation(oid, true);
  Relation heap = OidIsValid(heap_oid) ? table_open(heap_oid, lock) : nullptr;
  const LOCKMODE index_lock = lock == AccessShareLock ? lock : RowExclusiveLock;
  Relation index = index_open(oid, index_lock);
  if (heap == nullptr || heap_oid != IndexGetRelation(oid, false)) {
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_TABLE),
             errmsg("could not open the table of index \"%s\"", RelationGetRelationName(index))));
  }
  const char* const name = RelationGetRelationName(index);
  if (!is_graph(index) && !is_inverted(index)) {
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                    errmsg("\"%s\" is not an index of hnsw, ivfflat or ivfpq", name),
                    errhint("Name an index that was created with USING hnsw, ivfflat or ivfpq.")));
  }
  if (RELATION_IS_OTHER_TEMP(index)) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot access temporary indexes of other sessions"),
                    errdetail("Index \"%s\" is of another session.", name)));
  }
  if (!index->rd_index->indisvalid) {
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("cannot %s index \"%s\"", what, name), errdetail("The index is not valid."),
             errhint("Its creation was interrupted: drop it or REINDEX it.")));
  }
  if (RecoveryInProgress() && !RelationIsPermanent(index)) {
    ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                    errmsg("cannot access unlogged indexes during recovery")));
  }
  return {heap, index, lock, index_lock};
}

void close_own_index(const OwnIndex& own) {
  index_close(own.index, own.index_lock);
  table_close(own.heap, own.heap_lock);
}

Relation open_at_once(Oid relation) {
  if (!ConditionalLockRelationOid(relation, AccessShareLock)) return nullptr;
  Relation opened = try_relation_open(relation, NoLock);
  if (opened == nullptr) UnlockRelationOid(relation, AccessShareLock);
  return opened;
}

}  // namespace nearest::pg
