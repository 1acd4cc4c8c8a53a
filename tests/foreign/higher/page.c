/* SPDX-License-Identifier: MIT */
/*
 * Pages with references. page_alloc() returns a block with one; who keeps a pointer to it for longer takes another one.
 * The last page_put() gives the block back.
 *
 * PAGE-1  refcount > 0 iff the block is in use.
 * PAGE-2  a free page is filled with POISON, before it is on a list.
 */
#include "kernel.h"

#if PAGES_STATIC
struct page pages[NR_PFNS];
#else
struct page *pages;
#endif

/* All of RAM from first_free_pa on is free but for the array itself, if that is there. */
void page_init(u64 first_free_pa)
{
#if !PAGES_STATIC
	pages = (struct page *)(first_free_pa + LINEAR_OFFSET);
	first_free_pa += (NR_PFNS * sizeof(struct page) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1UL);
#endif
	buddy_init();
	for (u64 i = 0; i < NR_PFNS; i++) {
		memset(&pages[i], 0, sizeof(pages[i]));
		pages[i].flags = PG_RESERVED;
		list_init(&pages[i].node);
	}
	for (u64 pa = first_free_pa; pa < RAM_END; pa += PAGE_SIZE) {
		page_of_pa(pa)->flags = 0;
		buddy_give(page_of_pa(pa), 0);
	}
}

struct page *page_alloc(u32 order)
{
	struct page *page = buddy_take(order);

	if (page)
		__atomic_store_n(&page->refcount, 1, __ATOMIC_RELAXED);
	return page;
}

struct page *page_alloc_zeroed(void)
{
	struct page *page = page_alloc(0);

	if (page)
		memset(page_va(page), 0, PAGE_SIZE);
	return page;
}

void page_get(struct page *page)
{
	__atomic_fetch_add(&page->refcount, 1, __ATOMIC_RELAXED);
}

void page_put(struct page *page)
{
	if (__atomic_sub_fetch(&page->refcount, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	page->flags = 0;
	memset(page_va(page), POISON, PAGE_SIZE << page->order);
	buddy_give(page, page->order);
}
