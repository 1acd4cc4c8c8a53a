# SPDX-License-Identifier: MIT
# Small kernels of our own that are not Pagetrail's: what `pagetrail watch` is tried on. tests/foreign/variants lists the
# builds, tests/foreign/mistakes those with a mistake. Each is one call of the compiler.
FOREIGN := tests/foreign
FOREIGN_BUILD := $(BUILD)/foreign
FOREIGN_FLAGS := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -mno-relax -ffreestanding -nostdlib -static \
	-fno-pic -fno-common -fno-stack-protector -fno-omit-frame-pointer -ffile-prefix-map=$(CURDIR)/= \
	-std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter -g \
	-Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments

# "name folder flags…" as name|folder|flag|flag…, and the same for each mistake with its own flag.
FOREIGN_LIST := $(shell awk '/^\#/ { next } \
	FNR == NR { name = $$1; $$1 = ""; gsub(/ +/, "|"); flags[name] = $$0; print name flags[name]; next } \
	{ print $$1 "-" $$2 flags[$$1] "|-DMISTAKE_" $$2 "=1" }' $(FOREIGN)/variants $(FOREIGN)/mistakes)
FOREIGN_NAMES := $(foreach line,$(FOREIGN_LIST),$(firstword $(subst |, ,$(line))))
FOREIGN_ELFS := $(FOREIGN_NAMES:%=$(FOREIGN_BUILD)/%.elf)

.PHONY: foreign test-foreign
foreign: $(FOREIGN_ELFS) ## build the foreign kernels of tests/foreign, with and without mistakes
test-foreign: $(TEST_NEEDS) foreign ## kernels that are not ours: their own tests, and what is found in them from outside
	@$(PYTEST) tests/foreign

# $(1) name, $(2) folder, $(3) flags
define FOREIGN_RULE
$(FOREIGN_BUILD)/$(1).elf: $(FOREIGN_SOURCES_$(2)) $(FOREIGN_USER_$(2)) $(FOREIGN)/variants $(FOREIGN)/mistakes
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	$(CROSS)gcc $(FOREIGN_FLAGS) $(3) -I$(FOREIGN_BUILD)/user$(if $(findstring PROMPT=1,$(3)),-prompt) \
		-T $(FOREIGN)/$(2)/kernel.ld -o $$@ $$(filter $(FOREIGN)/$(2)/%.S $(FOREIGN)/$(2)/%.c,$$^) -lgcc
endef

# The small kernel's user programs, once with an init that runs the tests and once with one that asks.
FOREIGN_PROGRAMS := init usertests hello
FOREIGN_USER_small := $(foreach name,$(FOREIGN_PROGRAMS),$(FOREIGN_BUILD)/user/$(name) $(FOREIGN_BUILD)/user-prompt/$(name))
FOREIGN_USER_LINE = $(CROSS)gcc $(FOREIGN_FLAGS) -Os -s -T $(FOREIGN)/small/user/user.ld -o $@ $(filter %.S %.c,$^)
FOREIGN_USER_SHARED := $(addprefix $(FOREIGN)/small/,user/start.S user/ulib.c user/user.h user/user.ld syscalls.h types.h config.h)
$(FOREIGN_BUILD)/user/%: $(FOREIGN)/small/user/%.c $(FOREIGN_USER_SHARED)
	@mkdir -p $(@D)
	$(FOREIGN_USER_LINE)
$(FOREIGN_BUILD)/user-prompt/%: $(FOREIGN)/small/user/%.c $(FOREIGN_USER_SHARED)
	@mkdir -p $(@D)
	$(FOREIGN_USER_LINE) -DPROMPT=1

FOREIGN_SOURCES_small := $(wildcard $(FOREIGN)/small/*.[chS] $(FOREIGN)/small/kernel.ld)
FOREIGN_SOURCES_higher := $(wildcard $(FOREIGN)/higher/*.[chS] $(FOREIGN)/higher/kernel.ld)
foreign_words = $(subst |, ,$(1))
$(foreach line,$(FOREIGN_LIST),$(eval $(call FOREIGN_RULE,$(firstword $(call foreign_words,$(line))),$(word 2,$(call foreign_words,$(line))),$(wordlist 3,99,$(call foreign_words,$(line))))))
