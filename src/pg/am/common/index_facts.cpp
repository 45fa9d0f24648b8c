#include "pg/am/common/index_facts.hpp"

extern "C" {
#include "access/genam.h"
#include "commands/defrem.h"
#include "storage/bufmgr.h"
#include "storage/smgr.h"
}

#include "pg/compat.hpp"

// The support functions by which an operator class tells its metric.
extern "C" {
Datum nearest_vector_l2_squared_distance(FunctionCallInfo fcinfo);
Datum nearest_vector_negative_inner_product(FunctionCallInfo fcinfo);
Datum nearest_vector_l1_distance(FunctionCallInfo fcinfo);
}

namespace nearest::pg {
namespace {

constexpr AttrNumber kColumn = 1;
constexpr uint16 kDistanceProc = 1, kNormProc = 2;

}  // namespace

bool find_metric(Relation index, core::Metric* metric) {
  const PGFunction function = index_getprocinfo(index, kColumn, kDistanceProc)->fn_addr;
  const bool has_norm = OidIsValid(index_getprocid(index, kColumn, kNormProc));
  if (function == nearest_vector_l2_squared_distance && !has_norm) {
    *metric = core::Metric::kL2;
  } else if (function == nearest_vector_l1_distance && !has_norm) {
    *metric = core::Metric::kL1;
  } else if (function == nearest_vector_negative_inner_product) {
    *metric = has_norm ? core::Metric::kCosine : core::Metric::kInnerProduct;
  } else {
    return false;
  }
  return true;
}

core::Metric metric_of(Relation index) {
  core::Metric metric{};
  if (!find_metric(index, &metric)) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("type not supported for %s index", get_am_name(index->rd_rel->relam))));
  }
  return metric;
}

bool is_readable(Relation index, BlockNumber block) {
  if (RelationGetNumberOfBlocks(index) <= block) return false;
  PageRoom page;
  bool is_sound = false;
  // Another backend may be writing the page: what was read half is whole a moment later.
  constexpr int kTries = 3;
  for (int i = 0; i < kTries && !is_sound; ++i) {
    smgrread(RelationGetSmgr(index), MAIN_FORKNUM, block, page.data);
    is_sound = is_page_verified(page.data, block);
  }
  return is_sound;
}

}  // namespace nearest::pg
