/* SPDX-License-Identifier: MIT */
/*
 * Every page of RAM: /proc/pages, a line of text for each block, and Linux's /proc/kpagecount and
 * /proc/kpageflags, an u64 for each page by its number (Documentation/admin-guide/mm/pagemap.rst). Page numbers
 * begin where physical addresses do, so the first 0x80000 entries, which are no RAM, say so.
 *
 * Pages are looked at without locks: each entry is right at some instant, the file as a whole is not one instant.
 */
#include "procfs_priv.h"

/* Linux's numbers (include/uapi/linux/kernel-page-flags.h). */
enum {
	KPF_LOCKED = 0,
	KPF_REFERENCED = 2,
	KPF_UPTODATE = 3,
	KPF_DIRTY = 4,
	KPF_LRU = 5,
	KPF_SLAB = 7,
	KPF_WRITEBACK = 8,
	KPF_BUDDY = 10,
	KPF_MMAP = 11,
	KPF_ANON = 12,
	KPF_COMPOUND_HEAD = 15,
	KPF_COMPOUND_TAIL = 16,
	KPF_NOPAGE = 20,
	KPF_PGTABLE = 26,
};

static const struct {
	u8 state; /* PAGE_* */
	u8 flag;  /* KPF_* */
} cache_flags[] = {
    {PAGE_LOCKED, KPF_LOCKED}, {PAGE_RECENT, KPF_REFERENCED},   {PAGE_UPTODATE, KPF_UPTODATE},
    {PAGE_DIRTY, KPF_DIRTY},   {PAGE_WRITEBACK, KPF_WRITEBACK}, {PAGE_ON_LRU, KPF_LRU},
};

/* The page that speaks for this one: the head of its block. */
static const struct page *page_head(const struct page *page)
{
	return page->order == PAGE_BODY && pfn_valid(page->owner.index) ? pfn_to_page(page->owner.index)
									: page;
}

static u64 page_flags(const struct page *page)
{
	const struct page *head = page_head(page);
	u64 flags = 0;

	switch (head->kind) {
	case PK_FREE:
		return 1UL << KPF_BUDDY;
	case PK_ANON:
		flags = 1UL << KPF_ANON | 1UL << KPF_MMAP;
		break;
	case PK_SLAB:
		flags = 1UL << KPF_SLAB;
		break;
	case PK_PAGETABLE:
		flags = 1UL << KPF_PGTABLE;
		break;
	case PK_PAGECACHE:
		for (u32 i = 0; i < ARRAY_SIZE(cache_flags); i++)
			if (head->state & cache_flags[i].state)
				flags |= 1UL << cache_flags[i].flag;
		break;
	}
	if (head != page)
		flags |= 1UL << KPF_COMPOUND_TAIL;
	else if (head->order)
		flags |= 1UL << KPF_COMPOUND_HEAD;
	return flags;
}

static u64 page_references(const struct page *page)
{
	return (u64)MAX(page_count(page_head(page)), 0);
}

/* Entries [first, first + nr_wanted), as far as RAM goes: `outside` for what is none. */
static s64 fill_entries(u64 first, u64 *buffer, u64 nr_wanted, u64 outside,
			u64 (*entry)(const struct page *page))
{
	u64 end = MIN(first + nr_wanted, (u64)first_pfn + nr_pages);

	if (first >= end)
		return 0;
	for (u64 pfn = first; pfn < end; pfn++)
		buffer[pfn - first] = pfn_valid((pfn_t)pfn) ? entry(pfn_to_page((pfn_t)pfn)) : outside;
	return (s64)(end - first);
}

static s64 kpagecount_entries(struct proc_file *file, u64 first, u64 *buffer, u64 nr_wanted)
{
	return fill_entries(first, buffer, nr_wanted, 0, page_references);
}

static s64 kpageflags_entries(struct proc_file *file, u64 first, u64 *buffer, u64 nr_wanted)
{
	return fill_entries(first, buffer, nr_wanted, 1UL << KPF_NOPAGE, page_flags);
}

/* cursor[1]: whether the heading was given; cursor[0]: the next page's number in RAM. */
static bool pages_record(struct proc_file *file, struct text *text)
{
	if (!file->cursor[1]) {
		file->cursor[1] = 1;
		text_printf(text, "%-8s %5s %-10s %5s %5s %6s of\n", "pfn", "order", "kind", "count", "pid",
			    "stack");
		return true;
	}
	for (; file->cursor[0] < nr_pages; file->cursor[0]++) {
		const struct page *page = &pages[file->cursor[0]];

		if (page->order == PAGE_BODY)
			continue;
		text_printf(text, "0x%-6x %5u %-10s %5d %5u %6u", page_to_pfn(page), page->order,
			    page_kind_name(page->kind), page_count(page), page->pid, page->stack);
		if (page->kind == PK_PAGECACHE)
			text_printf(text, " inode %u index %u", page->owner.id, page->owner.index);
		text_printf(text, "\n");
		file->cursor[0]++;
		return true;
	}
	return false;
}

const struct proc_node pages_node = {.name = "pages", .mode = 0444, .record = pages_record};
const struct proc_node kpagecount_node = {.name = "kpagecount", .mode = 0444, .entries = kpagecount_entries};
const struct proc_node kpageflags_node = {.name = "kpageflags", .mode = 0444, .entries = kpageflags_entries};
