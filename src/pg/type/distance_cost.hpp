/// Planner support for distance functions: what one call costs, by dimension and storage.
#pragma once

#include "pg/postgres.hpp"

namespace nearest::pg {

/// The SUPPORT function of all distance functions over dense vectors with elements of
/// `element_bytes`. Answers SupportRequestCost; leaves every other request to the planner's
/// default.
Datum dense_distance_support(FunctionCallInfo fcinfo, std::size_t element_bytes);

}  // namespace nearest::pg
