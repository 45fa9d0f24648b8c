#include "pg/am/common/last_scan.hpp"

namespace nearest::pg {

LastScan last_scan;
std::uint64_t begun_scans = 0;

}  // namespace nearest::pg
