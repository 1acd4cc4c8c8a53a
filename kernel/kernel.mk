# SPDX-License-Identifier: MIT
# The kernel: every .c and .S below kernel/ is part of it; public headers are in kernel/include.
CROSS ?= riscv64-unknown-elf-
KERNEL_ELF := $(BUILD)/kernel/pagetrail.elf
KERNEL_SRC := $(sort $(wildcard kernel/*/*.c) $(wildcard kernel/*/*.S))
KERNEL_OBJ := $(KERNEL_SRC:kernel/%=$(BUILD)/kernel/%.o)
# -gstrict-dwarf puts macros into .debug_macinfo: of .debug_macro, which is shared by COMDAT groups, the linker for
# RISC-V keeps only what the first object with a group refers to, and gdb finds no PTE_COW.
RISCV_FLAGS := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -mno-relax -ffreestanding -nostdlib \
	-fno-pic -fno-common -fno-stack-protector -g3 -gdwarf-4 -gstrict-dwarf -O2 -fno-omit-frame-pointer -fno-optimize-sibling-calls \
	-ffile-prefix-map=$(CURDIR)/=
WARNINGS := -std=gnu11 -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter -Wvla
KERNEL_CFLAGS := $(RISCV_FLAGS) $(WARNINGS) -Wframe-larger-than=640 -Ikernel/include -MMD -MP

.PHONY: kernel
kernel: $(KERNEL_ELF) ## build the kernel

# Other flags make other objects. The checkout's own path, which is mapped away, does not count.
KERNEL_FLAGS_STAMP := $(BUILD)/kernel/flags
$(KERNEL_FLAGS_STAMP): FORCE
	@mkdir -p $(@D)
	@echo '$(subst $(CURDIR),,$(KERNEL_CFLAGS))' | cmp -s - $@ || echo '$(subst $(CURDIR),,$(KERNEL_CFLAGS))' > $@
$(KERNEL_OBJ): $(KERNEL_FLAGS_STAMP)
.PHONY: FORCE

$(KERNEL_ELF): kernel/boot/kernel.ld $(KERNEL_OBJ)
	@echo "  LD    $@"
	$(CROSS)gcc $(RISCV_FLAGS) -static -Wl,--build-id=sha1 -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -T kernel/boot/kernel.ld -o $@ $(KERNEL_OBJ) -lgcc

# Every record comes through there, and nothing on a stack leads there: no frame, and a jump where it ends in a call.
FLAGS_trace/stack := -fomit-frame-pointer -foptimize-sibling-calls -fno-tree-loop-distribute-patterns
$(BUILD)/kernel/%.c.o: kernel/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(CROSS)gcc $(KERNEL_CFLAGS) $(FLAGS_$*) -c -o $@ $<
$(BUILD)/kernel/%.S.o: kernel/%.S
	@mkdir -p $(@D)
	@echo "  AS    $<"
	$(CROSS)gcc $(KERNEL_CFLAGS) -D__ASSEMBLER__ -c -o $@ $<
-include $(KERNEL_OBJ:.o=.d)
