/// The server's own headers, in the one way that C++ can take them. Always the first include in
/// src/pg: they rename functions of the C library, so whatever comes before would not agree with
/// what follows.
#pragma once

extern "C" {
#include "postgres.h"

#include "fmgr.h"
}

/// Defines a function that SQL can call: NEAREST_FUNCTION(nearest_x) { ... fcinfo ... }
///
/// All such names begin with nearest_, because another vector extension may be loaded beside us.
#define NEAREST_FUNCTION(name) \
  extern "C" {                 \
  PG_FUNCTION_INFO_V1(name);   \
  }                            \
  Datum name([[maybe_unused]] FunctionCallInfo fcinfo)
