#include "pg/am/inverted/options.hpp"

extern "C" {
#include "access/reloptions.h"
}

#include <cstddef>

#include "core/ivf/params.hpp"
#include "format/vector_value.hpp"

namespace nearest::pg::inverted {
namespace {

constexpr int kMaxFlatLists = 32768;  // pgvector's
constexpr int kMaxSampleRows = 65536;

relopt_kind flat_kind, coded_kind;

relopt_enum_elt_def quantizers[] = {{"rabitq", static_cast<int>(QuantizerOption::kRabitq)},
                                    {"pq", static_cast<int>(QuantizerOption::kPq)},
                                    {nullptr, 0}};
relopt_enum_elt_def rotations[] = {{"none", static_cast<int>(RotationOption::kNone)},
                                   {"random", static_cast<int>(RotationOption::kRandom)},
                                   {"opq", static_cast<int>(RotationOption::kOpq)},
                                   {nullptr, 0}};
relopt_enum_elt_def refinements[] = {{"none", static_cast<int>(RefineOption::kNone)},
                                     {"extra", static_cast<int>(RefineOption::kExtra)},
                                     {"sq8", static_cast<int>(RefineOption::kSq8)},
                                     {"half", static_cast<int>(RefineOption::kHalf)},
                                     {nullptr, 0}};

constexpr relopt_parse_elt option(const char* name, relopt_type type, std::size_t offset) {
  relopt_parse_elt element{};  // by name, because version 18 has one member more
  element.optname = name;
  element.opttype = type;
  element.offset = static_cast<int>(offset);
  return element;
}

constexpr relopt_parse_elt kElements[] = {
    option("lists", RELOPT_TYPE_INT, offsetof(InvertedOptions, lists)),
    option("sample_rows_per_list", RELOPT_TYPE_INT,
           offsetof(InvertedOptions, sample_rows_per_list)),
    option("quantizer", RELOPT_TYPE_ENUM, offsetof(InvertedOptions, quantizer)),
    option("rotation", RELOPT_TYPE_ENUM, offsetof(InvertedOptions, rotation)),
    option("refine", RELOPT_TYPE_ENUM, offsetof(InvertedOptions, refine)),
    option("subquantizers", RELOPT_TYPE_INT, offsetof(InvertedOptions, subquantizers)),
    option("bits", RELOPT_TYPE_INT, offsetof(InvertedOptions, bits)),
};
constexpr int kFlatElements = 2;  // the first ones

void define_common(relopt_kind kind, int most_lists) {
  add_int_reloption(kind, "lists", "Lists that rows are in; unset: the square root of the rows", 0,
                    1, most_lists, AccessExclusiveLock);
  add_int_reloption(kind, "sample_rows_per_list", "Rows per list that training looks at",
                    core::kSampleRowsPerList, 1, kMaxSampleRows, AccessExclusiveLock);
}

}  // namespace

void define_options() {
  flat_kind = add_reloption_kind();
  define_common(flat_kind, kMaxFlatLists);
  coded_kind = add_reloption_kind();
  define_common(coded_kind, core::kMaxLists);
  add_enum_reloption(coded_kind, "quantizer", "What short codes are", quantizers,
                     static_cast<int>(QuantizerOption::kUnset),
                     "Valid values are \"rabitq\" and \"pq\".", AccessExclusiveLock);
  add_enum_reloption(coded_kind, "rotation", "How vectors are turned before they are coded",
                     rotations, static_cast<int>(RotationOption::kUnset),
                     "Valid values are \"none\", \"random\" and \"opq\".", AccessExclusiveLock);
  add_enum_reloption(coded_kind, "refine", "What refines short codes", refinements,
                     static_cast<int>(RefineOption::kUnset),
                     "Valid values are \"none\", \"extra\", \"sq8\" and \"half\".",
                     AccessExclusiveLock);
  add_int_reloption(coded_kind, "subquantizers", "Segments of a code of product quantization", 0, 1,
                    static_cast<int>(format::kMaxDim), AccessExclusiveLock);
  add_int_reloption(coded_kind, "bits",
                    "Of each segment of a product code, or of each dimension, extra bits included",
                    0, 2, 8, AccessExclusiveLock);
}

bytea* parse_flat_options(Datum reloptions, bool validate) {
  return static_cast<bytea*>(build_reloptions(reloptions, validate, flat_kind,
                                              sizeof(InvertedOptions), kElements, kFlatElements));
}

bytea* parse_coded_options(Datum reloptions, bool validate) {
  return static_cast<bytea*>(build_reloptions(
      reloptions, validate, coded_kind, sizeof(InvertedOptions), kElements, lengthof(kElements)));
}

InvertedOptions options_of(Relation index) {
  if (index->rd_options != nullptr) {
    return *reinterpret_cast<const InvertedOptions*>(index->rd_options);
  }
  InvertedOptions options{};
  options.sample_rows_per_list = core::kSampleRowsPerList;
  return options;
}

}  // namespace nearest::pg::inverted
