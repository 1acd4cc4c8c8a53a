/* SPDX-License-Identifier: MIT */
/*
 * From an object to the leaves that map it (interface and locking: struct vma_set in addrspace.h).
 *
 * What is taken from a leaf here is taken from a process that may be running on another hart at this moment. It is gone
 * when the table has it and no hart knows the old entry any more; only then may the page be stored, or freed.
 */
#include "addrspace_priv.h"

#define UNMAP_BATCH 16 /* leaves between two flushes; interrupts are off for as long */

void vma_set_init(struct vma_set *set)
{
	/* Not spin_init: sets come and go with their objects. */
	set->lock = (struct spinlock)SPINLOCK_INIT(vmaset);
	list_init(&set->vmas);
}

/* The part of the VMA that maps pages [first, last] of the object. False: none. */
static bool range_of(const struct vma *vma, u32 first, u32 last, uaddr_t *start, uaddr_t *end)
{
	u32 vma_last = vma->file_index + VPN(vma->end - vma->start) - 1;

	if (first > vma_last || last < vma->file_index)
		return false;
	first = MAX(first, vma->file_index);
	last = MIN(last, vma_last);
	*start = vma->start + ((u64)(first - vma->file_index) << PAGE_SHIFT);
	*end = *start + ((u64)(last - first + 1) << PAGE_SHIFT);
	return true;
}

bool vma_set_covers_locked(const struct vma_set *set, u32 index)
{
	uaddr_t start, end;

	LIST_FOR_EACH (pos, &set->vmas)
		if (range_of(LIST_ENTRY(pos, struct vma, set_link), index, index, &start, &end))
			return true;
	return false;
}

u64 vma_set_writable_end(struct vma_set *set)
{
	u64 end = 0;

	spin_lock(&set->lock);
	LIST_FOR_EACH (pos, &set->vmas) {
		const struct vma *vma = LIST_ENTRY(pos, struct vma, set_link);

		if ((vma->flags & VMA_SHARED) && (vma->flags & VMA_WRITE))
			end = MAX(end, (u64)vma->file_index + VPN(vma->end - vma->start));
	}
	spin_unlock(&set->lock);
	return end;
}

void vma_set_protect(struct vma_set *set, u32 index)
{
	spin_lock(&set->lock);
	LIST_FOR_EACH (pos, &set->vmas) {
		struct vma *vma = LIST_ENTRY(pos, struct vma, set_link);
		uaddr_t start, end;
		pte_t *pte;

		if (!(vma->flags & VMA_SHARED) || !range_of(vma, index, index, &start, &end))
			continue;
		pte = pt_walk(vma->mm->root, start, vma->mm->id, false);
		if (!pte || !(*pte & PTE_W))
			continue;
		*pte &= ~(PTE_W | PTE_D);
		arch_flush_table(page_to_pa(vma->mm->root));
	}
	spin_unlock(&set->lock);
}

struct unmap_batch {
	u32 nr;
	struct {
		struct page *page;
		uaddr_t ua;
	} leaves[UNMAP_BATCH];
};

static int take_leaf(pte_t *pte, uaddr_t ua, void *arg)
{
	struct unmap_batch *batch = arg;

	batch->leaves[batch->nr].page = pa_to_page(PTE_PA(*pte));
	batch->leaves[batch->nr].ua = ua;
	*pte = 0;
	return ++batch->nr == UNMAP_BATCH;
}

/* Leaves of one VMA. False: it has none. */
static bool unmap_some_locked(struct vma *vma, u32 first)
{
	struct unmap_batch batch = {.nr = 0};
	uaddr_t start, end;

	if (!range_of(vma, first, UINT32_MAX, &start, &end))
		return false;
	pt_for_each_leaf(vma->mm->root, start, end, take_leaf, &batch);
	if (!batch.nr)
		return false;
	arch_flush_table(page_to_pa(vma->mm->root));
	resident_add(vma->mm, -(s64)batch.nr);
	for (u32 i = 0; i < batch.nr; i++)
		page_put(batch.leaves[i].page, REF_PTE, pte_holder(vma->mm, batch.leaves[i].ua));
	return true;
}

static bool unmap_some(struct vma_set *set, u32 first)
{
	bool found = false;

	spin_lock(&set->lock);
	for (struct list *pos = set->vmas.next; pos != &set->vmas && !found; pos = pos->next)
		found = unmap_some_locked(LIST_ENTRY(pos, struct vma, set_link), first);
	spin_unlock(&set->lock);
	return found;
}

void vma_set_unmap(struct vma_set *set, u32 first)
{
	while (unmap_some(set, first))
		;
}
