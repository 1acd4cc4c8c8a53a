# SPDX-License-Identifier: MIT
# User programs and the disk they live on. A program is user/bin/NAME.c, or the .c files of user/bin/NAME/.
# $(BUILD)/user/NAME is the program with its debug information; the disk gets a stripped copy.
USER_BUILD := $(BUILD)/user
USER_SINGLE := $(patsubst user/bin/%.c,%,$(sort $(wildcard user/bin/*.c)))
USER_FOLDERS := $(patsubst user/bin/%/,%,$(sort $(wildcard user/bin/*/)))
USER_NAMES := $(USER_SINGLE) $(USER_FOLDERS)
USER_PROGRAMS := $(USER_NAMES:%=$(USER_BUILD)/%)

USER_FLAGS := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medlow -ffreestanding -nostdlib -static -fno-pic \
	-fno-common -fno-stack-protector -fno-omit-frame-pointer -ffunction-sections -fdata-sections -msmall-data-limit=8 \
	-g -gdwarf-4 -Os -ffile-prefix-map=$(CURDIR)/=
USER_CFLAGS := $(USER_FLAGS) $(WARNINGS) -Ikernel/include -Iuser/ulib -MMD -MP
USER_LDFLAGS := -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--gc-sections \
	-Wl,--no-warn-rwx-segments -T user/user.ld

# Strings and printf's engine are the kernel's own, which need nothing of the kernel.
ULIB := $(USER_BUILD)/libulib.a
ULIB_OBJ := $(patsubst user/ulib/%,$(USER_BUILD)/ulib/%.o,$(sort $(wildcard user/ulib/*.c user/ulib/*.S))) \
	$(USER_BUILD)/ulib/string.c.o $(USER_BUILD)/ulib/format.c.o

.PHONY: user disk
user: $(USER_PROGRAMS) ## build the user programs
disk: $(BUILD)/disk.img ## build the disk image (FS_BLOCKS of 4 KiB, FS_INODES)

$(ULIB): $(ULIB_OBJ)
	@rm -f $@
	$(CROSS)ar rcsD $@ $^
$(USER_BUILD)/ulib/%.o: user/ulib/%
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(CROSS)gcc $(USER_CFLAGS) -c -o $@ $<
$(USER_BUILD)/ulib/%.c.o: kernel/lib/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(CROSS)gcc $(USER_CFLAGS) -c -o $@ $<
$(USER_BUILD)/obj/%.o: user/bin/%
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(CROSS)gcc $(USER_CFLAGS) -c -o $@ $<

# The link rule is one for all; what a program is made of depends on its form.
$(foreach name,$(USER_SINGLE),$(eval $(USER_BUILD)/$(name): $(USER_BUILD)/obj/$(name).c.o))
$(foreach name,$(USER_FOLDERS),$(eval $(USER_BUILD)/$(name): \
	$(patsubst user/bin/%,$(USER_BUILD)/obj/%.o,$(sort $(wildcard user/bin/$(name)/*.c)))))
# Programs that are tests, too: the runner of usertests, and what they share with it.
USER_TESTERS := kalloctest cowtest lazytest mmaptest
$(USER_TESTERS:%=$(USER_BUILD)/%): $(patsubst %,$(USER_BUILD)/obj/usertests/%.c.o,run support)
$(USER_BUILD)/cowtest: $(patsubst %,$(USER_BUILD)/obj/usertests/%.c.o,cow memory_cow)
$(USER_BUILD)/lazytest: $(USER_BUILD)/obj/usertests/sbrk.c.o
$(USER_BUILD)/mmaptest: $(USER_BUILD)/obj/usertests/mmap.c.o
$(USER_PROGRAMS): user/user.ld $(ULIB)
	$(CROSS)gcc $(USER_FLAGS) $(USER_LDFLAGS) -o $@ $(USER_BUILD)/ulib/start.S.o $(filter %.o,$^) $(ULIB) -lgcc

-include $(shell find $(USER_BUILD) -name '*.d' 2>/dev/null)

# The disk: ext2, 4 KiB blocks, the same bytes from the same sources. 4096 blocks of 4 KiB are 16 MiB; the image
# is a ramdisk, so its size is taken from the machine's memory. FS_BLOCKS=480 fits a machine of 8 MiB.
FS_BLOCKS ?= 4096
FS_INODES ?= 1024
DISK_TIME ?= 1700000000
include user/compat/xv6/xv6.mk
DISK_DEPS := $(USER_PROGRAMS) $(XV6_PROGRAMS) user/disk/README user/disk/make-disk user/user.mk
# A changed size or list of programs is a changed disk.
DISK_SIZE_STAMP := $(USER_BUILD)/disk-$(FS_BLOCKS)-$(FS_INODES)$(subst $() ,,$(XV6_NAMES:%=-%)$(LAB:%=+%))
$(DISK_SIZE_STAMP):
	@mkdir -p $(@D)
	@rm -f $(USER_BUILD)/disk-*
	@touch $@

$(BUILD)/disk.img: $(DISK_DEPS) $(DISK_SIZE_STAMP)
	@echo "  DISK  $@"
	@STRIP=$(CROSS)strip XV6_PADDING=$$(($(if $(filter fs,$(LAB)),1,0) + $(if $(filter lock,$(LAB)),2,0))) FS_BLOCKS=$(FS_BLOCKS) FS_INODES=$(FS_INODES) DISK_TIME=$(DISK_TIME) \
		user/disk/make-disk $@ $(USER_BUILD)/disk user/disk/README $(USER_PROGRAMS) $(XV6_PROGRAMS)
