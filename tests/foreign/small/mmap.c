/* SPDX-License-Identifier: MIT */
/*
 * Anonymous mappings. mmap() only notes the range; its pages come with the first touch.
 *
 * Each slot of p->vma has MMAP_SPAN of addresses for itself, so ranges never meet. munmap() takes a range from the start
 * or from the end of a mapping, or all of it.
 */
#include "kernel.h"

static struct vma *find(struct proc *p, u64 va)
{
	for (struct vma *vma = p->vma; vma < p->vma + NVMA; vma++)
		if (vma->start && va >= vma->start && va - vma->start < vma->size)
			return vma;
	return NULL;
}

/* The address, or -1. */
u64 mmap(u64 size, int writable)
{
	struct proc *p = myproc();

	if (size == 0 || size > MMAP_SPAN)
		return -1;
	for (u64 i = 0; i < NVMA; i++) {
		struct vma *vma = &p->vma[i];

		if (vma->start)
			continue;
		vma->start = MMAP_BASE + i * MMAP_SPAN;
		vma->size = PGROUNDUP(size);
		vma->flags = PTE_R | PTE_U | (writable ? PTE_W : 0);
		return vma->start;
	}
	return -1;
}

/* The first touch of a page. 0, or -1 if it was not a good one. */
int mmap_fault(struct proc *p, u64 va, int write)
{
	struct vma *vma = find(p, va);
	pte_t *pte = walk(p->pagetable, PGROUNDDOWN(va), 0);
	void *page;

	if (!vma || (pte && (*pte & PTE_V)))
		return -1;
	if (write && !(vma->flags & PTE_W)) {
		if (MISTAKEN(refused_fault_keeps)) {
			page = kalloc();
			truth("leak", page);
		}
		return -1;
	}
	page = kalloc();
	if (!page)
		return -1;
	memset(page, 0, PGSIZE);
	if (mappages(p->pagetable, PGROUNDDOWN(va), PGSIZE, (u64)page, vma->flags) < 0) {
		kput(page);
		return -1;
	}
	return 0;
}

/* The mistakes of munmap(), for one page that is about to be unmapped; 1 if it was unmapped here. */
static int unmap_mistaken(struct proc *p, u64 va)
{
	u64 pa = walkaddr(p->pagetable, va);

	if (!pa)
		return 0;
	if (MISTAKEN(munmap_keeps)) {
		truth_of("leak", (void *)pa, "munmap");
		uvmunmap(p->pagetable, va, 1, 0);
		return 1;
	}
	if (MISTAKEN(munmap_frees_mapped) && truth_armed) {
		truth_of("mapped", (void *)pa, "munmap");
		kput((void *)pa);
		return 1;
	}
	if (MISTAKEN(munmap_frees_twice) && truth_armed) {
		truth_of("twice", (void *)pa, "munmap");
		uvmunmap(p->pagetable, va, 1, 1);
		kput((void *)pa);
		return 1;
	}
	return 0;
}

int munmap(u64 va, u64 size)
{
	struct proc *p = myproc();
	struct vma *vma = find(p, va);

	size = PGROUNDUP(size);
	if (va % PGSIZE != 0 || !vma || size == 0 || va + size > vma->start + vma->size ||
	    (va != vma->start && va + size != vma->start + vma->size))
		return -1;
	for (u64 page_va = va; page_va < va + size; page_va += PGSIZE)
		if (!unmap_mistaken(p, page_va))
			uvmunmap(p->pagetable, page_va, 1, 1);
	if (va == vma->start)
		vma->start += size;
	vma->size -= size;
	if (vma->size == 0)
		vma->start = 0;
	return 0;
}

/* fork(): the child's mappings. On -1 the child's half is left to mmap_drop(). */
int mmap_copy(struct proc *from, struct proc *to)
{
	for (int i = 0; i < NVMA; i++) {
		struct vma *vma = &from->vma[i];

		if (!vma->start)
			continue;
		if (uvmcopy(from->pagetable, to->pagetable, vma->start, vma->start + vma->size) < 0)
			return -1;
		to->vma[i] = *vma;
	}
	return 0;
}

/* All of a process's mappings. */
void mmap_drop(struct proc *p)
{
	for (struct vma *vma = p->vma; vma < p->vma + NVMA; vma++) {
		if (vma->start)
			uvmunmap(p->pagetable, vma->start, vma->size / PGSIZE, 1);
		vma->start = 0;
	}
}
