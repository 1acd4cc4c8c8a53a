/* SPDX-License-Identifier: MIT */
/*
 * sbrk, and the memory that malloc asks for: at once, or with SBRK_DEFAULT lazily, as programs of the lab on lazy
 * allocation (LAB=lazy) expect.
 */
#include "kernel/types.h"

#include "kernel/vm.h"
#include "user/user.h"

#ifndef SBRK_DEFAULT
#define SBRK_DEFAULT SBRK_EAGER
#endif

void *malloc_sbrk(long delta);

char *sbrk(int delta)
{
	return sys_sbrk(delta, SBRK_DEFAULT);
}

char *sbrklazy(int delta)
{
	return sys_sbrk(delta, SBRK_LAZY);
}

/* What malloc.c of ulib asks for: 0 on failure. */
void *malloc_sbrk(long delta)
{
	char *old_end = delta == (int)delta ? sbrk((int)delta) : SBRK_ERROR;

	return old_end == SBRK_ERROR ? 0 : old_end;
}
