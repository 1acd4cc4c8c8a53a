# SPDX-License-Identifier: MIT
# The test suite in parts, each callable alone. `make test` runs them all through tests/run.py, which adds up.
TEST_PARTS := lint test-host test-trace test-describe test-fuzz test-qemu test-gdb test-foreign test-watch test-faults test-mutants

export PAGETRAIL_BUILD := $(BUILD)
PYTEST := timeout 1800 $(PYTHON) -m pytest -q
# Everything that a test boots or runs.
TEST_NEEDS := kernel disk tools

-include tests/host/host.mk
include tests/fuzz/fuzz.mk
include tests/foreign/foreign.mk

.PHONY: test $(TEST_PARTS) axe format tidy bench bench-wall bench-watch bench-why test-xv6 test-linux faults fault-table mutants soak repro
test: $(TEST_NEEDS) ## run everything: lint, host tests, trace tools, QEMU with 1, 2 and 4 harts, gdb, faults
	@$(PYTHON) tests/run.py $(TEST_PARTS)

lint: ## layers, formatting, paths, words, and that the checks can fail
	@$(PYTHON) tests/lint/check_layers.py
	@$(PYTHON) tests/lint/check_text.py
	@$(PYTHON) tests/lint/check_invariants.py
	@$(PYTHON) tests/lint/check_words.py
	@$(PYTHON) tests/lint/check_plurals.py
	@$(PYTEST) tests/lint
test-host: host-test ## the kernel's own sources on the host, under ASan and UBSan
test-trace: $(TEST_NEEDS) ## the trace tools, on recorded and damaged traces
	@$(PYTEST) tests/trace
.PHONY: test-forms
test-forms: $(TEST_NEEDS) ## leaks --sarif and --junit against the official schemas, which you bring: SARIF_SCHEMA=FILE JUNIT_XSD=FILE (xmllint)
	@SARIF_SCHEMA=$(SARIF_SCHEMA) JUNIT_XSD=$(JUNIT_XSD) $(PYTEST) tests/trace/test_form_rules.py
test-describe: tools ## what is found in kernels that are not ours: types, allocator, counts, hooks
	@$(PYTEST) tests/describe
test-fuzz: tools ## the readers of traces against what a fuzzer found, and a short run of it
	@$(PYTEST) tests/fuzz
test-qemu: $(TEST_NEEDS) ## boot, programs, accounting and disks in QEMU
	@$(PYTEST) tests/qemu
test-gdb: $(TEST_NEEDS) ## the gdb commands against live and dead kernels
	@$(PYTEST) tests/gdb
test-watch: $(TEST_NEEDS) foreign ## pagetrail watch on the foreign kernels. QEMU_OTHER=FILE: two QEMUs tell the same; PAGETRAIL_KILLS=20
	@$(PYTEST) tests/watch
test-faults: $(TEST_NEEDS) ## faults 5, 7, 40 and 41 of the catalogue: patch, build, run, compare the verdict
	@$(PYTEST) tests/faults -m "not slow"
faults: $(TEST_NEEDS) ## every fault of the catalogue
	@$(PYTEST) tests/faults
fault-table: $(TEST_NEEDS) ## whom the tools name for each fault: the table of docs/FAULTS.md. ONLY=05,07; JUDGE=1: recorded runs again
	@$(PYTHON) tests/faults/fault_table.py $(if $(ONLY),--only '$(ONLY)') $(if $(JUDGE),--judge)
test-mutants: $(TEST_NEEDS) ## twelve mutants of the kernel: what is found, and which function is named
	@$(PYTEST) tests/mutants
JOBS ?= 2
mutants: $(TEST_NEEDS) ## every release deleted, skipped, ... one at a time: a table. N=50: so many; ONLY='pipe_*'; JOBS=2; JUDGE=1: recorded runs again; WHY=1: what why says
	@$(PYTHON) tests/mutants/run.py --jobs $(JOBS) $(if $(N),--number $(N)) $(if $(ONLY),--only '$(ONLY)') \
		$(if $(JUDGE),--judge) $(if $(filter-out no,$(WHY)),--why) $(if $(OUT),--out $(OUT))
bench-watch: tools ## what pagetrail watch costs on your own tree: make bench-watch XV6=DIR [BENCH_WATCH='--pairs 3 --writes']
	@test -n "$(XV6)" || { echo "bench-watch: which tree? make bench-watch XV6=DIR"; exit 2; }
	@$(PYTHON) tests/bench/bench_watch.py $(XV6) $(BENCH_WATCH)
test-xv6: tools ## pagetrail watch on your own tree: make test-xv6 XV6=DIR [XV6_OPTIONS='--smp 1 --test mmaptest']
	@test -n "$(XV6)" || { echo "test-xv6: which tree? make test-xv6 XV6=DIR"; exit 2; }
	@$(PYTHON) tests/watch/xv6.py $(XV6) $(XV6_OPTIONS)
test-linux: tools ## Debian's Linux under watch: make test-linux LINUX=DIR [LINUX_OPTIONS="--smp '1 4'"]; docs/LINUX.md says what is in DIR
	@test -n "$(LINUX)" || { echo "test-linux: which kernel? make test-linux LINUX=DIR"; exit 2; }
	@$(PYTHON) tests/linux/linux.py $(LINUX) $(LINUX_OPTIONS)
MINUTES ?= 10
soak: $(TEST_NEEDS) ## every test program on 1, 2 and 4 harts, 128 MiB and 8 MiB, MINUTES=10 of grind each: a table
	@$(PYTHON) tests/soak.py --minutes $(MINUTES) $(SOAK)

repro: $(TEST_NEEDS) ## what was once broken from outside, N=200 times each: symlink races, 32000 mappings, ... REPRO='--only 3 --minutes 5'
	@$(PYTHON) tests/repro.py $(if $(N),-n $(N)) $(REPRO)

.PHONY: clean-runs repeat
clean-runs: $(TEST_NEEDS) ## 200 runs of a kernel that loses nothing, in which nothing may be found: a table. N=20: so many; JOBS=2; ONLY=grind; SEED=1; LEAK_POINTS=1: all pointers followed
	@$(PYTHON) tests/clean_runs.py --jobs $(JOBS) $(if $(filter-out no,$(LEAK_POINTS)),--leak-points) $(if $(N),--number $(N)) $(if $(ONLY),--only '$(ONLY)') $(if $(SEED),--seed $(SEED))
LOAD ?= 2
repeat: $(TEST_NEEDS) ## one run of --icount on a busy host, N=20 times: memory and trace must be the same. RUN='usertests -q'; JOBS=2; LOAD=2
	@$(PYTHON) tests/repeat.py --jobs $(JOBS) --load $(LOAD) $(if $(N),--number $(N)) $(if $(RUN),--run '$(RUN)')

.PHONY: golden-update golden-record golden-unpack examples
examples: tools ## make the examples and pictures in README and HUNTING-A-LEAK again, from the recorded runs
	@$(PYTHON) tests/trace/examples.py update
golden-update: tools ## accept what the tools say now of the recorded runs (traces/expected, examples in documents)
	@$(PYTHON) tests/trace/golden.py update
	@$(PYTHON) tests/trace/examples.py update
golden-record: $(TEST_NEEDS) ## record the runs of traces/ again; RUNS='cow killed': these
	@$(PYTHON) tests/trace/golden.py record $(RUNS)
golden-unpack: ## unpack the recorded runs to traces/runs/
	@$(PYTHON) tests/trace/golden.py unpack traces/runs

format: ## let clang-format (the version that check_text.py names) rewrite every C source
	@$(PYTHON) tests/lint/check_text.py --rewrite

# clang-tidy reads the kernel as the kernel's compiler does, but for the flags that only gcc has.
TIDY_KERNEL_FLAGS := --target=riscv64-unknown-elf -march=rv64imac -mabi=lp64 -mcmodel=medany -ffreestanding -std=gnu11 \
	-Wall -Wextra -Wno-unused-parameter -Ikernel/include
tidy: ## clang-tidy over the kernel
	@printf '%s\n' $(filter %.c,$(KERNEL_SRC)) | xargs -P 2 -n 4 sh -c \
		'clang-tidy --quiet --warnings-as-errors="*" "$$@" -- $(TIDY_KERNEL_FLAGS) 2>/dev/null' tidy

bench: $(TEST_NEEDS) ## guest instructions of a record, a page, tracing; speed and memory of the trace tools; how fast the report opens; seconds of the GDB commands
	@$(PYTHON) tests/bench/bench.py
	@$(PYTHON) tests/bench/bench_tools.py
	@$(PYTHON) tests/bench/bench_report.py
	@$(PYTHON) tests/bench/bench_gdb.py
bench-why: $(TEST_NEEDS) ## what following pointers costs a repeated run, as pairs [BENCH_WHY='--pairs 3 05 07']
	@$(PYTHON) tests/bench/bench_why.py $(BENCH_WHY)
# Not a Debian package, and no part of make test: fetched once, of this version.
AXE := $(BUILD)/npm/node_modules/axe-core/axe.min.js
$(AXE):
	@command -v npm > /dev/null || { echo "axe: npm is needed (Debian: apt-get install npm)"; exit 2; }
	npm install --silent --no-audit --no-fund --prefix $(BUILD)/npm axe-core@4.14.1
axe: tools $(AXE) ## axe-core (by npm) over the HTML report: what keeps people out of it
	@$(PYTHON) tests/axe/axe.py $(AXE)
bench-wall: $(TEST_NEEDS) ## seconds of usertests -q (3 harts, beside the baselines) and of the way to the prompt [XV6=DIR: of xv6's own, too]
	@$(PYTHON) tests/bench/wall.py $(XV6)
