/* SPDX-License-Identifier: MIT */
/*
 * Copying an address space: VMAs first, then every leaf, with both sides read-only and marked COW where the
 * VMA is private and writable. Both take time that grows with the number of VMAs and leaves, and no faster; between
 * steps others run, and a process that was killed stops there.
 *
 * When memory runs out midway the child is destroyed like any address space, which returns exactly what it
 * took. The parent's leaves that were already made read-only stay so: they are COW leaves whose page has one
 * holder again, and the next write makes them writable without a copy.
 */
#include "addrspace_priv.h"

struct fork {
	struct mm *parent, *child;
	struct vma *vma;
	struct long_walk walk;
	bool eager;
};

ARCH_OUTERMOST static int copy_vmas(struct mm *parent, struct mm *child)
{
	LIST_FOR_EACH (pos, &parent->vmas) {
		const struct vma *vma = LIST_ENTRY(pos, struct vma, link);
		int err =
		    mm_map(child, vma->start, vma->end, vma->flags, vma->ops, vma->file, vma->file_index);

		if (!err)
			err = mm_pause();
		if (err)
			return err;
	}
	child->heap_start = parent->heap_start;
	child->heap_end = parent->heap_end;
	child->heap_limit = parent->heap_limit;
	return 0;
}

/* The child's own copy of a page that both could write to. */
static int copy_leaf(const struct fork *fork, const pte_t *pte, pte_t *copy, uaddr_t ua)
{
	struct page *page = copy_page(fork->child, ua, pa_to_page(PTE_PA(*pte)));

	if (!page)
		return -ENOMEM;
	*copy = PA_PTE(page_to_pa(page)) | leaf_bits(fork->vma) | PTE_W | PTE_D;
	resident_add(fork->child, 1);
	return 0;
}

static int share_leaf(pte_t *pte, uaddr_t ua, void *arg)
{
	struct fork *fork = arg;
	pte_t *copy = pt_walk(fork->child->root, ua, fork->child->id, true);

	if (!copy)
		return -ENOMEM;
	if (fork->eager && !fork->vma->set && (fork->vma->flags & VMA_WRITE)) {
		int err = copy_leaf(fork, pte, copy, ua);

		return err ? err : long_walk_step(&fork->walk, ua);
	}
	vma_lock(fork->vma);
	if (*pte & PTE_V) { /* or truncation was here, after the walk */
		if (!page_try_get(pa_to_page(PTE_PA(*pte)), REF_PTE, pte_holder(fork->child, ua))) {
			vma_unlock(fork->vma);
			return -ENOMEM;
		}
		if (!(fork->vma->flags & VMA_SHARED) && (*pte & PTE_W))
			*pte = (*pte & ~(PTE_W | PTE_D)) | PTE_COW;
		*copy = *pte;
		resident_add(fork->child, 1);
	}
	vma_unlock(fork->vma);
	return long_walk_step(&fork->walk, ua);
}

ARCH_OUTERMOST static int share_leaves(struct mm *parent, struct mm *child, bool eager)
{
	LIST_FOR_EACH (pos, &parent->vmas) {
		struct vma *vma = LIST_ENTRY(pos, struct vma, link);
		struct fork fork = {parent, child, vma, {.next = vma->start}, eager};
		int err;

		do {
			err = pt_for_each_leaf(parent->root, fork.walk.next, vma->end, share_leaf, &fork);
			if (err == LONG_WALK_PAUSE || err == 0) {
				int killed = mm_pause();

				err = killed ? killed : err;
			}
		} while (err == LONG_WALK_PAUSE);
		if (err)
			return err;
	}
	return 0;
}

ARCH_OUTERMOST struct mm *mm_fork(struct mm *parent, u16 pid, bool eager)
{
	struct mm *child = mm_create(pid);
	int err;

	if (!child)
		return NULL;
	err = copy_vmas(parent, child);
	if (!err)
		err = share_leaves(parent, child, eager);
	arch_flush_tlb_all(); /* the parent, which runs on this hart, lost the right to write */
	if (err) {
		mm_destroy(child);
		return NULL;
	}
	return child;
}
