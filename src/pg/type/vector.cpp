/// The SQL type `vector`: every function of it, as instances of the dense templates for float32.
#include "pg/type/dense_aggregate.hpp"
#include "pg/type/dense_arithmetic.hpp"
#include "pg/type/dense_cast.hpp"
#include "pg/type/dense_compare.hpp"
#include "pg/type/dense_distance.hpp"
#include "pg/type/dense_io.hpp"
#include "pg/type/distance_cost.hpp"

#include <functional>

using namespace nearest;
using namespace nearest::pg;

// Input and output
NEAREST_FUNCTION(nearest_vector_in) { return dense_in<float>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_out) { return dense_out<float>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_typmod_in) { return dense_typmod_in<float>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_recv) { return dense_recv<float>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_send) { return dense_send<float>(fcinfo); }

// Casts
NEAREST_FUNCTION(nearest_vector) { return dense_enforce_typmod<float>(fcinfo); }
NEAREST_FUNCTION(nearest_array_to_vector) { return array_to_dense<float>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_to_float4) { return dense_to_float4_array<float>(fcinfo); }

// Distances
NEAREST_FUNCTION(nearest_vector_l2_distance) {
  return dense_distance<float, core::l2_distance<float>>(fcinfo);
}
NEAREST_FUNCTION(nearest_vector_l2_squared_distance) {
  return dense_distance<float, core::l2_squared_distance<float>>(fcinfo);
}
NEAREST_FUNCTION(nearest_vector_inner_product) {
  return dense_distance<float, core::inner_product<float>>(fcinfo);
}
NEAREST_FUNCTION(nearest_vector_negative_inner_product) {
  return dense_distance<float, core::negative_inner_product<float>>(fcinfo);
}
NEAREST_FUNCTION(nearest_vector_cosine_distance) {
  return dense_distance<float, core::cosine_distance<float>>(fcinfo);
}
NEAREST_FUNCTION(nearest_vector_l1_distance) {
  return dense_distance<float, core::l1_distance<float>>(fcinfo);
}
NEAREST_FUNCTION(nearest_vector_spherical_distance) {
  return dense_distance<float, core::spherical_distance<float>>(fcinfo);
}
NEAREST_FUNCTION(nearest_vector_distance_support) {
  return dense_distance_support(fcinfo, sizeof(float));
}

// Properties and reshaping
NEAREST_FUNCTION(nearest_vector_dims) { return dense_dims<float>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_norm) { return dense_norm<float>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_l2_normalize) { return dense_normalize<float>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_binary_quantize) { return dense_binary_quantize<float>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_subvector) { return dense_subvector<float>(fcinfo); }

// Arithmetic
NEAREST_FUNCTION(nearest_vector_add) {
  return dense_add_or_subtract<float, std::plus<float>>(fcinfo);
}
NEAREST_FUNCTION(nearest_vector_sub) {
  return dense_add_or_subtract<float, std::minus<float>>(fcinfo);
}
NEAREST_FUNCTION(nearest_vector_mul) { return dense_multiply<float>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_concat) { return dense_concat<float>(fcinfo); }

// Order, equality, hashing
NEAREST_FUNCTION(nearest_vector_lt) { return dense_relation<float, std::less<int>>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_le) { return dense_relation<float, std::less_equal<int>>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_eq) { return dense_relation<float, std::equal_to<int>>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_ne) {
  return dense_relation<float, std::not_equal_to<int>>(fcinfo);
}
NEAREST_FUNCTION(nearest_vector_ge) {
  return dense_relation<float, std::greater_equal<int>>(fcinfo);
}
NEAREST_FUNCTION(nearest_vector_gt) { return dense_relation<float, std::greater<int>>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_cmp) { return dense_cmp<float>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_hash) { return dense_hash<float>(fcinfo); }
NEAREST_FUNCTION(nearest_vector_hash_extended) { return dense_hash_extended<float>(fcinfo); }

// Aggregates
NEAREST_FUNCTION(nearest_vector_accum) { return dense_accum<float>(fcinfo, "vector_accum"); }
NEAREST_FUNCTION(nearest_vector_combine) { return dense_combine<float>(fcinfo, "vector_combine"); }
NEAREST_FUNCTION(nearest_vector_avg) { return dense_avg<float>(fcinfo, "vector_avg"); }
