/// Reads every page of an inverted file and verifies what can be verified.
///
/// Others may insert and VACUUM meanwhile: chains only grow, by one record with the directory, and
/// a row and what refines it come in one record. So a chain that is walked has all pages that its
/// directory entry named before, and a list page and its cold pages fit if the list page is the
/// same before and after the cold ones are read; else they are read again. Each page is copied
/// under its share lock and looked at afterwards.
///
/// Memory: 1 bit per block, and a list page with its cold pages one after another.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

#include "format/inverted_page.hpp"

namespace nearest::pg {

struct InvertedFindings {
  std::int64_t blocks, model_blocks, centroid_blocks, directory_blocks, list_blocks, cold_blocks,
      row_blocks, unused_blocks;
  std::int64_t rows, null_rows, zero_rows, dead_slots;
  std::int64_t lists, empty_lists, largest_list;
  std::uint32_t slots_per_page;
  bool is_trained;
};

/// Raises about the first fault.
InvertedFindings check_inverted(Relation heap, Relation index);

}  // namespace nearest::pg
