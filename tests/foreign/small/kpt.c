/* SPDX-License-Identifier: MIT */
/*
 * With KPT: a kernel page table for each process, and a kernel stack that lives as long as the process.
 *
 * The table shares with kernel_pagetable what lies below the top gigabyte that is used (devices, memory), by copying its
 * root entries. Tables of its own lead to the kernel stack and to the trampoline:
 *
 *     root --copied--> kernel_pagetable's tables
 *          --255-----> own level 1 --511--> own level 0 --> stack, trampoline
 *
 * KPT-1  the table in satp is the running process's, or kernel_pagetable where there is none; so nobody frees the one in
 *        use: a process is reaped when it runs nowhere.
 */
#include "kernel.h"

#if KPT

#define TOP PX(2, TRAMPOLINE)

extern char trampoline[];

int kpt_create(struct proc *p)
{
	void *stack = kalloc();
	pagetable_t table = uvmcreate();

	p->KPT_NAME = table;
	if (!stack || !table) {
		if (stack)
			kfree(stack);
		return -1;
	}
	for (u64 i = 0; i < TOP; i++)
		table[i] = kernel_pagetable[i];
	if (mappages(table, p->kstack, PGSIZE, (u64)stack, PTE_R | PTE_W) < 0) {
		kfree(stack);
		return -1;
	}
	return mappages(table, TRAMPOLINE, PGSIZE, (u64)trampoline, PTE_R | PTE_X);
}

/* Of a process that may be half made. */
void kpt_destroy(struct proc *p)
{
	pagetable_t table = p->KPT_NAME;
	pte_t *stack;

	p->KPT_NAME = NULL;
	if (!table)
		return;
	stack = walk(table, p->kstack, 0);
	if (stack && (*stack & PTE_V)) {
		if (MISTAKEN(stack_stays))
			truth("leak", PTE2PA(*stack));
		else
			kfree((void *)PTE2PA(*stack));
		*stack = 0;
	}
	uvmunmap(table, TRAMPOLINE, 1, 0);
	for (u64 i = 0; i < TOP; i++)
		table[i] = 0;
	if (MISTAKEN(kernel_root_stays)) {
		if (table[TOP] & PTE_V)
			freewalk((pagetable_t)PTE2PA(table[TOP]), 1);
		truth("leak", table);
		return;
	}
	freewalk(table, 2);
}

#else

int kpt_create(struct proc *p)
{
	return 0;
}

void kpt_destroy(struct proc *p) {}

#endif
