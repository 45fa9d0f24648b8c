/// The settings, as the server keeps them.
#pragma once

namespace nearest::pg {

/// hnsw.iterative_scan, ivfflat.iterative_scan and ivfpq.iterative_scan.
enum class IterativeScan : int {
  kOff,           ///< one round: at most ef_search nodes
  kRelaxedOrder,  ///< further rounds up to the limits; late finds may come out of order
  kStrictOrder,   ///< likewise, but late finds are left out
  kComplete,      ///< further rounds until every row has been returned
};

/// Of scans of inverted files.
struct ListSettings {
  int probes;  ///< 0: by the number of lists
  int iterative_scan;
  int max_probes;
};

/// nearest.stale_indexes: what queries do with an index that was built under another model.
enum class StaleIndexes : int { kWarn, kError, kAvoid };

struct Settings {
  int hnsw_ef_search;
  int hnsw_iterative_scan;
  int hnsw_max_scan_tuples;
  double hnsw_scan_mem_multiplier;
  ListSettings ivfflat, ivfpq;
  int stale_indexes;
  double drift_watch, drift_retrain;  ///< scores of nearest_drift from which on it says so
};

/// The values now. Where another extension's library defined settings of these names first, its
/// values are ours.
const Settings& current_settings();

/// Defines all settings; once, when the library is loaded.
void define_settings();

}  // namespace nearest::pg
