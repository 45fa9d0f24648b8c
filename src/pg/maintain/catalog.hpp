/// The functions of control/maintain.sql: plan and log. To be called while connected to SPI.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "datatype/timestamp.h"
}

namespace nearest::pg::maintain {

enum class Outcome : int { kNone, kDone, kFailed, kCanceled, kSkipped };

/// What is to be done to one index.
struct Step {
  Oid index, table;
  char* index_name;  ///< with its schema, quoted
  char* action;      ///< 'rebuild' or 'drop'
  char* reason;
  double rows;  ///< -1: not known
};

/// What CALL nearest_maintain() may do.
struct Limits {
  Oid relation;          ///< or InvalidOid for all
  int64 max_index_size;  ///< bytes, or -1
  Interval max_duration;
  bool has_max_duration;
  Interval retry_after;
  TimestampTz began;
};

/// Finds the functions in the extension's schema, and calls them.
class Catalog {
 public:
  /// schema: of the extension.
  explicit Catalog(Oid schema);

  void mark_interrupted() const;
  /// False if nothing is left to be done. What step refers to is in `context`.
  bool find_next(const Limits& limits, MemoryContext context, Step* step) const;
  /// Index left over at a table, that nobody is building; false if there is none.
  bool find_leftover(Oid table, Oid index, MemoryContext context, Step* step) const;
  /// Returns the entry's number.
  int64 begin(const Step& step, const char* action) const;
  /// error: or null
  void end(int64 entry, Outcome outcome, const char* error) const;

 private:
  const char* schema_;  ///< quoted
};

}  // namespace nearest::pg::maintain
