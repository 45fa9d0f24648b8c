#include "pg/postgres.hpp"

extern "C" {
#include "utils/guc.h"
#include "utils/varlena.h"
}

#include <climits>

#include "pg/maintain/settings.hpp"
#include "pg/maintain/window.hpp"

namespace nearest::pg::maintain {

namespace {

MaintenanceSettings settings{0.5, nullptr, nullptr, 600, -1};

bool is_list_of_names(char** new_value, void** /*extra*/, GucSource /*source*/) {
  char* const copy = pstrdup(*new_value);
  List* names = nullptr;
  const bool is_list = SplitIdentifierString(copy, ',', &names);
  if (!is_list) GUC_check_errdetail("List syntax is invalid.");
  list_free(names);
  pfree(copy);
  return is_list;
}

bool is_window(char** new_value, void** /*extra*/, GucSource /*source*/) {
  Window window{};
  if (parse_window(*new_value, &window)) return true;
  GUC_check_errdetail("A window is two times of day, such as 02:00-05:00, or empty.");
  return false;
}

}  // namespace

const MaintenanceSettings& current_maintenance_settings() { return settings; }

void define_maintenance_settings() {
  DefineCustomRealVariable("nearest.maintenance_unused_share",
                           "From which share of unused pages on an index is to be rebuilt.",
                           nullptr, &settings.unused_share, 0.5, 0.1, 1, PGC_USERSET, 0, nullptr,
                           nullptr, nullptr);
  DefineCustomStringVariable(
      "nearest.maintenance_databases", "In which databases a worker maintains indexes by itself.",
      "Names, separated by commas. Needs the library among "
      "shared_preload_libraries.",
      &settings.databases, "", PGC_SIGHUP, GUC_LIST_INPUT, is_list_of_names, nullptr, nullptr);
  DefineCustomStringVariable("nearest.maintenance_window",
                             "At which time of day the worker may begin to rebuild an index.",
                             "Such as 02:00-05:00, in the server's time zone; empty is always.",
                             &settings.window, "", PGC_SIGHUP, 0, is_window, nullptr, nullptr);
  DefineCustomIntVariable("nearest.maintenance_naptime",
                          "How long the worker waits before it looks at the databases again.",
                          nullptr, &settings.naptime, 600, 1, INT_MAX / 1000, PGC_SIGHUP,
                          GUC_UNIT_S, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("nearest.maintenance_max_index_size",
                          "The largest index that the worker rebuilds.", "-1 is any.",
                          &settings.max_index_size, -1, -1, INT_MAX, PGC_SIGHUP, GUC_UNIT_KB,
                          nullptr, nullptr, nullptr);
}

}  // namespace nearest::pg::maintain
