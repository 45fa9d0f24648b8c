/// What happens when the server loads the library.
#include "pg/postgres.hpp"

extern "C" {
#include "utils/builtins.h"

PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);  // NOLINT(bugprone-reserved-identifier): the server's name
}

#include "core/kernels/table.hpp"
#include "pg/am/graph/options.hpp"
#include "pg/am/inverted/options.hpp"
#include "pg/maintain/launcher.hpp"
#include "pg/settings.hpp"

void _PG_init(void) {
  nearest::pg::define_settings();
  nearest::pg::graph::define_options();
  nearest::pg::inverted::define_options();
  nearest::pg::maintain::register_launcher();
}

/// nearest_kernels() -> text: the instruction set in use.
NEAREST_FUNCTION(nearest_kernels) {
  const std::string_view name = nearest::core::kernels().name;
  PG_RETURN_TEXT_P(cstring_to_text_with_len(name.data(), static_cast<int>(name.size())));
}
