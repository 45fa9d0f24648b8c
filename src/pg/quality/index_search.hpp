/// Searches through one index, whatever the planner would take, that return what a statement with
/// ORDER BY and this index would.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
#include "access/relscan.h"
#include "access/skey.h"
}

#include "pg/quality/query_set.hpp"

namespace nearest::pg::quality {

/// A column of the table that tells its rows apart.
struct KeyColumn {
  AttrNumber number = InvalidAttrNumber;  ///< not wanted
  bool is_by_value;
  int16 length;
};

struct FoundRow {
  double distance;
  bool is_null;  ///< the distance
  bool key_is_null;
  ItemPointerData tid;
  Datum key;  ///< valid until the search stops
};

/// start, next until there are enough rows, stop; then another one.
class IndexSearch {
 public:
  /// rows: live as long. Memory of the current context.
  void begin(IndexedRows* rows, const KeyColumn& key);
  void end();

  void start(const Query& query);
  /// The next row in the order of distances, as far as the index keeps it. False if there are none.
  bool next(FoundRow* row);
  void stop();

 private:
  /// Reads a row and the bound of the distances of those to come. False if there are none.
  bool fetch(FoundRow* row, bool* is_in_place);

  IndexedRows* rows_;
  KeyColumn key_;
  ScanKeyData order_by_;
  TupleTableSlot* slot_;
  MemoryContext context_;  ///< of one search
  IndexScanDesc scan_;
  core::VectorView<float> query_;

  // The executor's queue (nodeIndexscan.c): rows that came before others that may be nearer.
  core::ArenaArray<FoundRow> queue_;
  FoundRow bound_;  ///< its distance alone
  bool has_ended_;
};

}  // namespace nearest::pg::quality
