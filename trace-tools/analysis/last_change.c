/* SPDX-License-Identifier: MIT */
/*
 * last_change: what released a leaked page last, where no reference has a name.
 *
 * A watched kernel's references have no kinds and no holders, and often no release was ever correct: comparing with other lives says
 * little. But each change of a page's count and each page-table entry that named it is in the trace. After the last one that
 * went away, nothing led to the page any more; so it leaked there, or in a caller of that. Which of the two, other lives show:
 *
 *     leaked      uvmunmap < sys_munmap       14 pages
 *     freed       uvmunmap < uvmfree          hundreds
 *
 * uvmunmap also releases pages that are freed in the end, sys_munmap never: sys_munmap is the suspect. In general the suspect is
 * the innermost function at which no correct life's last change has the same functions so far.
 *
 * LAST-1  A page whose last change is the entry or the count that came with its allocation was never released: no suspect.
 * LAST-2  Where correct lives went the very same way to the end, there is no suspect.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ctf/merge.h"
#include "suspect.h"

struct last_changes {
	const struct leaks *leaks;
	uint32_t first_pfn, nr_pages;
	uint32_t *stacks;   /* by page: of the last put or unmapping of its life; 0: none */
	bool *is_unmapping; /* by page: of that */
	uint64_t *correct;  /* by stack: lives that ended well and whose last change it was */
	uint32_t nr_stacks;
};

static void take(struct last_changes *changes, const struct trace_record *record)
{
	uint32_t i = record->payload.ev_payload_page_put.pfn - changes->first_pfn;

	if (i >= changes->nr_pages)
		return;
	switch (record->event) {
	case EV_page_alloc:
		changes->stacks[i] = 0;
		break;
	case EV_page_put:
	case EV_page_unmap:
		changes->stacks[i] = record->stack;
		changes->is_unmapping[i] = record->event == EV_page_unmap;
		break;
	case EV_page_free:
		if (changes->stacks[i] < changes->nr_stacks)
			changes->correct[changes->stacks[i]]++;
		changes->stacks[i] = 0;
		break;
	}
}

static void take_all(void *changes, const struct trace_record *records, size_t nr, uint32_t hart)
{
	for (size_t i = 0; i < nr; i++)
		take(changes, &records[i]);
}

/* Some correct life's last change came the same way up to frame `upto`. */
static bool is_correct_way(const struct last_changes *changes, const struct stack_view *leaked, uint32_t upto)
{
	for (uint32_t id = 1; id < changes->nr_stacks; id++) {
		const struct stack_view *view =
		    changes->correct[id] ? stack_table_get(changes->leaks->stacks, id) : NULL;
		uint32_t i = 0;
		while (view && i <= upto && i < view->nr &&
		       !strcmp(view->frames[i].function, leaked->frames[i].function))
			i++;
		if (view && i > upto)
			return true;
	}
	return false;
}

/* leaked->nr: no suspect. */
static uint32_t suspect_frame(const struct last_changes *changes, const struct stack_view *leaked)
{
	uint32_t i = leaked->site;

	while (i < leaked->nr && is_correct_way(changes, leaked, i))
		i++;
	return i;
}

void last_change_find(struct leaks *leaks)
{
	uint32_t nr_sites;
	struct last_changes changes = {.leaks = leaks,
				       .first_pfn = model_first_pfn(leaks->model),
				       .nr_pages = model_nr_pages(leaks->model)};

	model_sites(leaks->model, &nr_sites);
	changes.nr_stacks = nr_sites;
	changes.stacks = xcalloc(changes.nr_pages, sizeof(*changes.stacks));
	changes.is_unmapping = xcalloc(changes.nr_pages, sizeof(*changes.is_unmapping));
	changes.correct = xcalloc(nr_sites, sizeof(*changes.correct));
	merge_visit(model_run(leaks->model), NULL, take_all, &changes);
	for (size_t i = 0; i < leaks->nr_items; i++) {
		struct leak_item *item = &leaks->items[i];
		uint32_t page = item->where - changes.first_pfn;
		if (item->object || page >= changes.nr_pages || !changes.stacks[page])
			continue;
		item->let_go_stack = changes.stacks[page];
		item->was_unmapping = changes.is_unmapping[page];
		item->let_go_frame =
		    suspect_frame(&changes, stack_table_get(leaks->stacks, item->let_go_stack));
	}
	free(changes.stacks);
	free(changes.is_unmapping);
	free(changes.correct);
}

const char *last_change_suspect(const struct leaks *leaks, const struct leak_item *item)
{
	const struct stack_view *view = stack_table_get(leaks->stacks, item->let_go_stack);

	return item->let_go_stack && item->let_go_frame < view->nr ? view->frames[item->let_go_frame].function
								   : NULL;
}

/* A group's items have one suspect. */
bool suspect_by_last_change(const struct suspect_case *one, struct suspect_candidate *out)
{
	const struct leak_item *first = one->item;
	const struct stack_view *view = stack_table_get(one->leaks->stacks, first->let_go_stack);

	if (!first->let_go_stack)
		return false;
	*out = (struct suspect_candidate){.rule = SUSPECT_LAST_CHANGE,
					  .says = {.how = MISSING_LAST_CHANGE,
						   .later_put = first->let_go_stack,
						   .later_nr = one->group->nr_items,
						   .later_total = one->group->nr_items}};
	suspect_set(&out->says, view, first->let_go_frame);
	return true;
}
