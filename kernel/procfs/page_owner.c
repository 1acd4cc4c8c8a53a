/* SPDX-License-Identifier: MIT */
/*
 * /proc/page_owner: every block in use whose allocation stack is known, and /proc/stacks: the depot. Both are read record
 * by record; the cursor is the page's number in RAM, or the stack's.
 *
 * A record has Linux's lines (6.1, Documentation/mm/page_owner.rst), so that tools for that file read this one, too:
 *
 *     Page allocated via order 0, mask 0x0(anon), pid 5, tgid 5 (sh), ts 0 ns, free_ts 0 ns
 *     PFN 525123 type anon Block 1025 type anon Flags 0x0(count 1 stack 113)
 *      0xffffffc08020a31c
 *      ...
 *
 * The kind of page stands for the mask and the types. The name is the task's that has the pid now, "?" if none has. When
 * a page was allocated, and last freed before, is known with the boot argument page_owner=on (page_times), as nanoseconds since
 * boot; else both are 0.
 *
 * Pages are looked at without locks: each record is right at some instant, the file as a whole is not one
 * instant.
 */
#include "procfs_priv.h"
#include <kernel/sched.h>

void procfs_print_frames(struct text *text, const u32 *frames, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		text_printf(text, " 0x%lx\n", frames[i] + PHYS_OFFSET);
}

#define BLOCK_ORDER 9 /* Linux's page blocks: 2 MiB */

static u64 since_boot_ns(u64 time)
{
	return time > trace_desc.boot_time ? (time - trace_desc.boot_time) * (1000000000 / TIME_HZ) : 0;
}

static void print_owner(struct text *text, const struct page *page)
{
	const struct page_times times = page_times ? page_times[page - pages] : (struct page_times){0};
	const char *kind = page_kind_name(page->kind);
	char name[TASK_NAME_BYTES];

	procfs_task_name(page->pid, name);
	text_printf(
	    text,
	    "Page allocated via order %u, mask 0x0(%s), pid %u, tgid %u (%s), ts %lu ns, free_ts %lu ns\n",
	    page->order, kind, page->pid, page->pid, name, since_boot_ns(times.allocated),
	    since_boot_ns(times.freed));
	text_printf(text, "PFN %u type %s Block %u type %s Flags 0x0(count %d stack %u", page_to_pfn(page),
		    kind, page_to_pfn(page) >> BLOCK_ORDER, kind, page_count(page), page->stack);
	if (page->kind == PK_PAGECACHE)
		text_printf(text, " inode %u index %u", page->owner.id, page->owner.index);
	text_printf(text, ")\n");
}

static bool page_owner_record(struct proc_file *file, struct text *text)
{
	for (; file->cursor[0] < nr_pages; file->cursor[0]++) {
		const struct page *page = &pages[file->cursor[0]];
		const u32 *frames;
		u32 nr;

		if (page_count(page) <= 0 || page->order == PAGE_BODY || !page->stack)
			continue;
		print_owner(text, page);
		nr = trace_stack_frames(page->stack, &frames);
		procfs_print_frames(text, frames, nr);
		text_printf(text, "\n");
		file->cursor[0]++;
		return true;
	}
	return false;
}

static bool stacks_record(struct proc_file *file, struct text *text)
{
	const u32 *frames;
	u32 nr;

	if (file->cursor[0] >= trace_nr_stacks())
		return false;
	nr = trace_stack_frames((u32)++file->cursor[0], &frames);
	text_printf(text, "stack %lu\n", file->cursor[0]);
	procfs_print_frames(text, frames, nr);
	text_printf(text, "\n");
	return true;
}

const struct proc_node page_owner_node = {.name = "page_owner", .mode = 0444, .record = page_owner_record};
const struct proc_node stacks_node = {.name = "stacks", .mode = 0444, .record = stacks_record};
