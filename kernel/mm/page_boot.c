/* SPDX-License-Identifier: MIT */
/*
 * Pages at boot: who has what before the allocator runs.
 *
 * At boot every page is IMAGE with one reference BOOT; page_boot_claim gives ranges their real kind,
 * page_boot_free gives ranges to the buddy. So there is no moment at which a page is nobody's, and the sum over the kinds
 * is RAM from then on: what boot forgets to free stays IMAGE and is counted.
 *
 *     RAM start      managed_pfn                                                    RAM end
 *     | firmware     | image | metadata | trace | free ...... | ramdisk | free ....... |
 *
 * Pages that stay have PAGE_BOOT set for ever: that is their claim. The firmware's pages, below managed_pfn, are in the
 * array but in no total except nr_firmware.
 *
 * One hart runs; no locks but those that the buddy takes itself.
 */
#include <kernel/arch.h>

#include "mm_priv.h"

void page_init(paddr_t start, paddr_t end, paddr_t managed_from, struct page *array)
{
	pages = array;
	first_pfn = (pfn_t)(start >> PAGE_SHIFT);
	page_zero = (u64)array - first_pfn * sizeof(*array);
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
