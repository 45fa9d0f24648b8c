#include "pg/am/graph/options.hpp"

extern "C" {
#include "access/reloptions.h"
}

#include <cstddef>

#include "core/graph/params.hpp"

namespace nearest::pg::graph {
namespace {

relopt_kind option_kind;

constexpr relopt_parse_elt integer_option(const char* name, std::size_t offset) {
  relopt_parse_elt option{};  // by name, because version 18 has one member more
  option.optname = name;
  option.opttype = RELOPT_TYPE_INT;
  option.offset = static_cast<int>(offset);
  return option;
}

}  // namespace

void define_options() {
  option_kind = add_reloption_kind();
  add_int_reloption(option_kind, "m", "Links of a node are at most twice this many",
                    core::kDefaultM, core::kMinM, core::kMaxM, AccessExclusiveLock);
  add_int_reloption(option_kind, "ef_construction",
                    "Candidates among which a node's links are chosen",
                    core::kDefaultEfConstruction, core::kMinEfConstruction,
                    core::kMaxEfConstruction, AccessExclusiveLock);
}

bytea* parse_options(Datum reloptions, bool validate) {
  static constexpr relopt_parse_elt kElements[] = {
      integer_option("m", offsetof(GraphOptions, m)),
      integer_option("ef_construction", offsetof(GraphOptions, ef_construction)),
  };
  return static_cast<bytea*>(build_reloptions(
      reloptions, validate, option_kind, sizeof(GraphOptions), kElements, lengthof(kElements)));
}

GraphOptions options_of(Relation index) {
  GraphOptions options{0, core::kDefaultM, core::kDefaultEfConstruction};
  if (index->rd_options != nullptr) {
    options = *reinterpret_cast<const GraphOptions*>(index->rd_options);
  }
  if (options.ef_construction < 2 * options.m) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("ef_construction must be greater than or equal to 2 * m"),
             errdetail("m is %d and ef_construction %d.", options.m, options.ef_construction)));
  }
  return options;
}

}  // namespace nearest::pg::graph
