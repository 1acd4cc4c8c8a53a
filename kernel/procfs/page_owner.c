/*
 * /proc/page_owner: every block in use whose allocation stack is known, as Linux's page_owner prints it, and
 * /proc/stacks: the depot. Both are read record by record; the cursor is the page's number in RAM, or the
 * stack's.
 *
 * Pages are looked at without locks: each record is right at some instant, the file as a whole is not one
 * instant.
 */
#include "procfs_priv.h"

void procfs_print_frames(struct text *text, const u32 *frames, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		text_printf(text, " 0x%lx\n", frames[i] + PHYS_OFFSET);
}

static bool page_owner_record(struct proc_file *file, struct text *text)
{
	for (; file->cursor[0] < nr_pages; file->cursor[0]++) {
		const struct page *page = &pages[file->cursor[0]];
		const u32 *frames;
		u32 nr;

		if (page_count(page) <= 0 || page->order == PAGE_BODY || !page->stack)
			continue;
		text_printf(text, "Page allocated via order %u, mask 0x0(%s), pid %u, tgid %u\n", page->order,
			    page_kind_name(page->kind), page->pid, page->pid);
		text_printf(text, "PFN %u kind %s count %d stack %u", page_to_pfn(page),
			    page_kind_name(page->kind), page_count(page), page->stack);
		if (page->kind == PK_PAGECACHE)
			text_printf(text, " inode %u index %u", page->owner.id, page->owner.index);
		text_printf(text, "\n");
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
