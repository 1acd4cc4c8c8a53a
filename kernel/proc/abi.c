/* SPDX-License-Identifier: MIT */
/* Which personalities there are, and our own (see abi.h): each operation is the plain one. */
#include "proc_priv.h"

static const struct proc_abi *registered[4];
static u32 nr_registered;

void abi_register(const struct proc_abi *abi)
{
	if (nr_registered == ARRAY_SIZE(registered))
		panic("abi_register: no room for %s", abi->name);
	KASSERT(abi->nr_files <= NOFILE && abi->nr_args <= ARG_MAX_COUNT);
	registered[nr_registered++] = abi;
}

const struct proc_abi *abi_of_elf(u8 elf_version)
{
	for (u32 i = 0; i < nr_registered; i++)
		if (registered[i]->elf_version == elf_version)
			return registered[i];
	return &native_abi;
}

static int native_give_stat(const struct stat *st, uaddr_t ua)
{
	return copy_to_user(ua, st, sizeof(*st));
}

static s64 native_call(const u64 *arg)
{
	return -ENOSYS;
}

static uaddr_t native_stack_top(const struct mm *mm)
{
	return USER_STACK_TOP;
}

const struct proc_abi native_abi = {
    .name = "Pagetrail",
    .nr_files = NOFILE,
    .nr_args = ARG_MAX_COUNT,
    .read = file_read,
    .write = file_write,
    .give_stat = native_give_stat,
    .sbrk = mm_sbrk,
    .call = native_call,
    .stack_top = native_stack_top,
    .stack_bytes = STACK_MAX_BYTES,
};
