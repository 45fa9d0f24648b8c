#include "pg/am/common/open_index.hpp"

extern "C" {
#include "access/amapi.h"
#include "access/genam.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
}

#include "pg/am/graph/scan.hpp"
#include "pg/am/inverted/scan.hpp"

namespace nearest::pg {

bool is_graph(Relation index) { return index->rd_indam->amgettuple == graph::next_row; }
bool is_inverted(Relation index) { return index->rd_indam->amgettuple == inverted::next_row; }

OpenIndex open_index(Oid oid, const IndexUse& use) {
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
  Relation const heap = OidIsValid(heap_oid) ? table_open(heap_oid, use.lock) : nullptr;
  Relation const index = index_open(oid, use.index_lock());
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
             errmsg("cannot %s index \"%s\"", use.verb, name), errdetail("The index is not valid."),
             errhint("Its creation was interrupted: drop it or REINDEX it.")));
  }
  if (RecoveryInProgress() && !RelationIsPermanent(index)) {
    ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                    errmsg("cannot access unlogged indexes during recovery")));
  }
  return {heap, index, use.lock, use.index_lock()};
}

void close_index(const OpenIndex& opened) {
  index_close(opened.index, opened.index_lock);
  table_close(opened.heap, opened.heap_lock);
}

}  // namespace nearest::pg
