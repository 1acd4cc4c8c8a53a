# SPDX-License-Identifier: MIT
# Host tests: the kernel's own sources under ASan and UBSan. `make host-test` builds and runs them all.
#
# A test program is tests/host/test_NAME.c (or fs_NAME.c); the kernel sources it needs, without kernel/ and .c, stand
# here as HOST_NAME. Every program also gets the stand-in machine. canary_*.c must build, run, and FAIL.
HOST_CC ?= gcc
HOST_SANITIZE ?= -fsanitize=address,undefined -fno-sanitize-recover=undefined
HOST_CFLAGS := -std=gnu11 -O1 -g -Wall -Wextra -Werror -Wno-unused-parameter -pthread -DPAGETRAIL_HOST \
	-Ikernel/include -Itests/host/include -fno-omit-frame-pointer $(HOST_SANITIZE) -MMD -MP
HOST_BUILD := $(BUILD)/host

HOST_BASE := lib/string lib/format sync/spinlock sync/kprintf trace/ring trace/depot trace/stack trace/read
HOST_PAGES := $(HOST_BASE) mm/page mm/page_boot mm/page_totals mm/page_check mm/buddy mm/pcp audit/incident mm/slab mm/slab_audit mm/kstack vm/pagetable \
	vm/addrspace vm/vma vm/vma_tree vm/vma_set vm/shared lib/radix lib/tree vm/fault vm/fork audit/audit audit/audit_report

HOST_string := $(HOST_BASE)
HOST_format := $(HOST_BASE)
HOST_spinlock := $(HOST_BASE)
HOST_fdt := $(HOST_BASE) arch/fdt_tree
HOST_trace := $(HOST_BASE)
HOST_stack := $(HOST_BASE)
HOST_trace_steps := $(HOST_BASE)
HOST_ring_threads := $(HOST_BASE)
HOST_page := $(HOST_PAGES)
HOST_page_short := $(HOST_PAGES)
HOST_slab := $(HOST_PAGES)
HOST_addrspace := $(HOST_PAGES)
HOST_fork := $(HOST_PAGES)
HOST_shared := $(HOST_PAGES)
HOST_kstack := $(HOST_PAGES)
$(foreach name,addrspace fork shared kstack,$(eval HOST_EXTRA_$(name) := host_mm))
HOST_audit := $(HOST_PAGES)
HOST_audit_report := $(HOST_PAGES)
HOST_EXTRA_audit := audit_world
HOST_EXTRA_audit_report := audit_world
HOST_canary_harness := $(HOST_PAGES)
-include tests/host/fs.mk

HOST_PROGRAMS := $(patsubst tests/host/%.c,%,$(sort $(wildcard tests/host/test_*.c tests/host/fs_*.c)))
HOST_CANARIES := $(patsubst tests/host/%.c,%,$(sort $(wildcard tests/host/canary_*.c)))
host_name = $(patsubst test_%,%,$(1))

$(HOST_BUILD)/kernel/%.o: kernel/%.c
	@mkdir -p $(@D)
	@$(HOST_CC) $(HOST_CFLAGS) -c -o $@ $<
$(HOST_BUILD)/%.o: tests/host/%.c
	@mkdir -p $(@D)
	@$(HOST_CC) $(HOST_CFLAGS) -c -o $@ $<

# The stand-in boots pages only for programs that have them.
host_objects = $(sort $(HOST_$(call host_name,$(1)):%=$(HOST_BUILD)/kernel/%.o) $(HOST_BUILD)/$(1).o $(HOST_BUILD)/arch_host.o \
	$(if $(filter mm/page,$(HOST_$(call host_name,$(1)))),$(HOST_BUILD)/host_boot.o) $(HOST_EXTRA_$(call host_name,$(1)):%=$(HOST_BUILD)/%.o))
define host_program
$(HOST_BUILD)/$(1): $(call host_objects,$(1))
	@$(HOST_CC) $(HOST_CFLAGS) -o $$@ $$^ -lcmocka
endef
$(foreach program,$(HOST_PROGRAMS) $(HOST_CANARIES),$(eval $(call host_program,$(program))))

.PHONY: host-test
host-test: $(addprefix $(HOST_BUILD)/,$(HOST_PROGRAMS) $(HOST_CANARIES))
	@tests/host/run-host-tests $(HOST_BUILD) $(HOST_PROGRAMS) -- $(HOST_CANARIES)

-include $(wildcard $(HOST_BUILD)/*.d $(HOST_BUILD)/kernel/*/*.d)
