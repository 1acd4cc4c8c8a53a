/* leaks_print: the leak report as text. What it says is found in lib/leaks.c and lib/missing.c. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "ranges.h"

#define HISTORY_HEAD 12
#define HISTORY_TAIL 12
#define RANGES_MAX 8
/* Groups told in full; the others in one line each. */
#define GROUPS_IN_FULL 8
#define RADIX_SLOTS 64U

static const struct leak_item *group_item(const struct leaks *leaks, const struct leak_group *group, size_t i)
{
	return &leaks->items[group->items[i]];
}

/* ---- the verdict ---- */

/* "311 pagecache pages, 25 objects of cache dirty" */
static void print_kinds(const struct leaks *leaks, FILE *out)
{
	const char *comma = "  ";

	for (uint32_t kind = 0; kind < PK_NR; kind++) {
		uint64_t nr = 0;
		for (size_t i = 0; i < leaks->nr_items; i++) {
			if (!leaks->items[i].object && leaks->items[i].kind == kind)
				nr += 1ULL << leaks->items[i].order;
		}
		if (nr)
			fprintf(out, "%s%" PRIu64 " %s page%s", comma, nr, page_kind_text(kind),
				nr == 1 ? "" : "s");
		comma = nr ? ", " : comma;
	}
	for (uint32_t cache = 0; cache <= UINT16_MAX && leaks->nr_objects; cache++) {
		uint64_t nr = 0;
		if (!leaks->model->caches[cache].allocs)
			continue;
		for (size_t i = 0; i < leaks->nr_items; i++)
			nr += leaks->items[i].object && leaks->items[i].cache == cache;
		if (nr)
			fprintf(out, "%s%" PRIu64 " object%s of cache %s", comma, nr, nr == 1 ? "" : "s",
				leaks->model->caches[cache].name);
		comma = nr ? ", " : comma;
	}
	fputc('\n', out);
}

/* The suspects of all groups, each once, with what it stands for. */
static void print_suspects(const struct leaks *leaks, FILE *out)
{
	for (size_t g = 0; g < leaks->nr_groups; g++) {
		const struct missing_act *missing = &leaks->groups[g].missing;
		uint64_t nr_pages = 0, nr_objects = 0;
		bool seen = !missing->suspect;
		for (size_t k = 0; k < leaks->nr_groups; k++) {
			const struct leak_group *other = &leaks->groups[k];
			if (!missing->suspect || !other->missing.suspect ||
			    strcmp(other->missing.suspect, missing->suspect))
				continue;
			seen = seen || k < g;
			nr_pages += other->nr_pages;
			nr_objects += other->nr_pages ? 0 : other->nr_items;
		}
		if (!seen)
			fprintf(out, "SUSPECT: %s (%s): %" PRIu64 " pages, %" PRIu64 " objects\n",
				missing->suspect, missing->suspect_place, nr_pages, nr_objects);
	}
}

static void print_verdict(const struct leaks *leaks, FILE *out)
{
	const struct run *run = leaks->model->run;
	char bytes[24];

	if (leaks->nr_items) {
		fprintf(out, "LOST: %" PRIu64 " pages, %" PRIu64 " objects (%s) in %zu group%s\n",
			leaks->nr_pages, leaks->nr_objects, bytes_text(leaks->bytes, bytes), leaks->nr_groups,
			leaks->nr_groups == 1 ? "" : "s");
		print_kinds(leaks, out);
		print_suspects(leaks, out);
		if (leaks->status == STATUS_CANNOT_TELL)
			fprintf(out, "This is NOT CERTAIN: %s.\n",
				!run_complete(run)
				    ? "events are missing, and the one that settles it may be among them"
				    : "the machine was not quiet when it was audited");
	} else if (leaks->status == STATUS_NOTHING_LOST) {
		fprintf(out, "NOTHING LOST: %" PRIu64 " events, 0 discarded\n", leaks->model->nr_events);
	} else if (leaks->status == STATUS_CANNOT_TELL) {
		fprintf(out, "NO VERDICT: none was found to be lost, but %s\n",
			run_complete(run) ? "the kernel did not come to its end" : "events are missing");
	}
	if (leaks->nr_incidents)
		fprintf(out, "BROKEN: %zu finding%s of another kind, listed at the end\n",
			leaks->nr_incidents, leaks->nr_incidents == 1 ? "" : "s");
}

static void print_audit(const struct leaks *leaks, FILE *out)
{
	char time[24];

	if (!leaks->audit) {
		fprintf(out, "audit: none in this trace; what follows is from the trace alone\n");
		return;
	}
	const struct trace_payload_audit *audit = &leaks->audit->record.payload.ev_payload_audit_done;
	fprintf(out, "audit: the last %saudit, at %s s, looked at %u pages and %u objects and found %u\n",
		leaks->audit_final ? "quiet " : "", time_text(leaks->audit->time, time), audit->pages,
		audit->objects, audit->findings);
	if (leaks->unlisted)
		fprintf(out, "       %" PRIu64 " of these it counted without listing them\n",
			leaks->unlisted);
	if (!leaks->audit_final)
		fprintf(out, "       it was not quiet, so its verdicts are not final\n");
}

static void print_agreement(const struct leaks *leaks, FILE *out)
{
	if (!leaks->nr_items)
		return;
	for (uint32_t doubt = 0; doubt < DOUBT_NR; doubt++) {
		if (leaks->nr_doubts[doubt])
			fprintf(out, "  %" PRIu64 " of %zu: %s\n", leaks->nr_doubts[doubt], leaks->nr_items,
				leak_doubt_text(doubt));
	}
}

/* ---- one group ---- */

static void print_what(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = group_item(leaks, group, 0);
	const struct cache_state *cache = &leaks->model->caches[first->cache];
	char bytes[24];

	if (first->object)
		fprintf(out, "%zu object%s of cache %s", group->nr_items, group->nr_items == 1 ? "" : "s",
			cache->known ? cache->name : "?");
	else
		fprintf(out, "%" PRIu64 " %s page%s", group->nr_pages, page_kind_text(first->kind),
			group->nr_pages == 1 ? "" : "s");
	fprintf(out, ", %s: %s, %s\n", bytes_text(group->bytes, bytes), verdict_text(first->verdict),
		verdict_help(first->verdict));
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
	const char *name = leaks->model->pids[pids[0]].name;
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

static void print_reference(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = group_item(leaks, group, 0);
	char time[24];

	if (first->object)
		return;
	fprintf(out, "  %-10s ", "reference");
	if (first->ref == REF_NONE) {
		fprintf(out, "none is open: the count is 0, yet the page was never freed\n");
		return;
	}
	print_holder(out, leaks->model, first->ref, first->holder, first->index);
	if (first->holder_died)
		fprintf(out, ", which ended at %s s", time_text(first->holder_died, time));
	fprintf(out, "; %" PRIu64 " such never returned\n", group->nr_refs);
	if (first->by_audit && first->count < first->nr_open)
		fprintf(out,
			"  %-10s in memory it is %u: somebody lowered it without returning a reference\n",
			"count", first->count);
}

/* ---- the missing act ---- */

static void print_place(FILE *out, const struct missing_act *missing)
{
	fprintf(out, "%s", missing->suspect);
	if (missing->suspect_place && missing->suspect_place[0])
		fprintf(out, " (%s)", missing->suspect_place);
	if (missing->suspect_caller)
		fprintf(out, ", called by %s", missing->suspect_caller);
}

static void print_missing(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = group_item(leaks, group, 0);
	const struct missing_act *missing = &group->missing;
	const char *act = first->object ? "freed" : "returned";
	uint64_t nr_lost = first->object ? group->nr_items : group->nr_refs;

	fprintf(out, "  missing act\n");
	switch (missing->how) {
	case MISSING_SAME_PATH:
	case MISSING_SAME_GET:
		fprintf(out,
			"    %s were %s %" PRIu64 " times; %" PRIu64
			" of these by %s, as below. The lost ones were not.\n",
			missing->how == MISSING_SAME_PATH ? "Others of the same path"
							  : "Others of the same get",
			act, missing->total, missing->nr, missing->putter);
		stackbook_print(leaks->book, missing->put_stack, "      ", out);
		break;
	case MISSING_SAME_FUNCTION:
		fprintf(
		    out,
		    "    None taken on this path was ever %s. What %s took for other callers was, %" PRIu64
		    " times;\n",
		    act, missing->getter, missing->total);
		fprintf(out, "    %" PRIu64 " of these by %s", missing->nr, missing->putter);
		if (missing->example)
			fprintf(out, ", called like the get from %s", missing->example);
		fprintf(out, ":\n");
		stackbook_print(leaks->book, missing->put_stack, "      ", out);
		break;
	case MISSING_COMPANION:
		if (missing->total)
			fprintf(out,
				"    %" PRIu64 " others of this make were freed, %" PRIu64
				" of them by %s. Not so these:\n",
				missing->total, missing->nr, missing->putter);
		else
			fprintf(out, "    None of this make was ever freed in this run.\n");
		fprintf(out,
			"    for %" PRIu64 " of %" PRIu64
			" the page in whose name it was made got its dirty reference back here,\n"
			"    and the object was not freed here:\n",
			missing->companion_nr, missing->companion_total);
		stackbook_print(leaks->book, missing->companion_put, "      ", out);
		break;
	case MISSING_REPLACED:
		fprintf(out,
			"    For %" PRIu64 " of %" PRIu64
			" the place that held the page (the %s of the same holder and index) was\n"
			"    given another page here, and this reference stayed:\n",
			missing->companion_nr, missing->companion_total, ref_kind_text(first->ref));
		stackbook_print(leaks->book, missing->companion_put, "      ", out);
		if (missing->total)
			fprintf(out,
				"    (%" PRIu64 " others of this make were returned, %" PRIu64
				" of them by %s.)\n",
				missing->total, missing->nr, missing->putter);
		break;
	case MISSING_HOLDER_END:
		fprintf(out, "    No life of this kind was ever settled in this run. The holder ended here, "
			     "and the reference\n"
			     "    stayed:\n");
		stackbook_print(leaks->book, missing->end_stack, "      ", out);
		break;
	case MISSING_NONE:
		fprintf(out,
			"    No life of this kind was ever settled in this run: there is nothing to compare "
			"the %" PRIu64 " with.\n"
			"    The unmatched %s is %s's; its callers stand above.\n",
			nr_lost, first->object ? "allocation" : "get",
			stackbook_function(leaks->book, first->get_stack));
		break;
	}
	if (missing->baseline_put) {
		fprintf(out, "    In the healthy run %" PRIu64 " of %" PRIu64 " were %s here:\n",
			missing->baseline_nr, missing->baseline_total, act);
		stackbook_print(leaks->baseline_book, missing->baseline_put, "      ", out);
	}
	if (missing->suspect) {
		fprintf(out, "    SUSPECT: ");
		print_place(out, missing);
		fputc('\n', out);
	}
}

/* ---- one page's life ---- */

static void print_life(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct page_history *history = &group->history;
	char time[24];

	if (!history->nr)
		return;
	fprintf(out, "  the oldest of them, page 0x%x, since it was allocated\n", history->pfn);
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
		if (record->event == EV_page_kind)
			fprintf(out, "now %s", page_kind_text(record->kind));
		else
			print_holder(out, leaks->model, record->kind, event->holder, event->index);
		fprintf(out, "  in %s\n", stackbook_function(leaks->book, record->stack));
	}
}

static void print_facts(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = group_item(leaks, group, 0);
	char from[24], to[24];

	print_inodes(leaks, group, out);
	print_reference(leaks, group, out);
	fprintf(out, "  %-10s %s to %s s\n", first->object ? "made" : "taken",
		time_text(group->first_time, from), time_text(group->last_time, to));
	print_tests(leaks, group, out);
	print_pids(leaks, group, out);
	fprintf(out, "  %-10s audit %" PRIu64 ", trace %" PRIu64 " of %zu\n", "judges", group->nr_by_audit,
		group->nr_by_trace, group->nr_items);
}

static void print_group(const struct leaks *leaks, size_t number, FILE *out)
{
	const struct leak_group *group = &leaks->groups[number];
	const struct leak_item *first = group_item(leaks, group, 0);

	fprintf(out, "\n[%zu] ", number + 1);
	print_what(leaks, group, out);
	print_facts(leaks, group, out);
	fprintf(out, "  allocated by %s\n", stackbook_function(leaks->book, first->alloc_stack));
	stackbook_print(leaks->book, first->alloc_stack, "      ", out);
	if (!first->object && first->get_stack != first->alloc_stack) {
		fprintf(out, "  unmatched get by %s\n", stackbook_function(leaks->book, first->get_stack));
		stackbook_print(leaks->book, first->get_stack, "      ", out);
	} else if (!first->object) {
		fprintf(out, "  unmatched get: the reference that came with the allocation\n");
	}
	print_missing(leaks, group, out);
	print_life(leaks, group, out);
}

/* ---- the rest ---- */

static void print_incidents(const struct leaks *leaks, FILE *out)
{
	const struct model *model = leaks->model;
	char time[24];

	if (!leaks->nr_incidents)
		return;
	fprintf(out, "\nfindings that are no losses:\n");
	for (size_t i = 0; i < model->nr_incidents; i++) {
		const struct trace_record *record = &model->incidents[i];
		const struct trace_payload_finding *finding = &record->payload.ev_payload_finding;
		if (!leaks->incident_shown[i])
			continue;
		fprintf(out, "  %s %s: %s: %s 0x%x, count %u, claims %u, pid %u\n",
			time_text(record->time, time), verdict_text(record->kind), verdict_help(record->kind),
			record->flags ? "object" : "page", finding->where, finding->count, finding->claims,
			finding->pid);
		if (record->stack)
			stackbook_print(leaks->book, record->stack, "      ", out);
	}
}

static void print_candidates(const struct leaks *leaks, FILE *out)
{
	if (!leaks->nr_candidates)
		return;
	fprintf(out, "\ncandidates, not counted as lost: objects whose number only grew from test to test\n");
	for (size_t i = 0; i < leaks->nr_candidates; i++) {
		fprintf(out, "  %" PRIu64 " live, grown in %u tests, made by %s\n", leaks->candidates[i].live,
			leaks->candidates[i].marks,
			stackbook_function(leaks->book, leaks->candidates[i].stack));
		stackbook_print(leaks->book, leaks->candidates[i].stack, "      ", out);
	}
}

static void print_other_groups(const struct leaks *leaks, FILE *out)
{
	fprintf(out, "\n%zu more groups (--all tells them in full):\n", leaks->nr_groups - GROUPS_IN_FULL);
	for (size_t i = GROUPS_IN_FULL; i < leaks->nr_groups; i++) {
		const struct leak_group *group = &leaks->groups[i];
		const struct leak_item *first = group_item(leaks, group, 0);
		fprintf(out, "  [%zu] %zu %s, taken by %s; suspect %s\n", i + 1, group->nr_items,
			first->object ? leaks->model->caches[first->cache].name : page_kind_text(first->kind),
			stackbook_function(leaks->book, first->get_stack),
			group->missing.suspect ? group->missing.suspect : "not known");
	}
}

static void print_head(const struct leaks *leaks, FILE *out)
{
	run_print_losses(leaks->model->run, out);
	if (leaks->model->panic_time)
		fprintf(out, "PANIC: the kernel panicked: %s\n", leaks->model->panic);
	print_verdict(leaks, out);
	print_audit(leaks, out);
	print_agreement(leaks, out);
}

void leaks_print_part(const struct leaks *leaks, enum leaks_part part, size_t number, FILE *out)
{
	const struct leak_group *group = part < PART_WHAT ? NULL : &leaks->groups[number];

	switch (part) {
	case PART_HEAD:
		print_head(leaks, out);
		break;
	case PART_REST:
		print_incidents(leaks, out);
		print_candidates(leaks, out);
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
	print_head(leaks, out);
	for (size_t i = 0; i < leaks->nr_groups && (all || i < GROUPS_IN_FULL); i++)
		print_group(leaks, i, out);
	if (!all && leaks->nr_groups > GROUPS_IN_FULL)
		print_other_groups(leaks, out);
	print_incidents(leaks, out);
	print_candidates(leaks, out);
}
