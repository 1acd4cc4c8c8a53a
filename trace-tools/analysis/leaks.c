/* SPDX-License-Identifier: MIT */
/* leaks: grouping, the second look, the verdict. See leaks.h. */
#include "leaks.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "leaks_priv.h"
#include "run_end.h"

/* Objects of one group that are followed to find what happened later. */
#define LATER_EVENTS_MAX 4096

const char *leak_doubt_text(enum leak_doubt doubt)
{
	static const char *const texts[DOUBT_NR] = {
	    [DOUBT_NONE] = "audit and trace",
	    [DOUBT_HOLDER_LIVES] = "audit only: the holder is alive, so the trace cannot tell",
	    [DOUBT_NO_RULE] = "audit only: the trace has no rule for such objects",
	    [DOUBT_AFTER_AUDIT] = "trace only: it happened after the audit",
	    [DOUBT_NOT_AUDITED] = "trace only: there is no audit in it",
	    [DOUBT_AUDIT_SILENT] = "trace only: THE AUDIT CHECKED IT AND DID NOT REPORT IT",
	    [DOUBT_NOT_LISTED] =
		"audit and trace: the trace names them, the audit counted as many without listing them",
	    [DOUBT_NOT_IN_TRACE] = "audit only: THE TRACE DOES NOT KNOW IT AS LIVE",
	    [DOUBT_WATCHED] = "audit only: the trace of a watched kernel does not say who holds a page",
	    [DOUBT_POINTERS] = "pointers only: it was not freed, and no pointer to it is left",
	};
	return texts[doubt];
}

/* ---- groups ---- */

uint64_t leak_item_bytes(const struct leaks *leaks, const struct leak_item *item)
{
	if (item->object)
		return model_cache(leaks->model, item->cache)->object_bytes;
	return (uint64_t)PAGE_BYTES << item->order;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static struct leak_group *group_of(struct leaks *leaks, const struct leak_item *item)
{
	for (size_t i = 0; i < leaks->nr_groups; i++) {
		const struct leak_item *first = &leaks->items[leaks->groups[i].items[0]];
		if (first->object == item->object && first->alloc_stack == item->alloc_stack &&
		    first->get_stack == item->get_stack && first->ref == item->ref &&
		    first->kind == item->kind && first->cache == item->cache &&
		    same_text(last_change_suspect(leaks, first), last_change_suspect(leaks, item)))
			return &leaks->groups[i];
	}
	return &ARRAY_PUSH(leaks->groups, leaks->nr_groups, leaks->groups_capacity);
}

static int compare_items(const void *a, const void *b)
{
	const struct leak_item *left = a, *right = b;

	if (left->get_time != right->get_time)
		return left->get_time < right->get_time ? -1 : 1;
	return left->where < right->where ? -1 : left->where > right->where;
}

static int compare_groups(const void *a, const void *b)
{
	const struct leak_group *left = a, *right = b;

	if (left->bytes != right->bytes)
		return left->bytes > right->bytes ? -1 : 1;
	return left->first_time < right->first_time ? -1 : left->first_time > right->first_time;
}

static void make_groups(struct leaks *leaks)
{
	if (leaks->nr_items)
		qsort(leaks->items, leaks->nr_items, sizeof(*leaks->items), compare_items);
	for (size_t i = 0; i < leaks->nr_items; i++) {
		const struct leak_item *item = &leaks->items[i];
		struct leak_group *group = group_of(leaks, item);
		ARRAY_PUSH(group->items, group->nr_items, group->capacity) = i;
		if (group->nr_items == 1)
			group->first_time = item->get_time;
		group->last_time = item->get_time;
		group->nr_pages += item->object ? 0 : 1ULL << item->order;
		group->nr_refs += item->nr_refs;
		group->bytes += leak_item_bytes(leaks, item);
		group->nr_by_audit += item->by_audit;
		group->nr_by_trace += item->by_trace;
		group->nr_by_pointers += item->by_pointers;
		leaks->nr_pages += item->object ? 0 : 1ULL << item->order;
		leaks->nr_objects += item->object;
		leaks->bytes += leak_item_bytes(leaks, item);
		leaks->nr_doubts[item->doubt]++;
	}
	if (leaks->nr_groups)
		qsort(leaks->groups, leaks->nr_groups, sizeof(*leaks->groups), compare_groups);
	if (!model_run(leaks->model)->watched)
		containers_order(leaks);
	for (size_t g = 0; g < leaks->nr_groups; g++) {
		for (size_t i = 0; i < leaks->groups[g].nr_items; i++)
			leaks->items[leaks->groups[g].items[i]].group = (uint32_t)g;
	}
}

/* ---- the second look: histories and later events ---- */

/* What to look for in the second pass for this item; false: nothing. */
static bool later_event_of(const struct leaks *leaks, const struct leak_item *item, struct later_event *later)
{
	*later = (struct later_event){.ref = REF_DIRTY,
				      .object = item->object,
				      .holder = item->holder,
				      .index = item->index,
				      .since = item->alloc_time};
	/* Only the holder of a dirty record is an inode and a page's index. */
	if (item->object)
		return leak_is_object(item) && !strcmp(model_cache(leaks->model, item->cache)->name, "dirty");
	later->ref = item->ref;
	later->pfn = item->where;
	later->since = item->get_time;
	later->until = item->holder_died;
	return item->ref == REF_PTE || item->ref == REF_TABLE || item->ref == REF_CACHE ||
	       item->ref == REF_KSTACK;
}

static void look_again(struct leaks *leaks, struct suspect_world *world)
{
	struct page_history *pages = xcalloc(leaks->nr_groups, sizeof(*pages));
	size_t *first = xcalloc(leaks->nr_groups + 1, sizeof(*first));
	struct later_event *later = xcalloc(leaks->nr_items, sizeof(*later));
	size_t nr_later = 0;

	for (size_t g = 0; g < leaks->nr_groups; g++) {
		const struct leak_group *group = &leaks->groups[g];
		const struct leak_item *oldest = &leaks->items[group->items[0]];
		first[g] = nr_later;
		if (!oldest->object)
			pages[g] = (struct page_history){.pfn = oldest->where, .since = oldest->alloc_time};
		for (size_t i = 0; i < group->nr_items && i < LATER_EVENTS_MAX; i++)
			nr_later += later_event_of(leaks, &leaks->items[group->items[i]], &later[nr_later]);
	}
	first[leaks->nr_groups] = nr_later;
	history_collect(model_run(leaks->model), pages, leaks->nr_groups, later, nr_later);
	for (size_t g = 0; g < leaks->nr_groups; g++) {
		struct leak_group *group = &leaks->groups[g];
		group->history = pages[g];
		suspect_find(world, group, later + first[g], first[g + 1] - first[g]);
	}
	containers_inherit(leaks);
	containers_named_first(leaks);
	free(first);
	free(later);
	free(pages);
}

static void find_suspects(struct leaks *leaks)
{
	leaks->end.how = run_end_of(leaks);
	if (!leaks->nr_groups && !leaks->end.how)
		return;
	struct suspect_world *world = suspect_world_new(leaks);
	if (leaks->nr_groups)
		look_again(leaks, world);
	if (leaks->end.how)
		suspect_find_end(world, &leaks->end);
	suspect_world_free(world);
}

/* ---- the rest ---- */

/* What is allocated there is a leak already, or suppressed. */
static bool is_said(void *arg, uint32_t stack)
{
	const struct leaks *leaks = arg;

	for (size_t g = 0; g < leaks->nr_groups; g++) {
		if (leaks->items[leaks->groups[g].items[0]].alloc_stack == stack)
			return true;
	}
	return leaks_suppressed(leaks, stack);
}

const char *leaks_uncertain(const struct leaks *leaks)
{
	const struct run *run = model_run(leaks->model);

	if (leaks->status == STATUS_LEAKED || leaks->status == STATUS_OK)
		return NULL;
	if (run->is_other)
		return "the files are not those that were recorded";
	if (run_interrupted(run))
		return "the recording was interrupted";
	if (!run_complete(run))
		return "events are missing, and the release may be among them";
	if (model_stopped_early(leaks->model))
		return model_stopped_early(leaks->model);
	if (leaks->ram_audit && leaks->ram_audit->nr_reasons)
		return leaks->ram_audit->reasons[0];
	if (leaks->no_audit)
		return leaks->no_audit;
	if (!leaks->audit)
		return "there was no audit";
	if (!leaks->audit_quiescent)
		return "there was no conclusive audit: the machine was not quiescent when it was audited";
	if (leaks->pointers_unread)
		return "what came of its pointers cannot be read";
	return leaks->nr_doubts[DOUBT_POINTERS] ? "no pointer is left to what the audit did not report"
						: "the audit counted more than it listed";
}

/* all_listed: each finding that the audit only counted is known from the trace. */
static int verdict_of(const struct leaks *leaks, bool all_listed)
{
	const struct run *run = model_run(leaks->model);
	const struct ram_audit *audit = leaks->ram_audit;
	bool complete = run_complete(run), sure = leaks->nr_incidents != 0;
	bool partial = leaks->narrowed || leaks->suppressed.pages || leaks->suppressed.objects;

	if (run->is_other)
		return STATUS_CANNOT_TELL;
	for (size_t i = 0; i < leaks->nr_items && !sure; i++)
		sure = (leaks->items[i].by_audit && leaks->audit_quiescent) ||
		       (leaks->items[i].by_trace && complete) ||
		       (leaks->items[i].by_pointers && complete && !leaks->audit_quiescent && !audit);
	/* What is not certain of all is not of a part. */
	if (audit && (audit->status == STATUS_CANNOT_TELL || (audit->status == STATUS_LEAKED && !partial)))
		return audit->status;
	if (audit && audit->faulty)
		return STATUS_LEAKED;
	if (sure || (leaks->unlisted && leaks->audit_quiescent && !partial))
		return STATUS_LEAKED;
	/* What the audit did not list may be among what was asked for. */
	if (partial && leaks->unlisted && !all_listed)
		return STATUS_CANNOT_TELL;
	/* A machine that panicked or was stopped may still have released what it held. */
	return complete && leaks->audit_quiescent && !leaks->nr_items && !leaks->pointers_unread &&
		       !(audit && audit->nr_reasons) && !model_stopped_early(leaks->model)
		   ? STATUS_OK
		   : STATUS_CANNOT_TELL;
}

static void forget_suspect(struct missing_release *missing)
{
	free(missing->suspect_place);
	missing->suspect_place = NULL;
	missing->suspect = missing->suspect_caller = NULL;
	memset(missing->considered, 0, sizeof(missing->considered));
}

/* Without names there is no suspect, nor with files that are not those of the run. */
static void forget_suspects(struct leaks *leaks)
{
	for (size_t g = 0; g < leaks->nr_groups; g++)
		forget_suspect(&leaks->groups[g].missing);
	forget_suspect(&leaks->end.says);
	leaks->end.nr_starts = 0;
}

struct leaks *leaks_find(struct model *model, struct stack_table *stacks, const struct leaks_query *query)
{
	static const struct leaks_query everything = {.pid = -1};
	struct leaks *leaks = xcalloc(1, sizeof(*leaks));

	leaks->model = model;
	leaks->stacks = stacks;
	leaks->query = query ? query : &everything;
	if (model_run(model)->watched) {
		leaks->watched = watched_audit(model_run(model), model, &leaks->no_audit);
		leaks->ram_audit = leaks->watched ? leaks->watched->audit : NULL;
	}
	bool all_listed = leaks_add_items(leaks);
	leaks_add_pointers(leaks);
	leaks_leave_out(leaks);
	if (model_run(model)->watched && leaks->nr_items)
		last_change_find(leaks);
	make_groups(leaks);
	leaks_take_incidents(leaks);
	find_suspects(leaks);
	if (model_run(model)->kernel_fault || model_run(model)->is_other)
		forget_suspects(leaks);
	/* Growth is one over many tests: it belongs to no span and no pid. */
	if (!leaks->narrowed && run_complete(model_run(model)))
		growth_find(&leaks->growth, model, is_said, leaks);
	leaks->status = verdict_of(leaks, all_listed);
	return leaks;
}

void leaks_free(struct leaks *leaks)
{
	for (size_t g = 0; g < leaks->nr_groups; g++) {
		free(leaks->groups[g].items);
		free(leaks->groups[g].history.records);
		free(leaks->groups[g].missing.suspect_place);
	}
	free(leaks->end.says.suspect_place);
	free(leaks->groups);
	free(leaks->items);
	growth_free(&leaks->growth);
	free(leaks->incidents);
	if (leaks->lives)
		lives_free(leaks->lives);
	free(leaks->lives);
	free(leaks->no_audit);
	watched_free(leaks->watched);
	free(leaks);
}
