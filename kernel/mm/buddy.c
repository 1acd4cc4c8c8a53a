/* SPDX-License-Identifier: MIT */
/*
 * The buddy allocator: free blocks of 2^k pages, k = 0 .. PAGE_MAX_ORDER, on one list per order.
 *
 * The lists' links are page numbers inside struct page, never inside the free pages: a stray write into a
 * free page is found as one (PAGE-4) and breaks nothing.
 *
 * In a free block only the head's order, next and prev mean anything; body pages have order PAGE_BODY. Every
 * page keeps its own stack and pid: who freed it last. In an allocated block each body's owner.index is the
 * head's page number.
 *
 * Invariants PAGE-1, PAGE-4 and BUDDY-1 to BUDDY-3 are in page.h. One more:
 *
 * BUDDY-4  the sum of kind_pages[] is the number of managed pages whenever the lock is free.
 *
 * A page whose poison is broken when it is taken is reported and becomes PK_BAD: never handed out again, so
 * that the writer cannot hurt a second victim and the evidence stays.
 *
 * Lock: `buddy`. Filling and checking poison happens outside it, while the caller owns the pages.
 * Callers: pcp.c, which stands between this file and page.c; boot.
 */
#include <kernel/arch.h>

#include "mm_priv.h"

struct buddy buddy = {.lock = SPINLOCK_INIT(buddy)};

static inline void list_unlink(struct page *page, u32 order)
{
	if (page->next != PFN_NONE)
		pfn_to_page(page->next)->prev = page->prev;
	if (page->prev != PFN_NONE)
		pfn_to_page(page->prev)->next = page->next;
	else
		buddy.lists[order].first = page->next;
	page->next = page->prev = PFN_NONE;
	buddy.lists[order].nr_blocks--;
}

static inline void list_link(struct page *page, u32 order)
{
	struct buddy_list *list = &buddy.lists[order];
	pfn_t pfn = page_to_pfn(page);

	page->order = (u8)order;
	page->prev = PFN_NONE;
	page->next = list->first;
	if (list->first != PFN_NONE)
		pfn_to_page(list->first)->prev = pfn;
	list->first = pfn;
	list->nr_blocks++;
}

/*
 * The choke point: a block enters the free lists here and nowhere else. Its pages have kind FREE and are
 * poisoned; merges with free buddies as far as they go.
 */
static void buddy_insert(struct page *page, u32 order)
{
	pfn_t pfn = page_to_pfn(page);

	while (order < PAGE_MAX_ORDER) {
		pfn_t other_pfn = pfn ^ (1U << order);
		struct page *other;

		if (!pfn_valid(other_pfn))
			break;
		other = pfn_to_page(other_pfn);
		if (other->kind != PK_FREE || other->order != order)
			break;
		list_unlink(other, order);
		pfn_to_page(MAX(pfn, other_pfn))->order = PAGE_BODY;
		pfn = MIN(pfn, other_pfn);
		order++;
	}
	list_link(pfn_to_page(pfn), order);
}

/* Off the lists, smallest sufficient block first; what is left over of it goes back. NULL: none. */
static struct page *buddy_remove(u32 order)
{
	u32 have = order;
	struct page *page;

	while (have <= PAGE_MAX_ORDER && buddy.lists[have].first == PFN_NONE)
		have++;
	if (have > PAGE_MAX_ORDER)
		return NULL;
	page = pfn_to_page(buddy.lists[have].first);
	list_unlink(page, have);
	while (have > order) {
		have--;
		list_link(page + (1U << have), have);
	}
	return page;
}

static void block_set_kind(struct page *page, u32 order, enum page_kind kind)
{
	u32 nr = 1U << order;
	pfn_t pfn = page_to_pfn(page);

	buddy.kind_pages[page->kind] -= nr;
	buddy.kind_pages[kind] += nr;
	page->kind = (u8)kind;
	page->order = (u8)order;
	for (u32 i = 1; i < nr; i++) {
		page[i].kind = (u8)kind;
		page[i].order = PAGE_BODY;
		page[i].owner.index = pfn;
	}
}

/* Some page of the block was written while free: keep those, give the others back. */
void block_quarantine(struct page *page, u32 order)
{
	u32 stack_now = trace_stack_here(2);

	for (u32 i = 0; i < 1U << order; i++) {
		void *va = page_to_va(page + i);
		bool bad = mem_find_difference(va, POISON_FREE, PAGE_SIZE) != PAGE_SIZE;

		if (bad)
			audit_incident(VERDICT_POISON, page + i, page[i].stack, stack_now);
		spin_lock(&buddy.lock);
		page[i].count = 0;
		block_set_kind(page + i, 0, bad ? PK_BAD : PK_FREE);
		if (!bad)
			buddy_insert(page + i, 0);
		spin_unlock(&buddy.lock);
		if (bad && trace_on(TRACE_CATEGORY_PAGE))
			page_record(EV_page_kind, PK_BAD, stack_now, page + i, 0, HOLDER_NONE, 0, 0);
	}
}

struct page *buddy_take(u32 order, enum page_kind kind)
{
	struct page *page;

	spin_lock(&buddy.lock);
	page = buddy_remove(order);
	if (page) {
		block_set_kind(page, order, kind);
		page->count = 1;
		buddy.nr_allocs++;
	}
	spin_unlock(&buddy.lock);
	return page;
}

void block_retire(struct page *page, u32 order, u32 stack, u16 pid)
{
	for (u32 i = 0; i < 1U << order; i++)
		page_retire(page + i, stack, pid);
	mem_fill_words(page_to_va(page), POISON_FREE, PAGE_SIZE << order);
}

void buddy_give(struct page *page, u32 order)
{
	spin_lock(&buddy.lock);
	block_set_kind(page, order, PK_FREE);
	buddy.nr_frees++;
	buddy_insert(page, order);
	spin_unlock(&buddy.lock);
}

u32 buddy_take_parked(struct page **batch, u32 nr)
{
	u32 taken = 0;

	spin_lock(&buddy.lock);
	while (taken < nr && (batch[taken] = buddy_remove(0)) != NULL)
		block_set_kind(batch[taken++], 0, PK_PCP);
	spin_unlock(&buddy.lock);
	return taken;
}

void buddy_give_parked(struct page **batch, u32 nr)
{
	spin_lock(&buddy.lock);
	for (u32 i = 0; i < nr; i++) {
		block_set_kind(batch[i], 0, PK_FREE);
		buddy_insert(batch[i], 0);
	}
	spin_unlock(&buddy.lock);
}

void buddy_set_kind(struct page *page, enum page_kind kind)
{
	spin_lock(&buddy.lock);
	buddy.kind_pages[page->kind]--;
	buddy.kind_pages[kind]++;
	page->kind = (u8)kind;
	spin_unlock(&buddy.lock);
}

void buddy_count_failed(void)
{
	spin_lock(&buddy.lock);
	buddy.nr_failed++;
	spin_unlock(&buddy.lock);
}

void buddy_for_each(void (*visit)(struct page *head, u32 order, void *arg), void *arg)
{
	spin_lock(&buddy.lock);
	for (u32 order = 0; order <= PAGE_MAX_ORDER; order++)
		for (pfn_t pfn = buddy.lists[order].first; pfn != PFN_NONE; pfn = pfn_to_page(pfn)->next)
			visit(pfn_to_page(pfn), order, arg);
	spin_unlock(&buddy.lock);
}
