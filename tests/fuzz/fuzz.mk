# SPDX-License-Identifier: MIT
# The fuzzer of the reading layer: tests/fuzz/README.md. Each of FUZZ_TARGETS is fuzz_NAME.c with what mutates its inputs:
#   BUILD/fuzz/clang/fuzz_NAME    with libFuzzer, ASan and UBSan
#   BUILD/fuzz/gcc/replay_NAME    the same code with gcc and the sanitizers, fed with files
FUZZ_TARGETS := trace model image lives
# Found, or the fuzzer is good for nothing.
FUZZ_CANARY := canary
FUZZ_MUTATE_canary := tests/fuzz/mutate_capture.c
FUZZ_MUTATE_trace := tests/fuzz/mutate_capture.c
FUZZ_MUTATE_model := tests/fuzz/mutate_capture.c
FUZZ_MUTATE_image := tests/fuzz/mutate_image.c
FUZZ_MUTATE_lives := tests/fuzz/mutate_lines.c
FUZZ := $(BUILD)/fuzz
MINUTES ?= 10
FUZZ_SANITIZE := address,undefined -fno-sanitize-recover=all
# A small input may not take long or much memory.
FUZZ_LIMITS := -rss_limit_mb=1024 -malloc_limit_mb=512 -timeout=10 -max_len=65536

.PHONY: fuzz fuzz-programs
fuzz: fuzz-programs ## fuzz the readers of traces and memories, MINUTES=10 each; what is found: build/fuzz/found-*
	@$(foreach target,$(FUZZ_TARGETS),$(call fuzz_run,$(target)) &&) true

define fuzz_run
mkdir -p $(FUZZ)/corpus-$(1) && $(PYTHON) tests/fuzz/seeds.py $(1) $(FUZZ)/seeds-$(1) && \
echo "fuzzing $(1) for $(MINUTES) minutes; as it goes: $(FUZZ)/fuzz-$(1).log" && \
{ nice -n 10 $(FUZZ)/clang/fuzz_$(1) $(FUZZ_LIMITS) -max_total_time=$$(($(MINUTES) * 60)) -print_final_stats=1 \
	-artifact_prefix=$(FUZZ)/found-$(1)- $(FUZZ)/corpus-$(1) $(FUZZ)/seeds-$(1) $(wildcard tests/fuzz/regressions/$(1)) \
	>$(FUZZ)/fuzz-$(1).log 2>&1 || { tail -40 $(FUZZ)/fuzz-$(1).log; false; }; } && \
grep -a '^stat::number\|^stat::peak\|^Done' $(FUZZ)/fuzz-$(1).log
endef

fuzz-programs: tools
	@$(MAKE) --no-print-directory SETUP=no HOSTCC=clang TOOLS_BUILD=$(FUZZ)/clang \
		TOOLS_SANITIZE="-fsanitize=fuzzer-no-link,$(FUZZ_SANITIZE)" $(patsubst %,$(FUZZ)/clang/fuzz_%,$(FUZZ_TARGETS) $(FUZZ_CANARY))
	@$(MAKE) --no-print-directory SETUP=no TOOLS_BUILD=$(FUZZ)/gcc TOOLS_SANITIZE="-fsanitize=$(FUZZ_SANITIZE)" \
		$(patsubst %,$(FUZZ)/gcc/replay_%,$(FUZZ_TARGETS) $(FUZZ_CANARY))

# Made by the two makes above, which say where TOOLS_BUILD is.
FUZZ_COMMON := tests/fuzz/common.c tests/fuzz/fuzz.h $(TOOLS_BUILD)/libpagetrail.a
FUZZ_LINK = $(filter-out -MMD -MP,$(TOOLS_CFLAGS)) -o $@ $(filter %.c %.a,$^) -Wl,--wrap=warn $(TOOLS_LIBS)
.SECONDEXPANSION:
$(TOOLS_BUILD)/fuzz_%: tests/fuzz/fuzz_%.c $$(FUZZ_MUTATE_$$*) $(FUZZ_COMMON)
	@echo "  LD    $@"
	clang -fsanitize=fuzzer $(FUZZ_LINK)
$(TOOLS_BUILD)/replay_%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $(FUZZ_COMMON)
	@echo "  LD    $@"
	$(HOSTCC) $(FUZZ_LINK)
