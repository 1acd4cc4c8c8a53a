/* SPDX-License-Identifier: MIT */
/*
 * The usual way in and out of a per-hart page cache, in place: it is part of every page_alloc and page_put, and a few
 * dozen instructions. What is rare, and the theory, is in pcp.c.
 */
#ifndef PCP_PRIV_H
#define PCP_PRIV_H

#include "mm_priv.h"

/* Nobody leaves the hart before the lock is held, and an interrupt leaves the cache as good as it was. */
static inline struct pcp *this_pcp(void)
{
	struct pcp *pcp = &pcps[hart_index()];

	KEEP(pcp);
	return pcp;
}

/* Moves one page of the machine from one kind to another. */
static inline void pcp_count_kind(struct pcp *pcp, enum page_kind from, enum page_kind to)
{
	pcp->kind_pages[from]--;
	pcp->kind_pages[to]++;
}

static inline void pcp_push_locked(struct pcp *pcp, struct page *page)
{
	page->next = pcp->first;
	pcp->first = page_to_pfn(page);
	pcp->nr++;
}

static inline struct page *pcp_pop_locked(struct pcp *pcp)
{
	pfn_t pfn = pcp->first;
	struct page *page;

	if (UNLIKELY(pfn == PFN_NONE))
		return NULL;
	page = pfn_to_page(pfn);
	pcp->first = page->next;
	pcp->nr--;
	page->next = PFN_NONE;
	return page;
}

/* Takes one page out of a cache, with count 1 and its kind. */
static inline struct page *pcp_take_locked(struct pcp *pcp, enum page_kind kind)
{
	struct page *page = pcp_pop_locked(pcp);

	if (page) {
		page->kind = (u8)kind;
		page->count = 1;
		pcp_count_kind(pcp, PK_PCP, kind);
		pcp->nr_allocs++;
	}
	return page;
}

/* NULL when no hart has a page and the lists are empty. */
static inline __attribute__((always_inline)) struct page *pcp_take(enum page_kind kind)
{
	struct pcp *pcp = this_pcp();
	struct hart *hart = spin_lock_inline(&pcp->lock);
	struct page *page = pcp_take_locked(pcp, kind);

	spin_unlock_inline(hart, &pcp->lock);
	return LIKELY(page) ? page : pcp_refill_and_take(kind);
}

/* The page is retired: block_retire. */
static inline __attribute__((always_inline)) void pcp_give(struct page *page)
{
	struct pcp *pcp = this_pcp();
	struct hart *hart = spin_lock_inline(&pcp->lock);

	pcp_count_kind(pcp, page->kind, PK_PCP);
	page->kind = PK_PCP;
	pcp_push_locked(pcp, page);
	if (UNLIKELY(pcp->nr > pcp_high))
		pcp_drain_batch_locked(pcp);
	spin_unlock_inline(hart, &pcp->lock);
}

/* A block with count 1 and kind set in all its pages, poison checked; NULL when there is none. */
static inline __attribute__((always_inline)) struct page *block_take(u32 order, enum page_kind kind)
{
	struct page *page;

	if (UNLIKELY(order > 0))
		return block_take_slow(NULL, order, kind);
	page = pcp_take(kind);
	if (UNLIKELY(!page) || LIKELY(block_intact(page, 0)))
		return page;
	return block_take_slow(page, 0, kind);
}

/* count is 0; stack and pid: who frees it. */
static inline __attribute__((always_inline)) void block_give(struct page *page, u32 order, u32 stack, u16 pid)
{
	if (UNLIKELY(order > 0)) {
		block_retire(page, order, stack, pid);
		buddy_give(page, order);
	} else {
		page_retire(page, stack, pid);
		mem_fill_words(page_to_va(page), POISON_FREE, PAGE_SIZE);
		pcp_give(page);
	}
}

#endif
