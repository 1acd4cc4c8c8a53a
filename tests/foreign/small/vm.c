/* SPDX-License-Identifier: MIT */
/*
 * Page tables (Sv39): the kernel's, and those of processes.
 *
 * The kernel maps all memory at its own address, so it reads and writes any page by its physical address. A process's
 * table holds what it owns below MMAP_BASE and in its mappings, and at the top the trampoline and its trapframe.
 *
 * VM-1  a user leaf is a reference to its page: unmapping with do_free gives it up, by kput().
 * VM-2  freewalk() frees tables only; all leaves are gone before.
 * VM-3  (COW) a page with more than one reference is writable in no table; PTE_COW marks who may have a copy of its own.
 */
#include "count.h"

pagetable_t kernel_pagetable;

extern char etext[], trampoline[];

static void kvmmap(u64 va, u64 size, u64 pa, u64 flags)
{
	if (mappages(kernel_pagetable, va, size, pa, flags) < 0)
		panic("kvmmap");
}

void kvminit(void)
{
	kernel_pagetable = uvmcreate();
	kvmmap(FINISHER, PGSIZE, FINISHER, PTE_R | PTE_W);
	kvmmap(UART0, PGSIZE, UART0, PTE_R | PTE_W);
	kvmmap(PLIC, 0x400000, PLIC, PTE_R | PTE_W);
	kvmmap(KERNBASE, (u64)etext - KERNBASE, KERNBASE, PTE_R | PTE_X);
	kvmmap((u64)etext, PHYSTOP - (u64)etext, (u64)etext, PTE_R | PTE_W);
	kvmmap(TRAMPOLINE, PGSIZE, (u64)trampoline, PTE_R | PTE_X);
#if !KPT
	for (u64 slot = 0; slot < NPROC; slot++) {
		void *stack = kalloc();

		if (!stack)
			panic("kvminit: stacks");
		kvmmap(KSTACK(slot), PGSIZE, (u64)stack, PTE_R | PTE_W);
	}
#endif
}

void kvm_use(pagetable_t table)
{
	sfence_vma();
	csr_write(satp, SATP_SV39(table));
	sfence_vma();
}

void kvminithart(void)
{
	kvm_use(kernel_pagetable);
}

/* The last-level entry for va. Missing tables are made if alloc; else, or without memory, NULL. */
pte_t *walk(pagetable_t table, u64 va, int alloc)
{
	if (va >= TRAMPOLINE + PGSIZE)
		panic("walk");
	for (int level = 2; level > 0; level--) {
		pte_t *pte = &table[PX(level, va)];

		if (*pte & PTE_V) {
			table = (pagetable_t)PTE2PA(*pte);
			continue;
		}
		table = alloc ? kalloc() : NULL;
		if (!table)
			return NULL;
		memset(table, 0, PGSIZE);
		*pte = PA2PTE(table) | PTE_V;
	}
	return &table[PX(0, va)];
}

/* Physical address of a user's page, or 0. */
u64 walkaddr(pagetable_t table, u64 va)
{
	pte_t *pte = va < TRAMPOLINE ? walk(table, va, 0) : NULL;

	return pte && (*pte & PTE_V) && (*pte & PTE_U) ? PTE2PA(*pte) : 0;
}

/* Maps whole pages; 0, or -1 without memory for tables. */
int mappages(pagetable_t table, u64 va, u64 size, u64 pa, u64 flags)
{
	for (u64 offset = 0; offset < size; offset += PGSIZE) {
		pte_t *pte = walk(table, va + offset, 1);

		if (!pte)
			return -1;
		if (*pte & PTE_V)
			panic("mappages: mapped");
		*pte = PA2PTE(pa + offset) | flags | PTE_V | PTE_A | PTE_D;
	}
	return 0;
}

/* Frees a table and those below it. */
void freewalk(pagetable_t table, int level)
{
	for (int i = 0; i < 512; i++) {
		if (!(table[i] & PTE_V))
			continue;
		if (PTE_LEAF(table[i]))
			panic("freewalk: leaf");
		if (MISTAKEN(last_table_stays) && i == 511) {
			truth("leak", PTE2PA(table[i]));
			continue;
		}
		if (level > 0)
			freewalk((pagetable_t)PTE2PA(table[i]), level - 1);
	}
	kfree(table);
}

pagetable_t uvmcreate(void)
{
	pagetable_t table = kalloc();

	if (table)
		memset(table, 0, PGSIZE);
	return table;
}

/* Removes npages entries; those that are absent do not matter. */
void uvmunmap(pagetable_t table, u64 va, u64 npages, int do_free)
{
	for (u64 end_va = va + npages * PGSIZE; va < end_va; va += PGSIZE) {
		pte_t *pte = walk(table, va, 0);
		u64 pa;

		if (!pte || !(*pte & PTE_V))
			continue;
		pa = PTE2PA(*pte);
		*pte = 0;
		if (do_free)
			kput((void *)pa);
	}
}

/* Grows a process to new_size with zeroed pages; the new size, or 0 and nothing changed. */
u64 uvmalloc(pagetable_t table, u64 old_size, u64 new_size)
{
	for (u64 va = PGROUNDUP(old_size); va < new_size; va += PGSIZE) {
		void *page = kalloc();

		if (!page) {
			uvmdealloc(table, va, old_size);
			return 0;
		}
		memset(page, 0, PGSIZE);
		if (mappages(table, va, PGSIZE, (u64)page, PTE_R | PTE_W | PTE_X | PTE_U) < 0) {
			kput(page);
			uvmdealloc(table, va, old_size);
			return 0;
		}
	}
	return new_size;
}

/* Shrinks a process; the new size. */
u64 uvmdealloc(pagetable_t table, u64 old_size, u64 new_size)
{
	u64 first = PGROUNDUP(new_size), last = PGROUNDUP(old_size);

	if (new_size >= old_size)
		return old_size;
	if (MISTAKEN(shrink_keeps))
		for (u64 va = first; va < last; va += PGSIZE)
			if (walkaddr(table, va))
				truth("leak", walkaddr(table, va));
	uvmunmap(table, first, (last - first) / PGSIZE, !MISTAKEN(shrink_keeps));
	return new_size;
}

/* What the child gets for one page of the parent: a physical address with a reference of its own, or 0. */
static u64 copy_page(pte_t *pte, u64 va)
{
	u64 pa = PTE2PA(*pte);
	void *page;

	if (COW) {
		if (*pte & PTE_W)
			*pte = (*pte & ~PTE_W) | PTE_COW;
		if (MISTAKEN(count_too_low) && truth_armed && va >= MMAP_BASE && va < MMAP_BASE + MMAP_SPAN)
			truth_of("mapped", (void *)pa, "uvmcopy");
		else
			count_get((void *)pa);
		return pa;
	}
	page = kalloc();
	if (page)
		memmove(page, (void *)pa, PGSIZE);
	return (u64)page;
}

/* fork(): the pages of [start, stop) for the child. 0, or -1 without memory and nothing changed. */
int uvmcopy(pagetable_t from, pagetable_t to, u64 start, u64 stop)
{
	u64 va, pa;

	for (va = start; va < stop; va += PGSIZE) {
		pte_t *pte = walk(from, va, 0);

		if (!pte || !(*pte & PTE_V))
			continue;
		pa = copy_page(pte, va);
		if (!pa)
			break;
		if (MISTAKEN(count_too_high) && start >= MMAP_BASE && !truth_armed) {
			truth("leak", pa);
			count_get((void *)pa);
		}
		if (mappages(to, va, PGSIZE, pa, PTE_FLAGS(*pte)) < 0) {
			kput((void *)pa);
			break;
		}
	}
	if (va >= stop)
		return 0;
	if (MISTAKEN(failed_fork_keeps)) {
		for (u64 kept = start; kept < va; kept += PGSIZE)
			if (walkaddr(to, kept))
				truth("leak", walkaddr(to, kept));
		uvmunmap(to, start, (va - start) / PGSIZE, 0);
		return -1;
	}
	uvmunmap(to, start, (va - start) / PGSIZE, 1);
	return -1;
}

/* A write to a page marked PTE_COW: a copy, or the page itself for its only owner. 0, or -1. */
int cow_fault(pagetable_t table, u64 va)
{
	pte_t *pte = walk(table, PGROUNDDOWN(va), 0);
	void *old, *page;
	u64 flags;

	if (!pte || !(*pte & PTE_V) || !(*pte & PTE_U) || !(*pte & PTE_COW))
		return -1;
	old = (void *)PTE2PA(*pte);
	flags = (PTE_FLAGS(*pte) | PTE_W) & ~PTE_COW;
	if (count_read(old) == 1 && !MISTAKEN(sole_owner_leaks)) {
		*pte = PA2PTE(old) | flags;
		return 0;
	}
	page = kalloc();
	if (!page)
		return -1;
	memmove(page, old, PGSIZE);
	*pte = PA2PTE(page) | flags;
	if (MISTAKEN(sole_owner_leaks)) {
		if (count_put(old) == 0)
			truth("leak", old);
		return 0;
	}
	kput(old);
	return 0;
}
