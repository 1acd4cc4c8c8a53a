/* SPDX-License-Identifier: MIT */
/*
 * /proc/allocinfo: what each call site has in use, in the columns of Linux's file of that name (version 1.0): bytes,
 * blocks, and a tag. Linux's tag is file, line and function; ours is the innermost return address and the stack's
 * number, which /proc/stacks, `pagetrail` and gdb turn into names. Pages only: objects lie in the pages of kind slab.
 */
#include "procfs_priv.h"

struct site {
	u32 nr_blocks;
	u32 nr_pages;
};

static void count_sites(struct site *sites, u32 nr_sites)
{
	memset(sites, 0, nr_sites * sizeof(*sites));
	for (u32 i = 0; i < nr_pages; i++) {
		const struct page *page = &pages[i];
		u32 stack = page->stack;
		/* Once: without a lock it may be another by the second look. */
		u8 order = __atomic_load_n(&page->order, __ATOMIC_RELAXED);

		/* A free page's stack is of him who freed it. */
		if (order > PAGE_MAX_ORDER || page_count(page) <= 0 || stack >= nr_sites)
			continue;
		sites[stack].nr_blocks++;
		sites[stack].nr_pages += 1U << order;
	}
}

static int allocinfo_show(struct proc_file *file, struct text *text)
{
	u32 nr_sites = trace_nr_stacks() + 1; /* number 0: allocated before there was a depot */
	struct holder holder = HOLDER(current_task()->pid, 0);
	u32 order = 0;
	struct page *block;
	struct site *sites;

	while ((PAGE_SIZE << order) < nr_sites * sizeof(*sites))
		order++;
	block = page_alloc(order, PK_KERNEL, REF_OWNER, holder, 0);
	if (!block)
		return -ENOMEM;
	sites = page_to_va(block);
	count_sites(sites, nr_sites);
	text_printf(text, "allocinfo - version: 1.0\n#     <size>  <calls> <tag info>\n");
	for (u32 stack = 0; stack < nr_sites; stack++) {
		const u32 *frames;

		if (!sites[stack].nr_blocks)
			continue;
		text_printf(text, "%12lu %8u ", sites[stack].nr_pages * PAGE_SIZE, sites[stack].nr_blocks);
		if (stack && trace_stack_frames(stack, &frames))
			text_printf(text, "0x%lx stack:%u\n", frames[0] + PHYS_OFFSET, stack);
		else
			text_printf(text, "unknown\n");
	}
	page_put(block, REF_OWNER, holder);
	return 0;
}

const struct proc_node allocinfo_node = {
    .name = "allocinfo", .mode = 0444, .order = 2, .show = allocinfo_show};
