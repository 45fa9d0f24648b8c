#include "pg/quality/caller.hpp"

extern "C" {
#include "catalog/objectaddress.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/rls.h"
}

#include "pg/compat.hpp"

namespace nearest::pg::quality {

void check_may_read(Relation heap) {
  const Oid oid = RelationGetRelid(heap);
  const AclResult access = pg_class_aclcheck(oid, GetUserId(), ACL_SELECT);
  if (access != ACLCHECK_OK) {
    aclcheck_error(access, get_relkind_objtype(heap->rd_rel->relkind),
                   RelationGetRelationName(heap));
  }
  if (check_enable_rls(oid, InvalidOid, true) == RLS_ENABLED) {
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("row-level security hides rows of table \"%s\"", RelationGetRelationName(heap)),
             errdetail("Recall is measured over all rows of an index."),
             errhint("Call it as the owner of the table.")));
  }
}

Caller become_owner(Relation heap) {
  Caller caller{};
  GetUserIdAndSecContext(&caller.user, &caller.security);
  SetUserIdAndSecContext(heap->rd_rel->relowner, caller.security | SECURITY_RESTRICTED_OPERATION);
  caller.settings_level = NewGUCNestLevel();
  restrict_search_path();
  return caller;
}

void become_caller(const Caller& caller) {
  AtEOXact_GUC(false, caller.settings_level);
  SetUserIdAndSecContext(caller.user, caller.security);
}

}  // namespace nearest::pg::quality
