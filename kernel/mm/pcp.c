/* SPDX-License-Identifier: MIT */
/*
 * Per-hart page caches: single pages between the buddy allocator and whoever allocates and frees them.
 *
 *   free lists  --refill, PCP_BATCH pages at once-->  cache of a hart  --one page-->  allocated
 *               <--drain, when there are too many--                   <--one page--
 *
 * A page in a cache is free for everybody but the buddy: kind PCP, count 0, poisoned, its last freer in stack and
 * pid. It is PARKED in the accounting, never leaked: when the buddy is empty a hart takes from the others' caches, and an
 * allocation of more than one page empties them all before it fails.
 *
 * PCP-1  the list of a cache holds `nr` pages, linked by page->next; each has kind PCP, order 0 and count 0.
 * PCP-2  nr <= pcp_high after every operation.
 * PCP-3  kind_pages are what this cache's operations added to each kind and took from another: they sum to 0. So
 *        the buddy's kind_pages and all of these together are the managed pages, whenever all locks are free.
 *
 * Locks: `pcp`, one per hart, taken by others to steal, drain and count; `buddy` inside it. Poison is filled and
 * checked outside both, while the caller owns the page.
 */
#include <kernel/arch.h>

#include "pcp_priv.h"

#define PCP_BATCH_MAX 16U
#define PCP_BATCH_MIN 2U
#define PAGES_PER_BATCH_PAGE 1024U /* of the machine: 128 MiB gives the full batch, 8 MiB the smallest */

struct pcp pcps[NR_HARTS_MAX];
u32 pcp_high;
static u32 pcp_batch;
static const char *const pcp_names[] = {"pcp0", "pcp1", "pcp2", "pcp3", "pcp4", "pcp5", "pcp6", "pcp7"};
STATIC_ASSERT(ARRAY_SIZE(pcp_names) == NR_HARTS_MAX, "a name for each lock");

void pcp_init(void)
{
	pcp_batch = MIN(MAX(nr_pages / PAGES_PER_BATCH_PAGE, PCP_BATCH_MIN), PCP_BATCH_MAX);
	pcp_high = 4 * pcp_batch;
	for (u32 i = 0; i < NR_HARTS_MAX; i++) {
		pcps[i] = (struct pcp){.first = PFN_NONE};
		spin_init(&pcps[i].lock, LOCK_pcp, pcp_names[i]);
	}
}

static void __attribute__((noinline)) refill_locked(struct pcp *pcp)
{
	struct page *batch[PCP_BATCH_MAX];
	u32 nr = buddy_take_parked(batch, pcp_batch);

	/* last first: the lowest page is handed out first, as the buddy would */
	while (nr > 0)
		pcp_push_locked(pcp, batch[--nr]);
}

static void drain_locked(struct pcp *pcp, u32 nr)
{
	struct page *batch[PCP_BATCH_MAX];

	while (nr > 0 && pcp->nr > 0) {
		u32 now = 0;

		while (now < MIN(nr, PCP_BATCH_MAX) && pcp->nr > 0)
			batch[now++] = pcp_pop_locked(pcp);
		buddy_give_parked(batch, now);
		nr -= now;
	}
}

void pcp_drain_batch_locked(struct pcp *pcp)
{
	drain_locked(pcp, pcp_batch);
}

static struct page *steal(enum page_kind kind)
{
	struct page *page = NULL;
	u32 self = hart_index();

	for (u32 i = 1; i < nr_harts && !page; i++) {
		struct pcp *pcp = &pcps[(self + i) % nr_harts];

		spin_lock(&pcp->lock);
		page = pcp_take_locked(pcp, kind);
		spin_unlock(&pcp->lock);
	}
	return page;
}

struct page *pcp_refill_and_take(enum page_kind kind)
{
	struct pcp *pcp = this_pcp();
	struct page *page;

	spin_lock(&pcp->lock);
	refill_locked(pcp);
	page = pcp_take_locked(pcp, kind);
	spin_unlock(&pcp->lock);
	return page ? page : steal(kind);
}

struct page *block_take_slow(struct page *broken, u32 order, enum page_kind kind)
{
	if (order > PAGE_MAX_ORDER)
		return NULL;
	for (struct page *page = broken;;) {
		if (page)
			block_quarantine(page, order);
		page = order == 0 ? pcp_take(kind) : buddy_take(order, kind);
		/* what is parked may be what a larger block is missing */
		if (!page && order > 0 && page_drain_caches() > 0)
			page = buddy_take(order, kind);
		if (!page || block_intact(page, order))
			return page;
	}
}

u32 page_drain_caches(void)
{
	u32 nr = 0;

	for (u32 i = 0; i < nr_harts; i++) {
		struct pcp *pcp = &pcps[i];

		spin_lock(&pcp->lock);
		nr += pcp->nr;
		drain_locked(pcp, pcp->nr);
		spin_unlock(&pcp->lock);
	}
	return nr;
}

void pcp_lock_all(void)
{
	spin_lock(&pcps[0].lock);
	for (u32 i = 1; i < NR_HARTS_MAX; i++)
		spin_lock_nested(&pcps[i].lock);
}

void pcp_unlock_all(void)
{
	for (u32 i = NR_HARTS_MAX; i > 0; i--)
		spin_unlock(&pcps[i - 1].lock);
}

u32 pcp_nr_pages(void)
{
	u32 nr = 0;

	for (u32 i = 0; i < NR_HARTS_MAX; i++)
		nr += __atomic_load_n(&pcps[i].nr, __ATOMIC_RELAXED);
	return nr;
}

static const char *check_cache(const struct pcp *pcp)
{
	u32 found = 0;
	s64 sum = 0;

	for (pfn_t pfn = pcp->first; pfn != PFN_NONE; pfn = pfn_to_page(pfn)->next) {
		const struct page *page;

		if (!pfn_valid(pfn) || ++found > pcp->nr)
			return "PCP-1: the list of a per-hart cache does not end where it should";
		page = pfn_to_page(pfn);
		if (page->kind != PK_PCP || page->order != 0 || page->count != 0)
			return "PCP-1: a page in a per-hart cache is not parked";
	}
	for (u32 kind = 0; kind < PK_NR; kind++)
		sum += pcp->kind_pages[kind];
	if (found != pcp->nr)
		return "PCP-1: a per-hart cache holds fewer pages than it counts";
	if (pcp->nr > pcp_high)
		return "PCP-2: a per-hart cache holds too many pages";
	return sum ? "PCP-3: the kinds counted by a per-hart cache do not sum to 0" : NULL;
}

const char *pcp_check_locked(void)
{
	const char *broken = NULL;

	for (u32 i = 0; i < NR_HARTS_MAX && !broken; i++)
		broken = check_cache(&pcps[i]);
	return broken;
}
