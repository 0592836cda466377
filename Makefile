# SPDX-License-Identifier: Apache-2.0
# A thin front door to Meson, the tests and the demo. `make help` lists what there is.

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
MESON ?= meson
NINJA ?= ninja

.PHONY: all demo check bench fuzz install format clean help

all: $(BUILD)/build.ninja
	@$(NINJA) -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/install-deps build
	$(MESON) setup $(BUILD) --prefix=$(PREFIX)

demo:
	@tools/install-deps build demo
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) demo/run

check:
	@tools/install-deps build demo check
	@tools/check

bench:
	@tools/install-deps build demo bench
	@bench/all.sh

fuzz:
	@tools/install-deps build check
	@tools/fuzz

install: $(BUILD)/build.ninja
	$(MESON) configure $(BUILD) -Dprefix=$(PREFIX)
	$(NINJA) -C $(BUILD)
	DESTDIR="$(DESTDIR)" $(MESON) install -C $(BUILD) --no-rebuild

format:
	@tools/install-deps format
	find src tests -name '*.[ch]' -exec clang-format -i {} +

clean:
	rm -rf build build-asan build-fuzz build-bench

help:
	@echo 'make            build into $(BUILD)/ (installs what building needs)'
	@echo 'make demo       the whole story on real data: publish, run, update, roll back'
	@echo 'make check      every test: unit, sanitizers, end-to-end, faults, a short fuzz round'
	@echo 'make bench      the benchmarks of docs/benchmarks.md (takes a while)'
	@echo 'make fuzz       a longer fuzz round (SECONDS_EACH=600 make fuzz)'
	@echo 'make install    PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'
	@echo 'make format     clang-format over the sources'
	@echo 'make clean      remove the build folders'
