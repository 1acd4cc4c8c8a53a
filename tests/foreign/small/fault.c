/* SPDX-License-Identifier: MIT */
/*
 * User memory as the kernel sees it: faults of the user, and copies between the two.
 *
 * A copy goes page by page through the user's table; where a page is absent or shared it makes the fault that the user's
 * own access would have made.
 */
#include "kernel.h"

/* 0 if the access may be tried again, else -1. */
int vm_fault(struct proc *p, u64 va, int write)
{
	if (va >= TRAPFRAME)
		return -1;
	if (write && cow_fault(p->pagetable, va) == 0)
		return 0;
	return mmap_fault(p, va, write);
}

/* Where the kernel finds a user's address, or NULL if the user may not do this there. */
static char *user_address(u64 va, int write)
{
	pagetable_t table = myproc()->pagetable;

	for (int tries = 0; tries < 2; tries++) {
		pte_t *pte = va < TRAPFRAME ? walk(table, va, 0) : NULL;

		if (pte && (*pte & PTE_V) && (*pte & PTE_U) && (!write || (*pte & PTE_W)))
			return (char *)PTE2PA(*pte) + va % PGSIZE;
		if (vm_fault(myproc(), va, write) < 0)
			return NULL;
	}
	return NULL;
}

static u64 rest_of_page(u64 va, u64 size)
{
	u64 rest = PGSIZE - va % PGSIZE;

	return size < rest ? size : rest;
}

int copyout(u64 va, const void *from, u64 size)
{
	const char *bytes = from;

	while (size > 0) {
		u64 part = rest_of_page(va, size);
		char *to = user_address(va, 1);

		if (!to)
			return -1;
		memmove(to, bytes, part);
		va += part;
		bytes += part;
		size -= part;
	}
	return 0;
}

int copyin(void *to, u64 va, u64 size)
{
	char *bytes = to;

	while (size > 0) {
		u64 part = rest_of_page(va, size);
		const char *from = user_address(va, 0);

		if (!from)
			return -1;
		memmove(bytes, from, part);
		va += part;
		bytes += part;
		size -= part;
	}
	return 0;
}

/* A string with its end, in at most size bytes. */
int copyinstr(char *to, u64 va, u64 size)
{
	for (u64 i = 0; i < size; i++) {
		if (copyin(&to[i], va + i, 1) < 0)
			return -1;
		if (!to[i])
			return 0;
	}
	return -1;
}
