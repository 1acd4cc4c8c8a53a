/* SPDX-License-Identifier: MIT */
/*
 * The checks of page.h: PAGE-1, PAGE-2, BUDDY-1 to BUDDY-4 of every page and every list, and PAGE-4 of every free page.
 *
 * The lists are walked first: what they hold must be free, aligned, linked both ways, and its buddy must not be free, too. Then
 * every struct page is looked at and counted by kind. Neither alone is enough: a page that is on no list breaks no list, and
 * only the second count misses it.
 *
 * Locks: all of mm's (page_totals_lock), for the time of the check; the poison is read with the world stopped.
 */
#include <kernel/arch.h>

#include "mm_priv.h"

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
		if (by_kind[kind] != page_kind_total_locked(kind))
			return BROKEN("BUDDY-4: %u pages of kind %s, counted %u", by_kind[kind],
				      page_kind_name(kind), page_kind_total_locked(kind));
	return NULL;
}

const char *page_check(void)
{
	const char *broken;

	page_totals_lock();
	broken = pcp_check_locked();
	if (!broken)
		broken = check_all();
	page_totals_unlock();
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
