# One word each: build run test bench fmt lint fuzz install dist clean.

SHELL := /bin/sh
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/weft
# Not the folder of `weft` itself, which takes nothing but its own.
STATE := $(or $(XDG_STATE_HOME),$(HOME)/.local/state)/weft-example
PREFIX ?= /usr/local
# Where `make run` serves; port 0 is any free one.
HTTP ?= 127.0.0.1:8080
# Seconds that `make fuzz` gives each fuzzer.
SECONDS_EACH ?= 60
export CCACHE_DIR := $(CACHE)/ccache
# Objects are the same in whatever folder the checkout lies.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
# And know cmake/prelude.h by what it consists of.
export CCACHE_SLOPPINESS := pch_defines,time_macros
export CCACHE_PCH_EXTSUM := 1

.PHONY: build run test test-fast bench fmt lint fuzz install dist clean configure

build: configure
	@ninja -C build weft

# The example app on embedded defaults, until Ctrl-C.
run: configure
	@ninja -C build --quiet weft guest_hello
	@exec build/weft run --http $(HTTP) --state "$(STATE)" build/guests/hello.wasm

test: build/.setup-test
	@cmake --preset release -DWEFT_TESTS=ON >build/configure.log || { cat build/configure.log; exit 1; }
	@ninja -C build
	@python3 scripts/run_tests.py

test-fast: build/.setup-test
	@cmake --preset release -DWEFT_TESTS=ON >build/configure.log || { cat build/configure.log; exit 1; }
	@ninja -C build
	@python3 scripts/run_tests.py --fast

bench: build/.setup-bench configure
	@ninja -C build weft guests benches
	@python3 bench/run.py

fuzz: build/.setup-test
	@cmake --preset dev >build/configure.log || { cat build/configure.log; exit 1; }
	@ninja -C build/dev fuzzers
	@python3 scripts/run_tests.py --only fuzz --fuzz-seconds $(SECONDS_EACH)

fmt: build/.setup-lint
	@git ls-files '*.cc' '*.h' '*.c' | xargs clang-format-22 -i
	@cd engine && cargo fmt --all

# ALL=1: clang-tidy reads every source, not only those that differ from main.
lint: build/.setup-lint build
	@python3 scripts/lint.py $(if $(ALL),--all)

install: build
	@ninja -C build weft_provider_sdk
	install -D -m 755 build/weft "$(DESTDIR)$(PREFIX)/bin/weft"
	sdk/provider/package/install.sh build "$(DESTDIR)$(PREFIX)"

# A tarball that runs elsewhere.
dist: build
	@ninja -C build weft_provider_sdk
	@scripts/dist.sh

clean:
	rm -rf build

configure: build/build.ninja

build/build.ninja: build/.setup-build
	@cmake --preset release >build/configure.log || { cat build/configure.log; exit 1; }
	@touch $@

build/.setup-%: scripts/setup.sh
	@mkdir -p build
	@scripts/setup.sh $*
	@touch $@
