# SPDX-License-Identifier: MIT
# Programs written for xv6-riscv, unchanged: make EXTRA_USER="path/one.c path/two.c" disk puts them on the disk. They
# are /one and /two, and the shell finds them by name, also where a program of ours has that name (but sh and init,
# which the machine needs). A program of several files is one word, path/uthread.c+path/uthread_switch.S.
# With any, the root directory also has the usual programs and devices under the names those expect (/echo, /cat ...).
#
# LAB names the labs they belong to, which is what their own makefile would say: LAB_FS is defined for LAB=fs, and so on.
# Two change what a program gets: fs the size of a file (65803 blocks), lazy sbrk, whose memory comes when it is touched.
EXTRA_USER ?=
LAB ?=
XV6_BUILD := $(USER_BUILD)/xv6
xv6_sources = $(subst +, ,$(1))
xv6_name = $(basename $(notdir $(firstword $(call xv6_sources,$(1)))))
# The whole path in the name: what the compiler wrote about a source that is gone concerns no other of its name.
xv6_object = $(XV6_BUILD)/obj/$(1)/$(subst /,@,$(2)).o
XV6_SOURCES := $(call xv6_sources,$(EXTRA_USER))
XV6_NAMES := $(foreach program,$(EXTRA_USER),$(call xv6_name,$(program)))
XV6_PROGRAMS := $(XV6_NAMES:%=$(XV6_BUILD)/%)
$(foreach source,$(XV6_SOURCES),$(if $(wildcard $(source)),,$(error EXTRA_USER: there is no file $(source))))
$(foreach source,$(filter-out %.c %.S,$(XV6_SOURCES)),$(error EXTRA_USER: $(source) is neither C (.c) nor assembler (.S)))
$(foreach name,$(XV6_NAMES),$(if $(word 2,$(filter $(name),$(XV6_NAMES))),$(error EXTRA_USER: two programs would \
	be called $(name))))

# The flags of xv6's own makefile, but for the machine: their stack is one page, and their warnings are their authors'
# business. A header that is not among ours is taken from where their source lies (its folder's parent).
XV6_CFLAGS := $(USER_FLAGS) -O -std=gnu17 -fno-builtin -Iuser/compat/xv6 -MMD -MP \
	-DXV6_DISK_BYTES=$(FS_BLOCKS)*4096L $(addprefix -DLAB_,$(shell echo '$(LAB)' | tr a-z A-Z)) $(if $(filter lazy,$(LAB)),-DSBRK_DEFAULT=SBRK_LAZY)
XV6_LIB := $(addprefix $(XV6_BUILD)/lib/,xv6lib.o xv6printf.o xv6sbrk.o malloc.o) \
	$(addprefix $(USER_BUILD)/ulib/,start.S.o syscalls.S.o string.c.o)

# One rule for each program, as their folders differ; `sources` changes with what it is made of and with the flags.
# A function of theirs goes before one of the library that has its name (muldefs).
define XV6_PROGRAM
$(XV6_BUILD)/obj/$(1)/sources: FORCE
	@mkdir -p $$(@D)
	@echo '$(2) $$(XV6_CFLAGS)' | cmp -s - $$@ || echo '$(2) $$(XV6_CFLAGS)' >$$@
$(foreach source,$(2),$(call XV6_OBJECT,$(1),$(source)))
$(XV6_BUILD)/$(1): $(foreach source,$(2),$(call xv6_object,$(1),$(source))) $$(XV6_LIB) user/user.ld
	$$(CROSS)gcc $$(USER_FLAGS) $$(USER_LDFLAGS) -Wl,-z,muldefs -o $$@ $$(filter %.o,$$^) -lgcc
endef
define XV6_OBJECT
$(call xv6_object,$(1),$(2)): $(2) $(XV6_BUILD)/obj/$(1)/sources
	@echo "  CC    $$<"
	$$(CROSS)gcc $$(XV6_CFLAGS) -w -idirafter $(dir $(2)).. -c -o $$@ $$<

endef
$(foreach program,$(EXTRA_USER),$(eval $(call XV6_PROGRAM,$(call xv6_name,$(program)),$(call xv6_sources,$(program)))))

.PHONY: FORCE
$(XV6_BUILD)/lib/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(XV6_CFLAGS)' | cmp -s - $@ || echo '$(XV6_CFLAGS)' >$@
$(XV6_BUILD)/lib/xv6%.o: user/compat/xv6/xv6%.c $(XV6_BUILD)/lib/flags
	@echo "  CC    $<"
	$(CROSS)gcc $(XV6_CFLAGS) -Wall -Wextra -Werror -Ikernel/include -c -o $@ $<
$(XV6_BUILD)/lib/malloc.o: user/ulib/malloc.c
	@mkdir -p $(@D)
	$(CROSS)gcc $(USER_CFLAGS) -Dsbrk=malloc_sbrk -c -o $@ $<
