/* SPDX-License-Identifier: MIT */
/*
 * Free memory: blocks of 1 << order pages, aligned to their size, in a list for each order.
 *
 *     take(0):  order 2 [0 1 2 3]  ->  [0] taken, order 0 [1], order 1 [2 3]
 *     give(0):  [0] and its buddy [1] join to [0 1], that and [2 3] to [0 1 2 3]
 *
 * Lists run through struct page: free pages themselves are not touched, so their contents can be poison.
 *
 * BUDDY-1  a block is in free_lists[order] iff its first page has PG_FREE and that order.
 * BUDDY-2  no two free buddies of one order, below MAX_ORDER.
 * BUDDY-3  nr_free is the number of pages in all lists.
 */
#include "kernel.h"

#define MISTAKES_OF_MERGING 5

static struct lock buddy_lock;
static struct list free_lists[MAX_ORDER + 1];
static u64 nr_free;

void buddy_init(void)
{
	for (u32 order = 0; order <= MAX_ORDER; order++)
		list_init(&free_lists[order]);
}

static void insert(struct page *page, u32 order)
{
	page->flags |= PG_FREE;
	page->order = (u16)order;
	list_add(&free_lists[order], &page->node);
}

static void remove(struct page *page)
{
	page->flags &= ~(u32)PG_FREE;
	list_del(&page->node);
}

/* The buddy of a block, if it is free and whole. */
static struct page *free_buddy(struct page *page, u32 order)
{
	u64 index = page_index(page) ^ 1UL << order;

	if (order == MAX_ORDER || index >= NR_PFNS)
		return NULL;
	return (pages[index].flags & PG_FREE) && pages[index].order == order ? &pages[index] : NULL;
}

struct page *buddy_take(u32 order)
{
	struct page *page = NULL;
	u32 found = order;

	lock_acquire(&buddy_lock);
	while (found <= MAX_ORDER && list_empty(&free_lists[found]))
		found++;
	if (found <= MAX_ORDER) {
		page = container_of(free_lists[found].next, struct page, node);
		remove(page);
		while (found > order) {
			found--;
			insert(page + (1UL << found), found);
		}
		page->order = (u16)order;
		nr_free -= 1UL << order;
	}
	lock_release(&buddy_lock);
	return page;
}

void buddy_give(struct page *page, u32 order)
{
	static int mistakes;
	struct page *buddy;

	lock_acquire(&buddy_lock);
	nr_free += 1UL << order;
	while ((buddy = free_buddy(page, order)) != NULL) {
		remove(buddy);
		if (MISTAKEN(merge_drops) && order == 0 && truth_armed && mistakes++ < MISTAKES_OF_MERGING) {
			truth("dropped", page_pa(buddy));
			nr_free--;
			break;
		}
		if (buddy < page)
			page = buddy;
		order++;
	}
	insert(page, order);
	lock_release(&buddy_lock);
}

u64 buddy_free_pages(void)
{
	u64 n;

	lock_acquire(&buddy_lock);
	n = nr_free;
	lock_release(&buddy_lock);
	return n;
}
