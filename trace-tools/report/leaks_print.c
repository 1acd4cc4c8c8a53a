/* SPDX-License-Identifier: MIT */
/*
 * leaks_print: the details of the leak report as text. Its head is in leaks_head.c, the missing release in leaks_missing.c.
 *
 * The head has a sentence for each thing to mend (found.h), which may have leaked in several ways: groups, of other stacks. Here
 * the ways of one are together. What they share is said with the first; of the others, what differs:
 *
 *     inode_read_cached(): 320 pages leaked, in 5 ways
 *
 *     [1] 280 pagecache pages leaked (1.1 MiB)
 *       ...facts, stacks, the missing release, one page's life...
 *
 *     [2] 36 pagecache pages leaked (144.0 KiB)
 *       ...tests, processes, the stack of the get...
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit_report.h"
#include "base/text.h"
#include "base/util.h"
#include "found.h"
#include "leaks_parts.h"
#include "print.h"
#include "ranges.h"

#define HISTORY_HEAD 12
#define HISTORY_TAIL 12
#define RANGES_MAX 8
/* Things to mend that are printed in full; the others in one line each. */
#define FOUND_IN_FULL 8

/* ---- one group ---- */

/* "3 anon pages"; pages of a watched run have no kind: "3 pages". */
static void print_pages(const struct leaks *leaks, uint64_t nr, uint32_t kind, FILE *out)
{
	bool named = !model_run(leaks->model)->watched;

	fprintf(out, "%" PRIu64 " %s%spage%s", nr, named ? page_kind_text(kind) : "", named ? " " : "",
		plural_s(nr));
}

/* "25 objects of cache dirty leaked (1.1 KiB)" */
static void print_amount(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = leaks_item(leaks, group, 0);
	const struct cache_state *cache = model_cache(leaks->model, first->cache);
	char bytes[24];

	if (first->object)
		fprintf(out, "%zu object%s of cache %s", group->nr_items, plural_s(group->nr_items),
			cache->known ? cache->name : "?");
	else
		print_pages(leaks, group->nr_pages, first->kind, out);
	fprintf(out, " leaked (%s)\n", bytes_text(group->bytes, bytes));
}

static void print_what(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	leaks_what_happened(leaks, group, out);
	fprintf(out, ": ");
	print_amount(leaks, group, out);
}

/* Indexes of one slot in each node of a radix tree: that is where its walk goes wrong. Needs three to be no accident. */
static void print_residue(FILE *out, const uint64_t *indexes, size_t nr)
{
	for (size_t i = 1; i < nr; i++) {
		if (indexes[i] % RADIX_SLOTS != indexes[0] % RADIX_SLOTS)
			return;
	}
	if (nr >= 3)
		fprintf(out, " (each is %" PRIu64 " modulo %u)", indexes[0] % RADIX_SLOTS, RADIX_SLOTS);
}

/* "inode 12: pages 0-9" for each inode. */
static void print_inodes(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	uint64_t *keys = xcalloc(group->nr_items, sizeof(*keys)),
		 *indexes = xcalloc(group->nr_items, sizeof(*indexes));
	size_t nr = 0, printed = 0;

	for (size_t i = 0; i < group->nr_items; i++) {
		const struct leak_item *item = leaks_item(leaks, group, i);
		if (item->inode || item->inode_index)
			keys[nr++] = item->inode;
	}
	/* Inodes in order of appearance; each with the ranges of its indexes. */
	for (size_t i = 0; i < nr; i++) {
		bool seen = false;
		for (size_t k = 0; k < i && !seen; k++)
			seen = keys[k] == keys[i];
		if (seen)
			continue;
		size_t nr_indexes = 0;
		if (printed++ == RANGES_MAX) {
			fprintf(out, "             and other inodes\n");
			break;
		}
		for (size_t k = 0; k < group->nr_items; k++) {
			const struct leak_item *item = leaks_item(leaks, group, k);
			if (item->inode == keys[i])
				indexes[nr_indexes++] = item->inode_index;
		}
		fprintf(out, "  %-10s inode %" PRIu64 ", page index ", printed == 1 ? "of" : "", keys[i]);
		ranges_print(out, indexes, nr_indexes, RANGES_MAX);
		print_residue(out, indexes, nr_indexes);
		fputc('\n', out);
	}
	free(keys);
	free(indexes);
}

static void print_pids(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	uint64_t *pids = xcalloc(group->nr_items, sizeof(*pids));

	for (size_t i = 0; i < group->nr_items; i++)
		pids[i] = leaks_item(leaks, group, i)->get_pid;
	fprintf(out, "  %-10s ", "pids");
	ranges_print(out, pids, group->nr_items, RANGES_MAX);
	const char *name = model_process(leaks->model, pids[0])->name;
	fprintf(out, "%s%s%s\n", name[0] ? " (" : "", name, name[0] ? ")" : "");
	free(pids);
}

static void print_tests(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct test_mark *last = NULL;
	size_t printed = 0;

	for (size_t i = 0; i < group->nr_items && printed <= RANGES_MAX; i++) {
		const struct test_mark *test =
		    model_test_at(leaks->model, leaks_item(leaks, group, i)->get_time);
		if (!test || test == last)
			continue;
		if (last && !strcmp(test->name, last->name)) { /* the same test once more */
			last = test;
			continue;
		}
		if (printed == RANGES_MAX)
			fprintf(out, " and others");
		else
			fprintf(out, printed ? ", %s" : "  tests      %s", test->name);
		printed++;
		last = test;
	}
	if (printed)
		fputc('\n', out);
}

/* Whose numbers the references carry; a single holder is printed with the reference. */
static void print_holders(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = leaks_item(leaks, group, 0);
	uint64_t *holders = xcalloc(group->nr_items, sizeof(*holders));
	bool several = false;

	for (size_t i = 0; i < group->nr_items; i++) {
		holders[i] = leaks_item(leaks, group, i)->holder;
		several = several || holders[i] != first->holder;
	}
	if (several && first->ref != REF_NONE) {
		fprintf(out, "  %-10s %s ", "holders", ref_holder_text(first->ref));
		ranges_print(out, holders, group->nr_items, RANGES_MAX);
		fputc('\n', out);
	}
	free(holders);
}

static void print_reference(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = leaks_item(leaks, group, 0);
	char time[24];

	/* A watched kernel's references have no names: its pages are judged by what reaches them. */
	if (leak_is_object(first) || model_run(leaks->model)->watched)
		return;
	fprintf(out, "  %-10s ", "reference");
	if (first->ref == REF_NONE) {
		fprintf(out, "none is open: the count is 0, and the page was never freed\n");
		return;
	}
	print_holder(out, leaks->model, first->ref, first->holder, first->index);
	if (first->holder_died)
		fprintf(out, ", which ended at %s s", time_text(first->holder_died, time));
	fprintf(out, "; %" PRIu64 " of this type never released\n", group->nr_refs);
	if (first->by_audit && first->count < first->nr_open)
		fprintf(out, "  %-10s in memory it is %u: it was lowered without releasing a reference\n",
			"count", first->count);
}

/* ---- one page's life ---- */

static void print_life(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct page_history *history = &group->history;
	char time[24];

	if (!history->nr)
		return;
	fprintf(out, "  the oldest of them, page 0x%x, since its allocation\n", history->pfn);
	for (size_t i = 0; i < history->nr; i++) {
		const struct trace_record *record = &history->records[i];
		const struct trace_payload_page *event = &record->payload.ev_payload_page_alloc;
		if (i == HISTORY_HEAD && history->nr > HISTORY_HEAD + HISTORY_TAIL) {
			fprintf(out, "    ... %zu record%s ...\n", history->nr - HISTORY_HEAD - HISTORY_TAIL,
				plural_s(history->nr - HISTORY_HEAD - HISTORY_TAIL));
			i = history->nr - HISTORY_TAIL - 1;
			continue;
		}
		fprintf(out, "    %s %-10s %2u -> %-2u pid %-3u ", time_text(record->time, time),
			event_info(record->event)->name, event->before, event->after, event->pid);
		print_record_reference(out, leaks->model, record);
		fprintf(out, "  in %s\n", stack_table_function(leaks->stacks, record->stack));
	}
}

static void print_evidence(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	fprintf(out, "  evidence: ");
	leaks_evidence(leaks, group, out);
	fputc('\n', out);
}

static void print_facts(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = leaks_item(leaks, group, 0);
	char from[24], to[24];

	fprintf(out, "  %-10s %s: %s\n", "verdict", verdict_text(first->verdict),
		verdict_help(first->verdict));
	print_inodes(leaks, group, out);
	print_reference(leaks, group, out);
	print_holders(leaks, group, out);
	fprintf(out, "  %-10s %s to %s s\n", leak_is_object(first) ? "allocated" : "acquired",
		time_text(group->first_time, from), time_text(group->last_time, to));
	print_tests(leaks, group, out);
	print_pids(leaks, group, out);
	if (leaks->nr_followed)
		fprintf(out,
			"  detected by: audit %" PRIu64 ", trace %" PRIu64 ", pointers %" PRIu64 " of %zu\n",
			group->nr_by_audit, group->nr_by_trace, group->nr_by_pointers, group->nr_items);
	else if (!model_run(leaks->model)->watched)
		fprintf(out, "  detected by: audit %" PRIu64 ", trace %" PRIu64 " of %zu\n",
			group->nr_by_audit, group->nr_by_trace, group->nr_items);
}

static void print_stacks(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = leaks_item(leaks, group, 0);

	fprintf(out, "  allocated by %s\n", stack_table_function(leaks->stacks, first->alloc_stack));
	stack_table_print(leaks->stacks, first->alloc_stack, "      ", out);
	if (!leak_is_object(first) && first->get_stack != first->alloc_stack) {
		fprintf(out, "  unmatched get by %s\n",
			stack_table_function(leaks->stacks, first->get_stack));
		stack_table_print(leaks->stacks, first->get_stack, "      ", out);
	} else if (!first->object && !model_run(leaks->model)->watched) {
		fprintf(out, "  unmatched get: the first reference, of the allocation\n");
	}
}

/* ---- one thing to mend ---- */

static char *what_text(const struct leaks *leaks, size_t number)
{
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	leaks_what_happened(leaks, &leaks->groups[number], out);
	return text_end(&buffer);
}

/* The sentence and its evidence, but where they are those of what it belongs to, and were said. */
static void print_headline(const struct leaks *leaks, size_t number, const struct found *found, FILE *out)
{
	const struct leak_group *group = &leaks->groups[number];
	char *what = what_text(leaks, number), *common = what_text(leaks, found->group),
	     *evidence = leaks_evidence_text(leaks, group);
	bool several = found->nr_groups > 1;

	fprintf(out, "\n[%zu] ", number + 1);
	if (!several || strcmp(what, common) != 0)
		fprintf(out, "%s: ", what);
	print_amount(leaks, group, out);
	if (!several || strcmp(evidence, found->evidence) != 0)
		print_evidence(leaks, group, out);
	free(what);
	free(common);
	free(evidence);
}

static void print_in_full(const struct leaks *leaks, size_t number, const struct found *found, FILE *out)
{
	const struct leak_group *group = &leaks->groups[number];

	print_headline(leaks, number, found, out);
	print_facts(leaks, group, out);
	print_stacks(leaks, group, out);
	leaks_print_missing(leaks, group, out);
	print_life(leaks, group, out);
}

/* A further way in which the same leaked: what is its own. */
static void print_way(const struct leaks *leaks, size_t number, const struct found *found, FILE *out)
{
	const struct leak_group *group = &leaks->groups[number];
	const struct leak_item *first = leaks_item(leaks, group, 0);

	print_headline(leaks, number, found, out);
	print_inodes(leaks, group, out);
	print_tests(leaks, group, out);
	print_pids(leaks, group, out);
	fprintf(out, "  %s by %s\n",
		first->get_stack == first->alloc_stack || leak_is_object(first) ? "allocated"
										: "unmatched get",
		stack_table_function(leaks->stacks, first->get_stack));
	stack_table_print(leaks->stacks, first->get_stack, "      ", out);
}

static void print_found(const struct leaks *leaks, const struct found_list *list, const struct found *found,
			bool all, FILE *out)
{
	if (found->nr_groups > 1) {
		fprintf(out, "\n%s(): ", leaks->groups[found->group].missing.suspect);
		found_print_amount(found->nr_pages, found->nr_objects, out);
		found_print_ways(found, out);
		fputc('\n', out);
	}
	for (size_t g = found->group; g < leaks->nr_groups; g++) {
		if (found_of_group(list, leaks, g) != found)
			continue;
		if (all || g == found->group)
			print_in_full(leaks, g, found, out);
		else
			print_way(leaks, g, found, out);
	}
}

/* A line each. */
static void print_others(const struct leaks *leaks, const struct found_list *list, size_t from, FILE *out)
{
	size_t nr_groups = 0;

	for (size_t i = from; i < list->nr; i++)
		nr_groups += list->all[i].nr_groups;
	if (!nr_groups)
		return;
	fprintf(out, "\n%zu more group%s (--all prints them in full):\n", nr_groups, plural_s(nr_groups));
	for (size_t i = from; i < list->nr; i++) {
		const struct found *found = &list->all[i];
		if (!found->nr_groups)
			continue;
		fprintf(out, "  [%zu] ", found->group + 1);
		fputs(found->sentence, out);
		found_print_ways(found, out);
		fputc('\n', out);
	}
}

/* ---- the rest ---- */

/* "\n    put() releases what was not acquired: pagecache page 0x80f12, io of pid 4, 25 times" */
static void print_mispaired(const struct leaks *leaks, const struct leak_incident *incident, FILE *out)
{
	const struct mispaired *one = incident->mispaired;

	fprintf(out, "\n    %s() %s: ", stack_table_function(leaks->stacks, one->call.stack),
		mispaired_text(one->how));
	if (one->object)
		fprintf(out, "object 0x%" PRIx64 " of cache %s, ", (uint64_t)one->where * 8,
			model_cache(leaks->model, one->cache)->name);
	else
		fprintf(out, "page 0x%x, ", one->where);
	print_holder(out, leaks->model, one->call.ref, one->call.holder, one->call.index);
	fprintf(out, ", by pid %u, %" PRIu64 " time%s", one->call.pid, one->count, plural_s(one->count));
	if (one->left_stack)
		fprintf(out, "\n    %s() acquired it as %s, which stays open; the wrong one is %s()",
			stack_table_function(leaks->stacks, one->left_stack), ref_kind_text(one->left_ref),
			incident->suspect);
}

static void print_incidents(const struct leaks *leaks, FILE *out)
{
	const struct model *model = leaks->model;
	char time[24];

	if (leaks->ram_audit)
		audit_report_findings(leaks->ram_audit, out);
	if (!leaks->nr_incidents)
		return;
	fprintf(out, "\nfindings other than leaks:\n");
	for (size_t i = 0; i < leaks->nr_incidents; i++) {
		const struct trace_record *record = &leaks->incidents[i].record;
		const struct trace_payload_finding *finding = &record->payload.ev_payload_finding;
		fprintf(out, "  %s %s: %s", time_text(record->time, time), verdict_text(record->kind),
			verdict_help(record->kind));
		if (leaks->incidents[i].mispaired)
			print_mispaired(leaks, &leaks->incidents[i], out);
		else if (model_run(model)->watched && record->kind == VERDICT_POISON)
			fprintf(out, ": page 0x%x, offset 0x%x, 0x%x -> 0x%x (low 16 bits), pid %u",
				finding->where, finding->index, finding->count, finding->claims,
				finding->pid);
		else if (model_run(model)->watched)
			fprintf(out, ": page 0x%x", finding->where);
		else if (finding->where) /* the sums and the invariants belong to no page */
			fprintf(out, ": %s 0x%x, count %u, claims %u, pid %u",
				record->flags ? "object" : "page", finding->where, finding->count,
				finding->claims, finding->pid);
		fprintf(out, "\n");
		if (record->stack)
			stack_table_print(leaks->stacks, record->stack, "      ", out);
	}
}

static void print_growth(const struct leaks *leaks, bool all, FILE *out)
{
	const struct growth *growth = &leaks->growth;

	if (!growth->nr)
		return;
	fprintf(out, "\nwhat grew from test to test; none of it is counted as leaked:\n");
	for (size_t i = 0; i < growth->nr; i++) {
		fprintf(out, "  ");
		growth_print(leaks, &growth->items[i], out);
		fputc('\n', out);
		if (all || i < FOUND_IN_FULL)
			stack_table_print(leaks->stacks, growth->items[i].stack, "      ", out);
	}
}

void leaks_print_part(const struct leaks *leaks, enum leaks_part part, size_t number, FILE *out)
{
	const struct leak_group *group = part < PART_WHAT ? NULL : &leaks->groups[number];

	switch (part) {
	case PART_HEAD:
		leaks_print_head(leaks, out);
		break;
	case PART_REST:
		print_incidents(leaks, out);
		print_growth(leaks, false, out);
		break;
	case PART_WHAT:
		print_what(leaks, group, out);
		break;
	case PART_FACTS:
		print_evidence(leaks, group, out);
		print_facts(leaks, group, out);
		break;
	case PART_MISSING:
		leaks_print_missing(leaks, group, out);
		break;
	case PART_LIFE:
		print_life(leaks, group, out);
		break;
	}
}

void leaks_print(const struct leaks *leaks, bool all, FILE *out)
{
	struct found_list list = found_list_make(leaks);
	size_t nr = 0;

	leaks_print_head(leaks, out);
	for (; nr < list.nr && (all || nr < FOUND_IN_FULL); nr++) {
		if (list.all[nr].nr_groups)
			print_found(leaks, &list, &list.all[nr], all, out);
	}
	print_others(leaks, &list, nr, out);
	found_list_free(&list);
	print_incidents(leaks, out);
	print_growth(leaks, all, out);
}
