# Programs written for xv6-riscv: make EXTRA_USER="path/one.c path/two.c" puts them on the disk as /one and /two,
# unchanged. With any, the root directory also has the usual programs under the names those expect (/echo, /cat ...).
EXTRA_USER ?=
XV6_BUILD := $(USER_BUILD)/xv6
XV6_NAMES := $(patsubst %.c,%,$(notdir $(EXTRA_USER)))
XV6_PROGRAMS := $(XV6_NAMES:%=$(XV6_BUILD)/%)
XV6_LIB := $(addprefix $(XV6_BUILD)/lib/,xv6lib.o malloc.o) $(addprefix $(USER_BUILD)/ulib/,start.S.o syscalls.S.o \
	string.c.o format.c.o)
# Their warnings are their authors' business.
XV6_CFLAGS := $(USER_FLAGS) -std=gnu11 -fno-builtin -Iuser/compat/xv6 -MMD -MP

# One rule for each program, as their folders differ.
define XV6_PROGRAM
$(XV6_BUILD)/obj/$(basename $(notdir $(1))).o: $(1)
	@mkdir -p $$(@D)
	$$(CROSS)gcc $$(XV6_CFLAGS) -w -c -o $$@ $$<
$(XV6_BUILD)/$(basename $(notdir $(1))): $(XV6_BUILD)/obj/$(basename $(notdir $(1))).o $$(XV6_LIB) user/user.ld
	$$(CROSS)gcc $$(USER_FLAGS) $$(USER_LDFLAGS) -o $$@ $$(filter %.o,$$^) -lgcc
endef
$(foreach source,$(EXTRA_USER),$(eval $(call XV6_PROGRAM,$(source))))

$(XV6_BUILD)/lib/xv6lib.o: user/compat/xv6/xv6lib.c
	@mkdir -p $(@D)
	$(CROSS)gcc $(XV6_CFLAGS) -Wall -Wextra -Werror -Ikernel/include -c -o $@ $<
$(XV6_BUILD)/lib/malloc.o: user/ulib/malloc.c
	@mkdir -p $(@D)
	$(CROSS)gcc $(USER_CFLAGS) -Dsbrk=malloc_sbrk -c -o $@ $<
