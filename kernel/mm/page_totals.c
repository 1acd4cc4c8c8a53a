/* SPDX-License-Identifier: MIT */
/*
 * How many pages there are of each kind, and what the kinds are called.
 *
 * A page's kind changes under the lock of whoever gives it away: the buddy's or a hart's cache's. Each of them counts its own
 * changes, so the hot path of an allocation touches one counter of its own hart; a cache's count of a kind is therefore a
 * difference, which is negative where pages were allocated on one hart and freed on another. Only the sum over all means
 * something, and only while all locks are held:
 *
 *     hart 0 allocates 3 anonymous pages, hart 1 frees 2 of them:  +3 - 2 = 1
 *
 * Locks: all `pcp` locks, then `buddy` (page_totals_lock).
 */
#include "mm_priv.h"

static const char *const kind_names[PK_NR] = {
#define KIND(ev_kind, ev_value, ev_text) [ev_value] = ev_text,
#include <kernel/page_kinds.def>
#undef KIND
};
static const char *const ref_names[REF_NR] = {
#define REF(ev_ref, ev_value, ev_text, ev_id, ev_index, ev_many) [ev_value] = ev_text,
#include <kernel/ref_kinds.def>
#undef REF
};

const char *page_kind_name(enum page_kind kind)
{
	return (u32)kind < PK_NR ? kind_names[kind] : "?";
}

const char *ref_kind_name(enum ref_kind ref)
{
	return (u32)ref < REF_NR ? ref_names[ref] : "?";
}

/* Of the buddy and of all per-hart caches together; the locks of all are held. */
u32 page_kind_total_locked(u32 kind)
{
	u32 total = buddy.kind_pages[kind];

	for (u32 i = 0; i < NR_HARTS_MAX; i++)
		total += (u32)pcps[i].kind_pages[kind];
	return total;
}

void page_totals_lock(void)
{
	pcp_lock_all();
	spin_lock(&buddy.lock);
}

void page_totals_unlock(void)
{
	spin_unlock(&buddy.lock);
	pcp_unlock_all();
}

void page_totals(struct page_totals *totals)
{
	*totals = (struct page_totals){
	    .nr_managed = first_pfn + nr_pages - managed_pfn,
	    .nr_firmware = managed_pfn - first_pfn,
	};
	page_totals_lock();
	for (u32 i = 0; i <= PAGE_MAX_ORDER; i++) {
		totals->nr_by_order[i] = buddy.lists[i].nr_blocks;
		totals->nr_free += (u64)buddy.lists[i].nr_blocks << i;
	}
	for (u32 i = 0; i < PK_NR; i++)
		totals->nr_by_kind[i] = page_kind_total_locked(i);
	totals->nr_allocs = buddy.nr_allocs;
	totals->nr_frees = buddy.nr_frees;
	totals->nr_failed = buddy.nr_failed;
	for (u32 i = 0; i < NR_HARTS_MAX; i++) {
		totals->nr_pcp[i] = pcps[i].nr;
		totals->nr_allocs += pcps[i].nr_allocs;
		totals->nr_frees += pcp_nr_frees(&pcps[i]);
	}
	page_totals_unlock();
}

u32 page_nr_free(void)
{
	return __atomic_load_n(&buddy.kind_pages[PK_FREE], __ATOMIC_RELAXED) + pcp_nr_pages();
}

u32 page_nr_parked(void)
{
	return pcp_nr_pages();
}
