#include "pg/models/index_model.hpp"

extern "C" {
#include "access/relation.h"
#include "access/sysattr.h"
#include "catalog/partition.h"
#include "catalog/pg_index.h"
#include "nodes/pg_list.h"
#include "nodes/readfuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/relcache.h"
#include "utils/syscache.h"
}

#include "pg/memory.hpp"
#include "pg/models/registry.hpp"

namespace nearest::pg::models {
namespace {

/// Columns of its table that an index is about: the indexed one, or those of the expression.
Bitmapset* columns_of(Relation index) {
  const AttrNumber column = index->rd_index->indkey.values[0];
  if (column > 0) return bms_make_singleton(column - FirstLowInvalidHeapAttributeNumber);
  Bitmapset* columns = nullptr;
  bool is_null = false;
  // As it is stored: the relation cache would evaluate what is constant of it, which is code of the
  // table's owner, with the rights of whoever only asks.
  const Datum stored =
      SysCacheGetAttr(INDEXRELID, index->rd_indextuple, Anum_pg_index_indexprs, &is_null);
  if (!is_null) {
    constexpr Index kTable = 1;
    const auto* const expressions = static_cast<List*>(stringToNode(TextDatumGetCString(stored)));
    pull_varattnos(static_cast<Node*>(linitial(expressions)), kTable, &columns);
  }
  return columns;
}

/// What is declared of one column.
IndexModel read_column(Relation registry, const TableColumn& column) {
  IndexModel model{column, format::kNoModel, format::kNoModel};
  for_each_declaration(registry, &column, [&](HeapTuple, const Declaration& one) {
    if (one.is_current) model.current = one.stamp;
    if (one.is_first) model.first = one.stamp;
  });
  return model;
}

/// Of a column or, if nothing is, of the nearest table that this one is a part of.
IndexModel read_nearest(Relation registry, const TableColumn& column, const List* ancestors) {
  IndexModel model = read_column(registry, column);
  if (model.current != format::kNoModel || ancestors == NIL) return model;
  const char* const name = name_of(column);
  if (name == nullptr) return model;
  ListCell* cell;
  foreach (cell, ancestors) {
    const Oid table = lfirst_oid(cell);
    model = read_column(registry, {table, get_attnum(table, name)});
    if (model.current != format::kNoModel) return model;
  }
  return model;
}

/// What an index's model follows from.
struct Sources {
  Oid table;
  List* ancestors;  ///< that the table is a part of
  Oid registry;
};

IndexModel read_index_model(Relation index, Sources* sources) {
  IndexModel found{};
  const Oid table = index->rd_index->indrelid;
  *sources = {table, get_rel_relispartition(table) ? get_partition_ancestors(table) : NIL,
              InvalidOid};
  Relation registry = open_registry(schema_of_extension(index), AccessShareLock);
  if (registry == nullptr) return found;
  sources->registry = RelationGetRelid(registry);
  Bitmapset* const columns = columns_of(index);
  int n_found = 0;
  int member = -1;
  while ((member = bms_next_member(columns, member)) >= 0) {
    const int number = member + FirstLowInvalidHeapAttributeNumber;
    if (number <= 0) continue;
    const IndexModel model =
        read_nearest(registry, {table, static_cast<AttrNumber>(number)}, sources->ancestors);
    if (model.current == format::kNoModel) continue;
    found = model;
    ++n_found;
  }
  relation_close(registry, AccessShareLock);
  // An expression of several models' vectors is of none of them.
  return n_found == 1 ? found : IndexModel{};
}

// What this backend keeps -------------------------------------------------------------------------

struct Kept {
  Oid index;  ///< the key
  bool is_known;
  IndexModel model;
  Oid* sources;  ///< relations whose change may change the model
  int n_sources;
  std::uint64_t warned;  ///< under which stamp this session warned
};

HTAB* kept = nullptr;
/// Messages that have come: what was read before one of them may be old after it.
std::uint64_t n_changes = 0;

void forget(Kept* one) {
  if (one->is_known) pfree(one->sources);
  one->is_known = false;
  one->sources = nullptr;
  if (one->warned == format::kNoModel) hash_search(kept, &one->index, HASH_REMOVE, nullptr);
}

bool is_source(const Kept& one, Oid relation) {
  for (int i = 0; i < one.n_sources; ++i) {
    if (one.sources[i] == relation) return true;
  }
  return false;
}

/// The server says that a relation has changed, or all. Comes at any time; raises nothing.
void relation_changed(Datum /*arg*/, Oid relation) {
  ++n_changes;
  HASH_SEQ_STATUS scan;
  hash_seq_init(&scan, kept);
  while (auto* const one = static_cast<Kept*>(hash_seq_search(&scan))) {
    if (one->is_known && (!OidIsValid(relation) || is_source(*one, relation))) forget(one);
  }
}

void begin_keeping() {
  if (kept != nullptr) return;
  HASHCTL control{};
  control.keysize = sizeof(Oid);
  control.entrysize = sizeof(Kept);
  control.hcxt = TopMemoryContext;
  constexpr int kUsualIndexes = 16;
  kept = hash_create("models of indexes", kUsualIndexes, &control,
                     HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
  CacheRegisterRelcacheCallback(relation_changed, Datum{0});
}

Kept* find_kept(Oid index) {
  return static_cast<Kept*>(hash_search(kept, &index, HASH_FIND, nullptr));
}

Kept* find_or_make_kept(Oid index) {
  bool is_found = false;
  auto* const one = static_cast<Kept*>(hash_search(kept, &index, HASH_ENTER, &is_found));
  if (!is_found) *one = {index, false, {}, nullptr, 0, format::kNoModel};
  return one;
}

void keep(Oid index, const IndexModel& model, const Sources& from) {
  const int n = list_length(from.ancestors) + 3;
  Oid* const sources = allocate_in<Oid>(TopMemoryContext, static_cast<std::size_t>(n));
  int i = 0;
  sources[i++] = index;
  sources[i++] = from.table;
  sources[i++] = from.registry;
  ListCell* cell;
  foreach (cell, from.ancestors) sources[i++] = lfirst_oid(cell);
  Kept* const one = find_or_make_kept(index);
  if (one->is_known) pfree(one->sources);
  one->is_known = true;
  one->model = model;
  one->sources = sources;
  one->n_sources = n;
}

}  // namespace

Oid schema_of_extension(Relation index) { return get_func_namespace(index->rd_amhandler); }

IndexModel find_index_model(Relation index) {
  begin_keeping();
  const Oid oid = RelationGetRelid(index);
  if (const Kept* const one = find_kept(oid); one != nullptr && one->is_known) return one->model;
  const std::uint64_t before = n_changes;
  Sources sources;
  const IndexModel model = read_index_model(index, &sources);
  // No message would come when there is a register again.
  if (n_changes == before && OidIsValid(sources.registry)) keep(oid, model, sources);
  list_free(sources.ancestors);
  return model;
}

std::uint64_t stamp_for_build(Relation index) {
  Sources sources;
  return read_index_model(index, &sources).current;
}

bool takes_warning(Oid index, std::uint64_t current) {
  begin_keeping();
  Kept* const one = find_or_make_kept(index);
  if (one->warned == current) return false;
  one->warned = current;
  return true;
}

}  // namespace nearest::pg::models
