/* SPDX-License-Identifier: MIT */
/*
 * The books of pages: taking over RAM at boot, totals, names, and the check of every invariant of page.h.
 *
 * At boot every page is IMAGE with one reference BOOT; page_boot_claim gives ranges their real kind,
 * page_boot_free gives ranges to the buddy. Pages that stay have PAGE_BOOT set for ever: that is their claim.
 * The firmware's pages, below managed_pfn, are in the array but in no total except nr_firmware.
 *
 * Locks: `buddy`, since all totals live under it.
 */
#include <kernel/arch.h>

#include "mm_priv.h"

static const char *const kind_names[PK_NR] = {
#define KIND(ev_kind, ev_value, ev_text) [ev_value] = ev_text,
#include <kernel/page_kinds.def>
#undef KIND
};
static const char *const ref_names[REF_NR] = {
#define REF(ev_ref, ev_value, ev_text, ev_id, ev_index) [ev_value] = ev_text,
#include <kernel/ref_kinds.def>
#undef REF
};
static const char *const verdict_names[VERDICT_NR] = {
    "none",
#define VERDICT(ev_verdict, ev_value, ev_leak, ev_text) [ev_value] = #ev_verdict,
#include <kernel/verdicts.def>
#undef VERDICT
};

const char *page_kind_name(enum page_kind kind)
{
	return (u32)kind < PK_NR ? kind_names[kind] : "?";
}

const char *ref_kind_name(enum ref_kind ref)
{
	return (u32)ref < REF_NR ? ref_names[ref] : "?";
}

const char *verdict_name(enum verdict verdict)
{
	return (u32)verdict < VERDICT_NR ? verdict_names[verdict] : "?";
}

/* ---- boot ---- */

void page_init(paddr_t start, paddr_t end, paddr_t managed_from, struct page *array)
{
	pages = array;
	first_pfn = (pfn_t)(start >> PAGE_SHIFT);
	nr_pages = (u32)((end - start) >> PAGE_SHIFT);
	managed_pfn = (pfn_t)(managed_from >> PAGE_SHIFT);
	for (u32 i = 0; i < nr_pages; i++)
		pages[i] = (struct page){.kind = PK_IMAGE, .state = PAGE_BOOT, .count = 1};
	memset(buddy.kind_pages, 0, sizeof(buddy.kind_pages));
	memset(buddy.lists, 0, sizeof(buddy.lists));
	pcp_init();
	buddy.nr_allocs = buddy.nr_frees = buddy.nr_failed = 0;
	buddy.kind_pages[PK_IMAGE] = first_pfn + nr_pages - managed_pfn;
}

/* Largest order of an aligned block that begins at pfn and ends before end_pfn. */
static u32 block_order(pfn_t pfn, pfn_t end_pfn, u32 max_order)
{
	u32 order = 0;

	while (order < max_order && !(pfn & (1U << order)) && pfn + (2U << order) <= end_pfn)
		order++;
	return order;
}

void page_boot_claim(paddr_t start, paddr_t end, enum page_kind kind)
{
	pfn_t pfn = (pfn_t)(start >> PAGE_SHIFT), end_pfn = (pfn_t)(PAGE_ALIGN_UP(end) >> PAGE_SHIFT);

	for (pfn_t at = pfn; at < end_pfn; at++)
		if (at >= managed_pfn)
			buddy_set_kind(pfn_to_page(at), kind);
	/* One event for each aligned block: a ramdisk of thousands of pages must not fill the ring. */
	while (pfn < end_pfn && trace_on(TRACE_CATEGORY_PAGE)) {
		u32 order = block_order(pfn, end_pfn, PAGE_MAX_ORDER);

		page_record(EV_page_kind, (u8)kind, 0, pfn_to_page(pfn), order, HOLDER_NONE, 1, 1);
		pfn += 1U << order;
	}
}

void page_boot_free(paddr_t start, paddr_t end)
{
	pfn_t pfn = (pfn_t)(PAGE_ALIGN_UP(start) >> PAGE_SHIFT), end_pfn = (pfn_t)(end >> PAGE_SHIFT);

	while (pfn < end_pfn) {
		u32 order = block_order(pfn, end_pfn, PAGE_MAX_ORDER);
		struct page *page = pfn_to_page(pfn);

		for (u32 i = 0; i < 1U << order; i++)
			page[i].count = 0;
		if (trace_on(TRACE_CATEGORY_PAGE))
			page_record(EV_page_free, REF_BOOT, 0, page, order, HOLDER_NONE, 0, 0);
		block_retire(page, order, 0, 0);
		buddy_give(page, order);
		pfn += 1U << order;
	}
}

void page_claims(struct claims *claims)
{
	for (u32 i = 0; i < nr_pages; i++)
		if (pages[i].state == PAGE_BOOT)
			claim_page(claims, &pages[i], REF_BOOT, HOLDER_NONE);
}

/* ---- totals ---- */

/* Of the buddy and of all per-hart caches together; the locks of all are held. */
static u32 kind_total_locked(u32 kind)
{
	u32 total = buddy.kind_pages[kind];

	for (u32 i = 0; i < NR_HARTS_MAX; i++)
		total += (u32)pcps[i].kind_pages[kind];
	return total;
}

static void books_lock(void)
{
	pcp_lock_all();
	spin_lock(&buddy.lock);
}

static void books_unlock(void)
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
	books_lock();
	for (u32 i = 0; i <= PAGE_MAX_ORDER; i++) {
		totals->nr_by_order[i] = buddy.lists[i].nr_blocks;
		totals->nr_free += (u64)buddy.lists[i].nr_blocks << i;
	}
	for (u32 i = 0; i < PK_NR; i++)
		totals->nr_by_kind[i] = kind_total_locked(i);
	totals->nr_allocs = buddy.nr_allocs;
	totals->nr_frees = buddy.nr_frees;
	totals->nr_failed = buddy.nr_failed;
	for (u32 i = 0; i < NR_HARTS_MAX; i++) {
		totals->nr_pcp[i] = pcps[i].nr;
		totals->nr_allocs += pcps[i].nr_allocs;
		totals->nr_frees += pcp_nr_frees(&pcps[i]);
	}
	books_unlock();
}

u32 page_nr_free(void)
{
	return __atomic_load_n(&buddy.kind_pages[PK_FREE], __ATOMIC_RELAXED) + pcp_nr_pages();
}

u32 page_nr_parked(void)
{
	return pcp_nr_pages();
}

/* ---- checks ---- */

static char check_text[128];
#define BROKEN(...) (ksnprintf(check_text, sizeof(check_text), __VA_ARGS__), check_text)

static const char *check_block(pfn_t pfn, u32 order)
{
	const struct page *head = pfn_to_page(pfn);
	pfn_t other = pfn ^ (1U << order);

	if (head->kind != PK_FREE || head->order != order)
		return BROKEN("PAGE-1: pfn 0x%x on list %u has kind %u order %u", pfn, order, head->kind,
			      head->order);
	if (pfn & ((1U << order) - 1))
		return BROKEN("BUDDY-1: pfn 0x%x is not aligned to order %u", pfn, order);
	if (order < PAGE_MAX_ORDER && pfn_valid(other) && pfn_to_page(other)->kind == PK_FREE &&
	    pfn_to_page(other)->order == order)
		return BROKEN("BUDDY-2: pfn 0x%x and its buddy are both free at order %u", pfn, order);
	for (u32 i = 1; i < 1U << order; i++)
		if (!pfn_valid(pfn + i) || head[i].kind != PK_FREE || head[i].order != PAGE_BODY)
			return BROKEN("PAGE-1: pfn 0x%x in the free block 0x%x is not a free body", pfn + i,
				      pfn);
	return NULL;
}

static const char *check_list(u32 order)
{
	pfn_t pfn = buddy.lists[order].first, prev = PFN_NONE;
	u32 found = 0;

	for (; pfn != PFN_NONE; prev = pfn, pfn = pfn_to_page(pfn)->next) {
		const char *broken;

		if (!pfn_valid(pfn) || pfn < managed_pfn)
			return BROKEN("BUDDY-3: list %u leads to pfn 0x%x, which is not managed", order, pfn);
		if (pfn_to_page(pfn)->prev != prev)
			return BROKEN("BUDDY-3: pfn 0x%x on list %u does not link back to 0x%x", pfn, order,
				      prev);
		if (++found > nr_pages)
			return BROKEN("BUDDY-3: list %u does not end", order);
		broken = check_block(pfn, order);
		if (broken)
			return broken;
	}
	if (found != buddy.lists[order].nr_blocks)
		return BROKEN("BUDDY-3: list %u holds %u blocks, counted %u", order, found,
			      buddy.lists[order].nr_blocks);
	return NULL;
}

static const char *check_page(const struct page *page)
{
	bool held = page->kind != PK_FREE && page->kind != PK_PCP && page->kind != PK_BAD;
	pfn_t pfn = page_to_pfn(page);

	if (page->order == PAGE_BODY) {
		if (page->count != 0)
			return BROKEN("PAGE-2: body page 0x%x has count %d", pfn, page->count);
		if (held &&
		    (!pfn_valid(page->owner.index) || page->owner.index >= pfn ||
		     page->owner.index + (1U << (pfn_to_page(page->owner.index)->order & 15)) <= pfn ||
		     pfn_to_page(page->owner.index)->kind != page->kind))
			return BROKEN("PAGE-2: body page 0x%x points to head 0x%x", pfn, page->owner.index);
		return NULL;
	}
	if (held != (page->count > 0))
		return BROKEN("PAGE-2: pfn 0x%x of kind %s has count %d", pfn, page_kind_name(page->kind),
			      page->count);
	return NULL;
}

static const char *check_all(void)
{
	u32 by_kind[PK_NR] = {0};
	u64 on_lists = 0;
	const char *broken = NULL;

	for (u32 order = 0; order <= PAGE_MAX_ORDER && !broken; order++) {
		broken = check_list(order);
		on_lists += (u64)buddy.lists[order].nr_blocks << order;
	}
	for (u32 i = managed_pfn - first_pfn; i < nr_pages && !broken; i++) {
		by_kind[pages[i].kind & 15]++;
		broken = check_page(&pages[i]);
	}
	if (broken)
		return broken;
	if (by_kind[PK_FREE] != on_lists)
		return BROKEN("PAGE-1: %u pages are free, %lu are on lists", by_kind[PK_FREE],
			      (unsigned long)on_lists);
	for (u32 kind = 0; kind < PK_NR; kind++)
		if (by_kind[kind] != kind_total_locked(kind))
			return BROKEN("BUDDY-4: %u pages of kind %s, counted %u", by_kind[kind],
				      page_kind_name(kind), kind_total_locked(kind));
	return NULL;
}

const char *page_check(void)
{
	const char *broken;

	books_lock();
	broken = pcp_check_locked();
	if (!broken)
		broken = check_all();
	books_unlock();
	return broken;
}

u32 page_check_poison(void)
{
	u32 nr_bad = 0;

	for (u32 i = managed_pfn - first_pfn; i < nr_pages; i++) {
		struct page *page = &pages[i];

		if ((page->kind != PK_FREE && page->kind != PK_PCP) ||
		    mem_find_difference(page_to_va(page), POISON_FREE, PAGE_SIZE) == PAGE_SIZE)
			continue;
		audit_incident(VERDICT_POISON, page, page->stack, 0);
		/* Reported once: the next look finds it whole, and it is not lost for a write that may be
		 * long past. */
		mem_fill_words(page_to_va(page), POISON_FREE, PAGE_SIZE);
		nr_bad++;
	}
	return nr_bad;
}
