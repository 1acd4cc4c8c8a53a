# SPDX-License-Identifier: MIT
# Pagetrail: a small kernel that accounts for its own memory, and the tools that read its trace.
# `make help` lists the targets; each is described by the `##` comment beside it.
#
# Each folder brings its own .mk file. What all of them share: BUILD (where everything built goes), PYTHON,
# and the packages. The packages are seen to before anything else: make remakes an included makefile first,
# and build/setup.mk is one, so `make TARGET` works on a machine that has nothing but make.
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
# V=1 shows every command.
ifndef V
.SILENT:
endif
BUILD ?= build
# The machine of `make boot`, and of `make demo` unless a fault brings its own.
SMP ?= 4
MEM ?= 128M
given = $(if $(filter file,$(origin $(1))),,$($(1)))

# What Debian 12 and 13 call the things we need: no name has a version in it.
PACKAGES_BUILD := gcc libc6-dev gcc-riscv64-unknown-elf binutils-riscv64-unknown-elf e2fsprogs pkg-config \
	libdw-dev libelf-dev libzstd-dev libsqlite3-dev zlib1g-dev python3 patch
PACKAGES_RUN := qemu-system-misc opensbi gdb-multiarch babeltrace2 python3-numpy python3-matplotlib
PACKAGES_TEST := libcmocka-dev python3-pytest python3-jsonschema python3-yaml protobuf-compiler sqlite3 clang libclang-rt-dev \
	clang-format clang-tidy git procps chromium mandoc groff-base

# SETUP=no: leave the system's packages alone. Who only builds and runs is spared what the tests need.
GOALS := $(filter-out help clean,$(or $(MAKECMDGOALS),all))
GOALS_PLAIN := all kernel user disk tools demo boot man install golden-unpack test-linux
ifneq ($(SETUP),no)
ifneq ($(GOALS),)
include $(BUILD)/setup.mk
endif
ifneq ($(filter-out $(GOALS_PLAIN),$(GOALS)),)
include $(BUILD)/setup-test.mk
endif
endif
$(BUILD)/setup.mk: PACKAGES := $(PACKAGES_BUILD) $(PACKAGES_RUN)
$(BUILD)/setup-test.mk: PACKAGES := $(PACKAGES_TEST)
# One after the other under -j, too: dpkg has one lock.
$(BUILD)/setup-test.mk: | $(BUILD)/setup.mk
$(BUILD)/setup.mk $(BUILD)/setup-test.mk: Makefile .ci/setup
	@mkdir -p $(@D)
	@.ci/setup $(PACKAGES)
	@echo '# The packages were there when this was written.' > $@

# Debian's python3 modules belong to /usr/bin/python3, whatever python3 comes first in PATH.
PYTHON := $(shell for p in /usr/bin/python3 python3; do $$p -c 'import importlib.util as u, sys; \
	sys.exit(not all(map(u.find_spec, ("numpy", "matplotlib"))))' 2>/dev/null && echo $$p && exit; done; \
	echo /usr/bin/python3)
export PYTHONDONTWRITEBYTECODE := 1

include kernel/kernel.mk
include user/user.mk
-include trace-tools/tools.mk
include tests/tests.mk

.PHONY: all setup help demo boot clean
all: kernel disk tools ## build everything
demo: kernel disk tools ## usertests under trace: verdict, picture, report. FAULT=05: a broken kernel (WHY=no: run it once only); SMP=, MEM=; CHECK=1: fail on a leak
	@$(PYTHON) tests/demo.py $(if $(call given,SMP),--smp $(SMP)) $(if $(call given,MEM),--mem $(MEM)) \
		$(if $(FAULT),--fault $(FAULT)) $(if $(filter no,$(WHY)),--no-why) $(if $(CHECK),--check)
boot: kernel disk tools ## boot to a shell on the console, under trace
	@$(PAGETRAIL) run --kernel $(KERNEL_ELF) --disk $(BUILD)/disk.img --smp $(SMP) --mem $(MEM) \
		--append debug=on
setup: $(BUILD)/setup.mk $(BUILD)/setup-test.mk ## install the Debian packages that are missing (every target does this by itself)
clean: ## remove what was built; recorded runs stay
	rm -rf $(BUILD)
help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | sort -u | \
		awk -F '\t' '{ printf "  make %-14s %s\n", $$1, $$2 }'
