# pg_nearest: vector similarity search for PostgreSQL.
#
#   make demo            everything from packages to printed searches, on a throwaway server
#   make check           everything from packages to "N passed, M failed"
#   make                 the extension, for the server that PG_CONFIG names (any PGXS target works:
#                        make install, make installcheck, make clean)
#   make help            all targets of ours
#
# The targets of scripts/workflows.mk need nothing but make and git; the rest needs a server's headers.

WORKFLOWS := $(shell sed -n 's/^\([a-z-]*\):.*\#\#.*/\1/p' $(dir $(lastword $(MAKEFILE_LIST)))scripts/workflows.mk)

ifneq ($(filter $(WORKFLOWS),$(MAKECMDGOALS)),)
include scripts/workflows.mk
else

EXTENSION  = control/pg_nearest
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(srcdir)/control/pg_nearest.control)
MODULE_big = pg_nearest
OBJS = $(patsubst $(srcdir)/%.cpp,%.o,$(shell find $(srcdir)/src -name '*.cpp' | sort))
DATA = $(wildcard $(srcdir)/control/*--*--*.sql)
DATA_built = control/pg_nearest--$(EXTVERSION).sql
EXTRA_CLEAN = $(OBJS:.o=.d)

REGRESS = $(basename $(notdir $(sort $(wildcard $(srcdir)/sql/*.sql))))
REGRESS_OPTS = --inputdir=$(srcdir) --load-extension=pg_nearest
ISOLATION = $(basename $(notdir $(sort $(wildcard $(srcdir)/test/specs/*.spec))))
ISOLATION_OPTS = --inputdir=$(srcdir)/test --load-extension=pg_nearest
# TAP tests start servers of their own, which root may not.
ifneq ($(shell id -u),0)
TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl
endif

srcdir = $(if $(VPATH),$(VPATH),.)
override with_llvm := no # bitcode would be compiled without our flags
SHLIB_LINK = -lstdc++ -fopenmp -Wl,--version-script=$(srcdir)/exports.map $(EXTRA_LINK)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(wildcard $(PGXS)),)
$(error $(PG_CONFIG) finds no server development files. Install postgresql-server-dev-15 or give \
  PG_CONFIG=path, or run "make demo" or "make check", which install what they need)
endif
include $(PGXS)

# Server headers are not ours to warn about; -iquote keeps ours apart from them.
override CPPFLAGS := -iquote $(srcdir)/src $(patsubst -I/%,-isystem /%,$(CPPFLAGS))
override CXXFLAGS += -std=c++20 -fopenmp -fno-math-errno -Wall -Wextra -Wshadow $(EXTRA_CXXFLAGS)

ifneq ($(findstring x86_64,$(shell $(CXX) -dumpmachine)),)
src/core/kernels/avx2.o: override CXXFLAGS += -mavx2 -mfma
src/core/kernels/avx512.o: override CXXFLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl
endif

$(OBJS): %.o: %.cpp $(lastword $(MAKEFILE_LIST))
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

$(shlib): $(srcdir)/exports.map

$(DATA_built): $(srcdir)/control/vector.sql $(srcdir)/control/nearest.sql $(srcdir)/control/pg_nearest.control
	@mkdir -p $(@D)
	(printf '%s\n' '\echo Use "CREATE EXTENSION pg_nearest" to load this file. \quit'; \
	 cat $(srcdir)/control/vector.sql; echo; cat $(srcdir)/control/nearest.sql) > $@

-include $(OBJS:.o=.d)

endif
