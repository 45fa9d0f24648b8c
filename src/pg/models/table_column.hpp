/// A column of a table, as the register names it: SQL type nearest_column.
///
/// Kept as numbers, which follow renames and which pg_upgrade preserves; written as names, so that
/// a dump restores it.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/attnum.h"
}

#include <cstdint>

namespace nearest::pg::models {

struct TableColumn {
  Oid table;
  AttrNumber number;

  friend bool operator==(const TableColumn&, const TableColumn&) = default;
};

/// As it is stored: the binary form of a bigint.
inline std::int64_t to_number(const TableColumn& column) {
  return static_cast<std::int64_t>(column.table) << 16 | static_cast<std::uint16_t>(column.number);
}
inline TableColumn to_column(std::int64_t number) {
  return {static_cast<Oid>(number >> 16), static_cast<AttrNumber>(number & 0xFFFF)};
}

/// The name of the column, or null if there is no such table, or it has the column no more.
const char* name_of(const TableColumn& column);
inline bool is_there(const TableColumn& column) { return name_of(column) != nullptr; }

}  // namespace nearest::pg::models
