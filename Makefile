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

# The checkout, seen from the folder that is built in: "make -f path/to/Makefile" builds elsewhere.
top := $(patsubst %/,%,$(dir $(firstword $(MAKEFILE_LIST))))

EXTENSION  = control/pg_nearest
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" '$(top)/control/pg_nearest.control')
MODULE_big = pg_nearest
OBJS := $(patsubst ./%.cpp,%.o,$(shell cd '$(top)' && find ./src -name '*.cpp' | sort))
DATA := $(shell cd '$(top)' && find control -name '*--*--*.sql' | sort)
DATA_built = control/pg_nearest--$(EXTVERSION).sql
EXTRA_CLEAN = $(OBJS:.o=.d)
SCRIPTS = client/nearest_check_all client/nearest_evaluate client/nearest_latency

REGRESS := $(basename $(notdir $(sort $(wildcard $(top)/sql/*.sql))))
REGRESS_OPTS = --inputdir=$(top) --load-extension=pg_nearest
ISOLATION := $(basename $(notdir $(sort $(wildcard $(top)/test/specs/*.spec))))
ISOLATION_OPTS = --inputdir=$(top)/test --load-extension=pg_nearest
# TAP tests start servers of their own, which root may not.
ifneq ($(shell id -u),0)
TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl
endif

override with_llvm := no # bitcode would be compiled without our flags
SHLIB_LINK = -lstdc++ -fopenmp -Wl,--version-script=$(top)/exports.map $(EXTRA_LINK)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(wildcard $(PGXS)),)
$(error $(PG_CONFIG) finds no server development files. Install postgresql-server-dev-15 or give \
  PG_CONFIG=path, or run "make demo" or "make check", which install what they need)
endif
include $(PGXS)

# PGXS lets make search the checkout for whatever is missing here, so that objects of a build in the
# checkout would pass for this one's. Sources are named by their full path instead, and what is
# installed straight from the checkout need not be here.
override srcdir := $(top)
override VPATH :=
control/pg_nearest.control $(DATA): ;

# Server headers are not ours to warn about; -iquote keeps ours apart from them.
override CPPFLAGS := -iquote $(top)/src $(patsubst -I/%,-isystem /%,$(CPPFLAGS))
override CXXFLAGS += -std=c++20 -fopenmp -fno-math-errno -ffp-contract=off -Wall -Wextra -Wshadow $(EXTRA_CXXFLAGS)

ifneq ($(findstring x86_64,$(shell $(CXX) -dumpmachine)),)
src/core/kernels/avx2.o: override CXXFLAGS += -mavx2 -mfma
avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl
src/core/kernels/avx512.o: override CXXFLAGS += $(avx512)
src/core/kernels/avx512vnni.o: override CXXFLAGS += $(avx512) -mavx512vnni -mavx512vpopcntdq -mavx512bitalg -mavx512vbmi
endif

$(OBJS): %.o: $(top)/%.cpp $(top)/Makefile
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

$(shlib): $(top)/exports.map

script_parts := $(addprefix $(top)/control/, vector.sql nearest.sql models.sql drift.sql quality.sql maintain.sql migrate.sql)
$(DATA_built): $(script_parts) $(top)/control/pg_nearest.control
	@mkdir -p $(@D)
	(printf '%s\n' '\echo Use "CREATE EXTENSION pg_nearest" to load this file. \quit'; \
	 cat $(script_parts)) > $@

uninstall: uninstall-client
.PHONY: uninstall-client
uninstall-client: # PGXS would look for them in a folder of bindir
	rm -f $(addprefix '$(DESTDIR)$(bindir)'/,$(notdir $(SCRIPTS)))

-include $(OBJS:.o=.d)

endif
