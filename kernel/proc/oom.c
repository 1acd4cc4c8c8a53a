/* SPDX-License-Identifier: MIT */
/*
 * The report of a death for want of memory: which kinds of page fill the machine, and which call sites took
 * most.
 *
 * Call sites are found without memory, in two passes over all pages: the first keeps NR_SITES candidates so
 * that every stack with more than 1 / (NR_SITES + 1) of the pages survives (each page that matches none takes
 * one from all); the second counts them exactly.
 */
#include "proc_priv.h"

#define NR_SITES 6
#define NR_SITES_SHOWN 3
#define NR_KINDS_SHOWN 4

struct site {
	u32 stack, nr;
};

static void sites_offer(struct site *sites, u32 stack)
{
	struct site *empty = NULL;

	for (u32 i = 0; i < NR_SITES; i++) {
		if (sites[i].nr && sites[i].stack == stack) {
			sites[i].nr++;
			return;
		}
		if (!sites[i].nr)
			empty = &sites[i];
	}
	if (empty) {
		*empty = (struct site){stack, 1};
		return;
	}
	for (u32 i = 0; i < NR_SITES; i++)
		sites[i].nr--;
}

/* Pages in use that a call stack is known for. Reads without locks: a report, not an account. */
static bool page_counts(const struct page *page)
{
	return page->count > 0 && page->order != PAGE_BODY && page->stack;
}

static void sites_find(struct site *sites)
{
	memset(sites, 0, NR_SITES * sizeof(*sites));
	for (u32 i = 0; i < nr_pages; i++)
		if (page_counts(&pages[i]))
			sites_offer(sites, pages[i].stack);
	for (u32 i = 0; i < NR_SITES; i++)
		sites[i].nr = 0;
	for (u32 i = 0; i < nr_pages; i++) {
		for (u32 s = 0; s < NR_SITES; s++)
			if (page_counts(&pages[i]) && sites[s].stack == pages[i].stack)
				sites[s].nr += 1U << pages[i].order;
	}
}

static void print_site(const struct site *site)
{
	const u32 *frames;
	u32 nr = MIN(trace_stack_frames(site->stack, &frames), 6U);
	char line[160];
	struct text text = {line, sizeof(line), 0};

	for (u32 i = 0; i < nr; i++)
		text_printf(&text, " 0x%lx", frames[i] + PHYS_OFFSET);
	kprintf("  %u pages from stack %u:%s\n", site->nr, site->stack, line);
}

/* Two functions, not inlined: together they would need too much of a kernel stack. */
static void __attribute__((noinline)) print_kinds(void)
{
	struct page_totals totals;
	char line[160];
	struct text text = {line, sizeof(line), 0};

	page_totals(&totals);
	text_printf(&text, "%lu free of %lu", totals.nr_free + totals.nr_by_kind[PK_PCP], totals.nr_managed);
	for (u32 shown = 0; shown < NR_KINDS_SHOWN; shown++) {
		u32 most = PK_FREE;

		for (u32 kind = 1; kind < PK_NR; kind++)
			if (kind != PK_PCP &&
			    (most == PK_FREE || totals.nr_by_kind[kind] > totals.nr_by_kind[most]))
				most = kind;
		if (!totals.nr_by_kind[most])
			break;
		text_printf(&text, ", %lu %s", totals.nr_by_kind[most], page_kind_name(most));
		totals.nr_by_kind[most] = 0;
	}
	kprintf("  pages: %s\n", line);
}

static void __attribute__((noinline)) print_sites(void)
{
	struct site sites[NR_SITES];

	sites_find(sites);
	for (u32 shown = 0; shown < NR_SITES_SHOWN; shown++) {
		u32 most = 0;

		for (u32 i = 1; i < NR_SITES; i++)
			if (sites[i].nr > sites[most].nr)
				most = i;
		if (!sites[most].nr)
			break;
		print_site(&sites[most]);
		sites[most].nr = 0;
	}
}

void oom_report(void)
{
	print_kinds();
	print_sites();
}
