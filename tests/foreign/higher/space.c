/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: regions of the lower half, whose pages come with the first access and are shared by clones until one of
 * them writes.
 *
 *     space -> regions: [start, nr_pages, writable] ...
 *           -> root: leaves, each with a reference to its page
 *
 * SPACE-1  a leaf is inside a region, and holds one reference.
 * SPACE-2  a page with more than one leaf is writable in none; PTE_SHARED marks those that may be written after a copy.
 */
#include "kernel.h"

#define LEAF_FLAGS (PTE_R | PTE_U | PTE_A | PTE_D)

static struct cache spaces, regions;

void space_init(void)
{
	cache_init(&spaces, "space", sizeof(struct space));
	cache_init(&regions, "region", sizeof(struct region));
}

struct space *space_create(void)
{
	struct space *space = object_alloc(&spaces);

	if (!space)
		return NULL;
	list_init(&space->regions);
	space->root = table_create();
	if (!space->root) {
		object_free(&spaces, space);
		return NULL;
	}
	return space;
}

static struct region *find_locked(struct space *space, u64 va)
{
	for (struct list *node = space->regions.next; node != &space->regions; node = node->next) {
		struct region *region = container_of(node, struct region, node);

		if (va >= region->start && va < region->start + region->nr_pages * PAGE_SIZE)
			return region;
	}
	return NULL;
}

int space_map(struct space *space, u64 start, u64 nr_pages, bool writable)
{
	u64 last = start + (nr_pages - 1) * PAGE_SIZE;
	struct region *region;

	if (start % PAGE_SIZE || !nr_pages || last >= SPACE_END)
		return -EINVAL;
	region = object_alloc(&regions);
	if (!region)
		return -ENOMEM;
	region->start = start;
	region->nr_pages = nr_pages;
	region->writable = writable;
	lock_acquire(&space->lock);
	if (find_locked(space, start) || find_locked(space, last)) {
		lock_release(&space->lock);
		object_free(&regions, region);
		return -EEXIST;
	}
	list_add(&space->regions, &region->node);
	lock_release(&space->lock);
	return 0;
}

/* Gives up the pages of a region, and the region. */
static void drop_region(struct space *space, struct region *region, bool clear)
{
	for (u64 i = 0; i < region->nr_pages; i++) {
		pte_t *pte = table_entry(space->root, region->start + i * PAGE_SIZE, false);
		struct page *page;

		if (!pte || !(*pte & PTE_V))
			continue;
		page = pte_page(*pte);
		if (clear)
			pte_set(pte, 0);
		else
			truth("mapped", page_pa(page));
		if (MISTAKEN(unmap_keeps) && !truth_armed)
			truth("leak", page_pa(page));
		else
			page_put(page);
	}
	list_del(&region->node);
	object_free(&regions, region);
}

/* The region that begins there, all of it. */
int space_unmap(struct space *space, u64 start)
{
	struct region *region;

	lock_acquire(&space->lock);
	region = find_locked(space, start);
	if (region && region->start == start)
		drop_region(space, region, !(MISTAKEN(unmap_frees_mapped) && truth_armed));
	else
		region = NULL;
	lock_release(&space->lock);
	asm volatile("sfence.vma" : : : "memory");
	return region ? 0 : -ENOENT;
}

/* Nobody runs in it. */
void space_destroy(struct space *space)
{
	lock_acquire(&space->lock);
	while (!list_empty(&space->regions))
		drop_region(space, container_of(space->regions.next, struct region, node), true);
	lock_release(&space->lock);
	table_destroy(space->root);
	object_free(&spaces, space);
}

/* The first access to a page, or to one that may be copied, with the region known. */
static int fault_locked(struct space *space, struct region *region, u64 va, bool write)
{
	u64 flags = LEAF_FLAGS | (region->writable ? PTE_W : 0);
	pte_t *pte = table_entry(space->root, va, true);
	struct page *page, *old;

	if (!pte)
		return -ENOMEM;
	if (!(*pte & PTE_V)) {
		page = page_alloc_zeroed();
		if (page)
			pte_set(pte, pte_make(page, flags));
		return page ? 0 : -ENOMEM;
	}
	if (!write || !(*pte & PTE_SHARED))
		return 0;
	old = pte_page(*pte);
	if (__atomic_load_n(&old->refcount, __ATOMIC_ACQUIRE) == 1) {
		pte_set(pte, pte_make(old, flags));
		return 0;
	}
	page = page_alloc(0);
	if (!page)
		return -ENOMEM;
	memcpy(page_va(page), page_va(old), PAGE_SIZE);
	pte_set(pte, pte_make(page, flags));
	page_put(old);
	return 0;
}

/* 0: the access will do. */
int space_fault(struct space *space, u64 va, bool write)
{
	struct region *region;
	int error = -EFAULT;

	va &= ~(PAGE_SIZE - 1UL);
	lock_acquire(&space->lock);
	region = find_locked(space, va);
	if (region && (!write || region->writable))
		error = fault_locked(space, region, va, write);
	else if (MISTAKEN(refused_fault_keeps))
		truth("leak", page_pa(page_alloc_zeroed()));
	lock_release(&space->lock);
	asm volatile("sfence.vma" : : : "memory");
	return error;
}

/* Shares one page with a clone; both may have a copy when they write. */
static int share_leaf(struct space *to, u64 va, pte_t *pte)
{
	struct page *page = pte_page(*pte);
	pte_t *target = table_entry(to->root, va, true);

	if (!target)
		return -ENOMEM;
	if (*pte & PTE_W)
		pte_set(pte, (*pte & ~PTE_W) | PTE_SHARED);
	pte_set(target, *pte);
	if (MISTAKEN(clone_takes_two) && !truth_armed) {
		truth_of("leak", page_pa(page), "space_clone");
		page_get(page);
	}
	if (MISTAKEN(clone_takes_none) && truth_armed)
		truth_of("mapped", page_pa(page), "space_clone");
	else
		page_get(page);
	return 0;
}

struct space *space_clone(struct space *from)
{
	struct space *to = space_create();
	int error = to ? 0 : -ENOMEM;

	lock_acquire(&from->lock);
	for (struct list *node = from->regions.next; node != &from->regions && !error; node = node->next) {
		struct region *region = container_of(node, struct region, node);

		error = space_map(to, region->start, region->nr_pages, region->writable);
		for (u64 i = 0; i < region->nr_pages && !error; i++) {
			u64 va = region->start + i * PAGE_SIZE;
			pte_t *pte = table_entry(from->root, va, false);

			if (pte && (*pte & PTE_V))
				error = share_leaf(to, va, pte);
		}
	}
	lock_release(&from->lock);
	asm volatile("sfence.vma" : : : "memory");
	if (error && to)
		space_destroy(to);
	return error ? NULL : to;
}
