/// What the last index scan of this backend did, for nearest_last_scan().
#pragma once

#include "pg/postgres.hpp"

#include <cstdint>

namespace nearest::pg {

struct LastScan {
  Oid index;
  std::int64_t rounds;
  std::int64_t pages;
  std::int64_t nodes;       ///< of a graph; of lists: rows whose distances were bounded or known
  std::int64_t link_codes;  ///< scored; of lists: hot codes
  std::int64_t rows;
  bool read_the_rest;  ///< of a graph: pages were read in order; of lists: more than the probes
};

extern LastScan last_scan;
/// Scans begun by this backend.
extern std::uint64_t begun_scans;

}  // namespace nearest::pg
