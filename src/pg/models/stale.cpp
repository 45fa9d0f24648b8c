#include "pg/models/stale.hpp"

extern "C" {
#include "access/parallel.h"
#include "access/relation.h"
#include "utils/lsyscache.h"
}

#include "pg/models/index_model.hpp"
#include "pg/models/registry.hpp"
#include "pg/settings.hpp"

namespace nearest::pg::models {
namespace {

StaleIndexes setting() { return static_cast<StaleIndexes>(current_settings().stale_indexes); }

/// How a message calls a model: "a", or "a", version "2".
const char* model_of(Relation registry, HeapTuple row) {
  const char* const model = read_text(registry, row, kModelField);
  const char* const version = read_text(registry, row, kVersionField);
  return version == nullptr ? psprintf("\"%s\"", model)
                            : psprintf("\"%s\", version \"%s\"", model, version);
}

/// The detail of the message: which model it was, and which it is.
const char* describe(Relation index, const IndexModel& model, std::uint64_t built) {
  const char *was = nullptr, *is = nullptr;
  Relation registry = open_registry(schema_of_extension(index), AccessShareLock);
  if (registry != nullptr) {
    for_each_declaration(registry, &model.column, [&](HeapTuple row, const Declaration& one) {
      if (one.is_current) is = model_of(registry, row);
      if (one.stamp == model.counts_as(built)) was = model_of(registry, row);
    });
    relation_close(registry, AccessShareLock);
  }
  const char* const column = name_of(model.column);
  if (is == nullptr || column == nullptr) return "It was built for another model.";
  if (was == nullptr) {
    return psprintf("The model of column \"%s\" is %s, the index was built for another one.",
                    column, is);
  }
  return psprintf("The model of column \"%s\" is %s, the index was built for %s.", column, is, was);
}

}  // namespace

void check_scan(Relation index, std::uint64_t built) {
  const IndexModel model = find_index_model(index);
  if (!model.makes_stale(built)) return;
  const bool is_error = setting() == StaleIndexes::kError;
  if (!is_error) {
    // A worker lives for one query: it would warn each time.
    if (IsParallelWorker()) return;
    if (!takes_warning(RelationGetRelid(index), model.current)) return;
  }
  const char* const detail = describe(index, model, built);
  ereport(
      is_error ? ERROR : WARNING,
      (errcode(is_error ? ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE : ERRCODE_WARNING),
       errmsg("index \"%s\" is stale", RelationGetRelationName(index)), errdetail("%s", detail),
       errhint("REINDEX builds it anew. Until then, nearest.stale_indexes = avoid makes queries "
               "do without it.")));
}

bool is_avoided(Relation index, std::uint64_t built) {
  return setting() == StaleIndexes::kAvoid && find_index_model(index).makes_stale(built);
}

}  // namespace nearest::pg::models
