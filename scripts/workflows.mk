# Targets that start from nothing: they install Debian packages that are missing, build in build/ and
# run servers of their own (scripts/README.md). The text behind ## is what "make help" prints.

SHELL := /bin/bash

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' scripts/workflows.mk | column -t -s '|'

packages: ## install every Debian package that any target here needs
	scripts/install-packages all

demo: ## search the glosses of WordNet by meaning, on a throwaway server
	scripts/demo run

demo-psql: ## psql in the demo's database
	scripts/demo psql

demo-stop: ## stop the demo's server; "make demo" starts it again
	scripts/demo stop

demo-clean: ## stop the demo's server and remove all that the demo made
	scripts/demo clean

check: ## all tests: unit, regression, isolation, TAP (SUITE=name, TEST=name for some of them)
	scripts/check $(if $(SUITE),--suite $(SUITE)) $(if $(TEST),--test $(TEST))

check-assert: ## the same in an assert-enabled server, plainly and under sanitizers
	scripts/check-assert $(if $(SUITE),--suite $(SUITE)) $(if $(TEST),--test $(TEST))

check-neon: ## the unit tests for AArch64, cross-compiled and run under qemu-user
	scripts/check-neon

lint: ## formatter and linters, without changing anything
	scripts/lint

format: ## format the C++ sources in place
	scripts/lint --format

bench-kernels: ## time the distance kernels against a loop that only loads
	scripts/bench-kernels

distclean: ## remove build/, all throwaway servers and their data
	scripts/distclean

.PHONY: help packages demo demo-psql demo-stop demo-clean check check-assert check-neon lint format \
  bench-kernels distclean
