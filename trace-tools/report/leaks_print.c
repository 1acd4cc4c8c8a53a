/* SPDX-License-Identifier: MIT */
/* leaks_print: the groups of the leak report as text; its head is in leaks_head.c, what it reports is found in analysis/. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit_report.h"
#include "base/util.h"
#include "leaks_text.h"
#include "print.h"
#include "ranges.h"

#define HISTORY_HEAD 12
#define HISTORY_TAIL 12
#define RANGES_MAX 8
/* Groups printed in full; the others in one line each. */
#define GROUPS_IN_FULL 8

static const struct leak_item *group_item(const struct leaks *leaks, const struct leak_group *group, size_t i)
{
	return &leaks->items[group->items[i]];
}

/* ---- one group ---- */

/* "3 anon pages"; pages of a watched run have no kind: "3 pages". */
static void print_pages(const struct leaks *leaks, uint64_t nr, uint32_t kind, FILE *out)
{
	bool named = !model_run(leaks->model)->watched;

	fprintf(out, "%" PRIu64 " %s%spage%s", nr, named ? page_kind_text(kind) : "", named ? " " : "",
		nr == 1 ? "" : "s");
}

/* "25 objects of cache dirty leaked (1.1 KiB)" */
static void print_amount(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = group_item(leaks, group, 0);
	const struct cache_state *cache = model_cache(leaks->model, first->cache);
	char bytes[24];

	if (first->object)
		fprintf(out, "%zu object%s of cache %s", group->nr_items, group->nr_items == 1 ? "" : "s",
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
		const struct leak_item *item = group_item(leaks, group, i);
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
			const struct leak_item *item = group_item(leaks, group, k);
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
		pids[i] = group_item(leaks, group, i)->get_pid;
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
		    model_test_at(leaks->model, group_item(leaks, group, i)->get_time);
		if (!test || test == last)
			continue;
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
	const struct leak_item *first = group_item(leaks, group, 0);
	uint64_t *holders = xcalloc(group->nr_items, sizeof(*holders));
	bool several = false;

	for (size_t i = 0; i < group->nr_items; i++) {
		holders[i] = group_item(leaks, group, i)->holder;
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
	const struct leak_item *first = group_item(leaks, group, 0);
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

/* ---- the missing release ---- */

/* Where others were released: on the same path, of the same get, or acquired by the same function. */
static void print_compared(const struct leaks *leaks, const struct missing_release *missing,
			   const char *released, FILE *out)
{
	if (missing->how == MISSING_SAME_FUNCTION) {
		fprintf(out,
			"    None acquired on this path was ever %s. %" PRIu64 " of %" PRIu64
			" that %s acquired for other callers\n    were %s by %s",
			released, missing->nr, missing->total, missing->getter, released, missing->putter);
		if (missing->example)
			fprintf(out, ", called by %s, which also called the get", missing->example);
		fprintf(out, ":\n");
	} else {
		fprintf(out, "    %s were %s %" PRIu64 " times, %" PRIu64 " of them by %s:\n",
			missing->how == MISSING_SAME_PATH ? "Others of the same path"
							  : "Others of the same get",
			released, missing->total, missing->nr, missing->putter);
	}
	stack_table_print(leaks->stacks, missing->put_stack, "      ", out);
}

static void print_later_put(const struct leaks *leaks, const struct missing_release *missing, FILE *out)
{
	if (missing->total)
		fprintf(out,
			"    %" PRIu64 " other objects of this type were freed, %" PRIu64 " of them by %s.\n",
			missing->total, missing->nr, missing->putter);
	else
		fprintf(out, "    No object of this type was ever freed in this run.\n");
	fprintf(out,
		"    For %" PRIu64 " of %" PRIu64
		" leaked objects, the dirty reference of their page was released here, and the\n"
		"    object was not freed:\n",
		missing->later_nr, missing->later_total);
	stack_table_print(leaks->stacks, missing->later_put, "      ", out);
}

static void print_place_reused(const struct leaks *leaks, const struct missing_release *missing, uint8_t ref,
			       FILE *out)
{
	fprintf(out,
		"    For %" PRIu64 " of %" PRIu64
		" the place that held the page (the %s of the same holder and index) was\n"
		"    given another page here, and the reference stayed open:\n",
		missing->later_nr, missing->later_total, ref_kind_text(ref));
	stack_table_print(leaks->stacks, missing->later_put, "      ", out);
	if (missing->total)
		fprintf(out,
			"    (%" PRIu64 " others of this type were released, %" PRIu64 " of them by %s.)\n",
			missing->total, missing->nr, missing->putter);
}

static void print_nothing_to_compare(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = group_item(leaks, group, 0);

	fprintf(out,
		"    No %s of this type was ever %s in this run, so there is nothing to compare with.\n"
		"    The unmatched %s is in %s, called as shown above.\n",
		leak_is_object(first) ? "object" : "reference", leak_is_object(first) ? "freed" : "released",
		leak_is_object(first) ? "allocation" : "get",
		stack_table_function(leaks->stacks, first->get_stack));
}

/* The frame of a stack that asked for it: "lookup (file.c:1)". */
static void print_site(const struct leaks *leaks, uint32_t stack, FILE *out)
{
	const struct stack_view *view = stack_table_get(leaks->stacks, stack);
	char place[256];

	fprintf(out, "%s", stack_table_function(leaks->stacks, stack));
	if (view->site < view->nr && frame_place(&view->frames[view->site], place, sizeof(place))[0])
		fprintf(out, " (%s)", place);
}

void leaks_confidence(const struct missing_release *missing, FILE *out)
{
	uint32_t named, right, nr_agree = 0;

	suspect_rule_measured(missing->rule, &named, &right);
	for (size_t i = 0; i < CONSIDERED_MAX && missing->considered[i].rule; i++)
		nr_agree += missing->considered[i].rule != missing->rule && missing->considered[i].function &&
			    !strcmp(missing->considered[i].function, missing->suspect);
	fprintf(out, "%s: rule %s named the right function in %u of %u known mistakes",
		missing->confidence == CONFIDENCE_CERTAIN ? "CERTAIN" : "LIKELY",
		suspect_rule_name(missing->rule), right, named);
	if (nr_agree)
		fprintf(out, "; %u other rule%s name%s it, too", nr_agree, nr_agree == 1 ? "" : "s",
			nr_agree == 1 ? "s" : "");
}

/* Who it was, and how far that is known; else where to start. */
static void print_suspect(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct missing_release *missing = &group->missing;
	const struct leak_item *first = group_item(leaks, group, 0);

	if (missing->suspect) {
		fprintf(out, "    suspect: %s", missing->suspect);
		if (missing->suspect_place && missing->suspect_place[0])
			fprintf(out, " (%s)", missing->suspect_place);
		if (missing->suspect_caller)
			fprintf(out, ", called by %s", missing->suspect_caller);
		fprintf(out, "\n    ");
		leaks_confidence(missing, out);
		fputc('\n', out);
		return;
	}
	fprintf(out, "    no suspect is named: no rule is good enough. Start here: acquired by ");
	print_site(leaks, first->get_stack, out);
	if (group->history.nr) {
		fprintf(out, ", last seen in ");
		print_site(leaks, group->history.records[group->history.nr - 1].stack, out);
	}
	fputc('\n', out);
}

/* The baseline's lines are those of another build: it has none. */
static void print_baseline_path(const struct leaks *leaks, uint32_t put, FILE *out)
{
	const struct call_tree *tree = leaks->query->baseline->tree;

	for (uint32_t at = call_tree_site(tree, put); at; at = tree->nodes[at].parent)
		fprintf(out, "      %s\n", call_tree_function(tree, at));
}

static void print_missing(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = group_item(leaks, group, 0);
	const struct missing_release *missing = &group->missing;
	const char *released = leak_is_object(first) ? "freed" : "released";

	fprintf(out, "  missing %s\n", leak_is_object(first) ? "free" : "release");
	switch (missing->how) {
	case MISSING_SAME_PATH:
	case MISSING_SAME_GET:
	case MISSING_SAME_FUNCTION:
		print_compared(leaks, missing, released, out);
		break;
	case MISSING_LATER_PUT:
		print_later_put(leaks, missing, out);
		break;
	case MISSING_PLACE_REUSED:
		print_place_reused(leaks, missing, first->ref, out);
		break;
	case MISSING_HOLDER_END:
		fprintf(out, "    No reference of this type was ever released in this run. The holder ended "
			     "here, and the\n    reference stayed open:\n");
		stack_table_print(leaks->stacks, missing->end_stack, "      ", out);
		break;
	case MISSING_LAST_CHANGE:
		fprintf(out, "    %s here, and nothing led to the page any more:\n",
			first->was_unmapping ? "The last page-table entry went"
					     : "The count was last lowered");
		stack_table_print(leaks->stacks, missing->later_put, "      ", out);
		break;
	case MISSING_REFUSED:
		fprintf(out, "    The next allocation of the same task was refused here:\n");
		stack_table_print(leaks->stacks, missing->later_put, "      ", out);
		break;
	case MISSING_BASELINE:
	case MISSING_CONTAINER:
		break;
	case MISSING_NONE:
		print_nothing_to_compare(leaks, group, out);
		break;
	}
	if (missing->baseline_put) {
		fprintf(out, "    In the baseline run %" PRIu64 " of %" PRIu64 " were %s here:\n",
			missing->baseline_nr, missing->baseline_total, released);
		print_baseline_path(leaks, missing->baseline_put, out);
	}
	print_suspect(leaks, group, out);
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
			fprintf(out, "    ... %zu records ...\n", history->nr - HISTORY_HEAD - HISTORY_TAIL);
			i = history->nr - HISTORY_TAIL - 1;
			continue;
		}
		fprintf(out, "    %s %-10s %2u -> %-2u pid %-3u ", time_text(record->time, time),
			event_info(record->event)->name, event->before, event->after, event->pid);
		print_record_reference(out, leaks->model, record);
		fprintf(out, "  in %s\n", stack_table_function(leaks->stacks, record->stack));
	}
}

static void print_facts(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = group_item(leaks, group, 0);
	char from[24], to[24];

	fprintf(out, "  evidence: ");
	leaks_evidence(leaks, group, out);
	fprintf(out, "\n  %-10s %s: %s\n", "verdict", verdict_text(first->verdict),
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

static void print_group(const struct leaks *leaks, size_t number, FILE *out)
{
	const struct leak_group *group = &leaks->groups[number];
	const struct leak_item *first = group_item(leaks, group, 0);

	fprintf(out, "\n[%zu] ", number + 1);
	print_what(leaks, group, out);
	print_facts(leaks, group, out);
	fprintf(out, "  allocated by %s\n", stack_table_function(leaks->stacks, first->alloc_stack));
	stack_table_print(leaks->stacks, first->alloc_stack, "      ", out);
	if (!leak_is_object(first) && first->get_stack != first->alloc_stack) {
		fprintf(out, "  unmatched get by %s\n",
			stack_table_function(leaks->stacks, first->get_stack));
		stack_table_print(leaks->stacks, first->get_stack, "      ", out);
	} else if (!first->object && !model_run(leaks->model)->watched) {
		fprintf(out, "  unmatched get: the first reference, of the allocation\n");
	}
	print_missing(leaks, group, out);
	print_life(leaks, group, out);
}

/* ---- the rest ---- */

/* "\n    put() releases what was not acquired: pagecache page 0x80f12, io of pid 4, 25 times" */
static void print_mispaired(const struct leaks *leaks, const struct mispaired *one, FILE *out)
{
	fprintf(out, "\n    %s() %s: ", stack_table_function(leaks->stacks, one->call.stack),
		mispaired_text(one->how));
	if (one->object)
		fprintf(out, "object 0x%" PRIx64 " of cache %s, ", (uint64_t)one->where * 8,
			model_cache(leaks->model, one->cache)->name);
	else
		fprintf(out, "page 0x%x, ", one->where);
	print_holder(out, leaks->model, one->call.ref, one->call.holder, one->call.index);
	fprintf(out, ", by pid %u, %" PRIu64 " time%s", one->call.pid, one->count,
		one->count == 1 ? "" : "s");
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
			print_mispaired(leaks, leaks->incidents[i].mispaired, out);
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
		if (all || i < GROUPS_IN_FULL)
			stack_table_print(leaks->stacks, growth->items[i].stack, "      ", out);
	}
}

static void print_other_groups(const struct leaks *leaks, FILE *out)
{
	fprintf(out, "\n%zu more groups (--all prints them in full):\n", leaks->nr_groups - GROUPS_IN_FULL);
	for (size_t i = GROUPS_IN_FULL; i < leaks->nr_groups; i++) {
		const struct leak_group *group = &leaks->groups[i];
		fprintf(out, "  [%zu] ", i + 1);
		print_what(leaks, group, out);
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
		print_facts(leaks, group, out);
		break;
	case PART_MISSING:
		print_missing(leaks, group, out);
		break;
	case PART_LIFE:
		print_life(leaks, group, out);
		break;
	}
}

void leaks_print(const struct leaks *leaks, bool all, FILE *out)
{
	leaks_print_head(leaks, out);
	for (size_t i = 0; i < leaks->nr_groups && (all || i < GROUPS_IN_FULL); i++)
		print_group(leaks, i, out);
	if (!all && leaks->nr_groups > GROUPS_IN_FULL)
		print_other_groups(leaks, out);
	print_incidents(leaks, out);
	print_growth(leaks, all, out);
}
