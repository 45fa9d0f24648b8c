/// What an index's drift page says, and what follows from it.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

#include "format/drift_summary.hpp"
#include "format/graph_meta.hpp"
#include "format/inverted_meta.hpp"

namespace nearest::pg {

inline constexpr const char* kFigureNames[core::kFigures] = {"norm", "centroid_distance",
                                                             "neighbor_distance", "code_error"};
inline constexpr const char* kImbalanceName = "list_imbalance";

/// What is known of the rows of an index.
struct IndexDrift {
  format::DriftPage page;
  format::DriftSummary summary;
  core::Metric metric;
  bool is_trained;
  double rows;         ///< by now, about
  double needed_rows;  ///< to be trained
};

/// Reads the drift page of an index with this metapage. Returns what is wrong with the page, or
/// null.
const char* read_drift(Relation index, const format::GraphMeta& meta, IndexDrift* drift);
const char* read_drift(Relation index, const format::InvertedMeta& meta, IndexDrift* drift);

struct Finding {
  core::Verdict verdict;
  double score;
  const char* reason;  ///< never null
};

/// By the settings of the session.
Finding judge(const IndexDrift& drift);

/// As SQL functions say it.
const char* name_of(core::Verdict verdict);

}  // namespace nearest::pg
