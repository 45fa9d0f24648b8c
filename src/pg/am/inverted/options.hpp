/// Options of ivfflat and ivfpq indexes: WITH (lists = 1000, quantizer = pq, ...).
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

#include <cstdint>

namespace nearest::pg::inverted {

/// Which access method an index is of.
enum class Method : std::uint8_t { kFlat, kCoded };

/// What errors and notices call it.
constexpr const char* name_of(Method method) {
  return method == Method::kFlat ? "ivfflat" : "ivfpq";
}

/// Values of options as the server parses them; 0 is "not given", and chosen by the build.
enum class QuantizerOption : int { kUnset, kRabitq, kPq };
enum class RotationOption : int { kUnset, kNone, kRandom, kOpq };
enum class RefineOption : int { kUnset, kNone, kExtra, kSq8, kHalf };

/// As the server parses them. Those of ivfpq alone stay unset for ivfflat.
struct InvertedOptions {
  int32 vl_len_;  // varlena header, do not touch directly
  int lists;      ///< 0: by the number of rows
  int sample_rows_per_list;
  int quantizer, rotation, refine;
  int subquantizers;  ///< 0: by the dimension
  int bits;           ///< 0: by the quantizer
};

/// Defines the options; once, when the library is loaded.
void define_options();

/// The access methods' parsers of options.
bytea* parse_flat_options(Datum reloptions, bool validate);
bytea* parse_coded_options(Datum reloptions, bool validate);

/// The options of an index, or the defaults.
InvertedOptions options_of(Relation index);

}  // namespace nearest::pg::inverted
