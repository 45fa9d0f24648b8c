/// The settings of the maintenance of indexes, as the server keeps them.
#pragma once

namespace nearest::pg::maintain {

struct MaintenanceSettings {
  double unused_share;  ///< of an index's pages, from which on it is rebuilt
  // Of the worker of a server that preloads the library.
  char* databases;     ///< names, separated by commas
  char* window;        ///< '02:00-05:00', or empty
  int naptime;         ///< seconds
  int max_index_size;  ///< kilobytes; -1: any
};

const MaintenanceSettings& current_maintenance_settings();

/// Defines them; once, when the library is loaded.
void define_maintenance_settings();

}  // namespace nearest::pg::maintain
