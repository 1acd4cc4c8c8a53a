/* SPDX-License-Identifier: MIT */
/*
 * missing: the release that the leaked ones lack and the others have. See leaks.h for the order of the search.
 *
 * Stacks are compared by function, from the function that asked for the page (its site) outward. The function in
 * which the release is missing is, among the callers of the unmatched get, the one at which the get and the put of
 * the released ones meet: it acquired the reference and should have released it. Where others called, it is the leaked
 * path's function in that same place.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "leaks_priv.h"

/* Different put stacks that are told apart; more are counted in total only. */
#define TALLY_MAX 64

struct tally {
	uint64_t total;
	size_t nr;
	struct {
		uint64_t count, largest;
		struct release example; /* the most frequent of those counted here */
		const char *function;   /* of the put's site; NULL: told apart by stack */
	} by[TALLY_MAX];
};

static void tally_add(struct tally *tally, const struct release *one, const char *function)
{
	size_t i = 0;

	tally->total += one->count;
	for (; i < tally->nr; i++) {
		if (function ? !strcmp(tally->by[i].function, function)
			     : tally->by[i].example.put_stack == one->put_stack)
			break;
	}
	if (i == TALLY_MAX)
		return;
	if (i == tally->nr) {
		tally->nr++;
		tally->by[i].function = function;
	}
	tally->by[i].count += one->count;
	if (one->count > tally->by[i].largest) {
		tally->by[i].largest = one->count;
		tally->by[i].example = *one;
	}
}

static size_t tally_best(const struct tally *tally)
{
	size_t best = 0;

	for (size_t i = 1; i < tally->nr; i++) {
		if (tally->by[i].count > tally->by[best].count)
			best = i;
	}
	return best;
}

/* ---- where the release is missing ---- */

/* Both stacks go on with the same functions from these frames outward, as far as both reach. */
static bool same_callers(const struct stack_view *a, uint32_t i, const struct stack_view *b, uint32_t k)
{
	for (; i < a->nr && k < b->nr; i++, k++) {
		if (strcmp(a->frames[i].function, b->frames[k].function))
			return false;
	}
	return true;
}

/*
 * The innermost function of `get` that is in `put`, too, called in the same way: one call of it did both. get->nr: there
 * is none, the reference was released by something else, later.
 */
static uint32_t meeting_frame(const struct stack_view *get, const struct stack_view *put)
{
	for (uint32_t i = get->site; i < get->nr && !symbols_is_entry(&get->frames[i]); i++) {
		for (uint32_t k = put->site; k < put->nr; k++) {
			if (same_callers(get, i, put, k))
				return i;
		}
	}
	return get->nr;
}

static void set_suspect(struct missing_release *missing, const struct stack_view *leaked, uint32_t frame)
{
	char place[256];

	if (frame >= leaked->nr)
		return;
	missing->suspect = leaked->frames[frame].function;
	missing->suspect_place = xstrdup(frame_place(&leaked->frames[frame], place, sizeof(place)));
}

/* The leaked path's frame in the place of the released path's `meeting`: the first that differs from it. */
static uint32_t corresponding_frame(const struct stack_view *leaked, const struct stack_view *released,
				    uint32_t meeting)
{
	uint32_t i = leaked->site, k = released->site;

	while (i < leaked->nr && k < released->nr && k < meeting &&
	       !strcmp(leaked->frames[i].function, released->frames[k].function)) {
		i++;
		k++;
	}
	return i;
}

/*
 * Acquired here and released by another call, later: then the place that releases it is where to look. Its missing
 * caller: what ended the holder, if it is among the callers of the others' put, else the next caller.
 */
static void suspect_putter(struct leaks *leaks, struct missing_release *missing, const struct stack_view *put,
			   const struct leak_item *item)
{
	const struct holder_life *life =
	    item->object ? NULL : model_holder(leaks->model, item->ref, item->holder);
	const char *end = life && life->end_stack ? stack_table_function(leaks->stacks, life->end_stack) : "";

	set_suspect(missing, put, put->site);
	missing->suspect_releases = true;
	for (uint32_t i = put->site + 1; i < put->nr && !symbols_is_entry(&put->frames[i]); i++) {
		if (i == put->site + 1 || !strcmp(put->frames[i].function, end))
			missing->suspect_caller = put->frames[i].function;
	}
}

static bool is_transient(const struct leak_item *item)
{
	return !item->object && (item->ref == REF_IO || item->ref == REF_FAULT);
}

static uint32_t release_ref(const struct leak_item *item)
{
	return item->object ? RELEASE_OF_OBJECT(item->cache) : item->ref;
}

/* ---- comparisons within the run ---- */

static bool compare_paths(struct leaks *leaks, struct leak_group *group, const struct leak_item *item,
			  enum missing_how how)
{
	const struct model *model = leaks->model;
	const struct release *one;
	struct tally tally = {0};

	for (size_t at = 0; (one = model_next_release(model, &at));) {
		if (one->ref != release_ref(item) || one->get_stack != item->get_stack ||
		    (how == MISSING_SAME_PATH && one->alloc_stack != item->alloc_stack))
			continue;
		tally_add(&tally, one, NULL);
	}
	if (!tally.total)
		return false;
	size_t best = tally_best(&tally);
	struct missing_release *missing = &group->missing;
	*missing = (struct missing_release){.how = how,
					    .nr = tally.by[best].count,
					    .total = tally.total,
					    .put_stack = tally.by[best].example.put_stack};
	const struct stack_view *leaked = stack_table_get(leaks->stacks, item->get_stack);
	const struct stack_view *put = stack_table_get(leaks->stacks, missing->put_stack);
	uint32_t meeting = meeting_frame(leaked, put);
	missing->getter = stack_table_function(leaks->stacks, item->get_stack);
	missing->putter = stack_table_function(leaks->stacks, missing->put_stack);
	if (meeting < leaked->nr)
		set_suspect(missing, leaked, meeting);
	else
		suspect_putter(leaks, missing, put, item);
	return true;
}

static bool compare_functions(struct leaks *leaks, struct leak_group *group, const struct leak_item *item)
{
	const struct model *model = leaks->model;
	const struct release *one;
	const char *getter = stack_table_function(leaks->stacks, item->get_stack);
	struct tally *tally = xcalloc(1, sizeof(*tally));

	for (size_t at = 0; (one = model_next_release(model, &at));) {
		if (one->ref == release_ref(item) &&
		    !strcmp(stack_table_function(leaks->stacks, one->get_stack), getter))
			tally_add(tally, one, stack_table_function(leaks->stacks, one->put_stack));
	}
	if (!tally->total || !item->get_stack) {
		free(tally);
		return false;
	}
	size_t best = tally_best(tally);
	struct missing_release *missing = &group->missing;
	*missing = (struct missing_release){.how = MISSING_SAME_FUNCTION,
					    .nr = tally->by[best].count,
					    .total = tally->total,
					    .put_stack = tally->by[best].example.put_stack,
					    .get_stack = tally->by[best].example.get_stack,
					    .getter = getter,
					    .putter = tally->by[best].function};
	free(tally);
	const struct stack_view *leaked = stack_table_get(leaks->stacks, item->get_stack);
	const struct stack_view *get = stack_table_get(leaks->stacks, missing->get_stack);
	const struct stack_view *put = stack_table_get(leaks->stacks, missing->put_stack);
	uint32_t meeting = meeting_frame(get, put);
	if (meeting < get->nr)
		missing->example = get->frames[meeting].function;
	if (meeting < get->nr || is_transient(item))
		set_suspect(missing, leaked, corresponding_frame(leaked, get, meeting));
	else
		suspect_putter(leaks, missing, put, item);
	return true;
}

/* What is held for a holder's whole life goes with it: then its end is where the release is missing. */
static bool compare_holder_end(struct leaks *leaks, struct leak_group *group, const struct leak_item *item)
{
	const struct holder_life *life =
	    item->object ? NULL : model_holder(leaks->model, item->ref, item->holder);

	if (!life || !item->holder_died || is_transient(item))
		return false;
	const struct stack_view *end = stack_table_get(leaks->stacks, life->end_stack);
	if (end->site >= end->nr)
		return false;
	group->missing = (struct missing_release){.how = MISSING_HOLDER_END, .end_stack = life->end_stack};
	set_suspect(&group->missing, end, end->site);
	return true;
}

void missing_find(struct leaks *leaks, struct leak_group *group)
{
	const struct leak_item *item = &leaks->items[group->items[0]];

	if (compare_paths(leaks, group, item, MISSING_SAME_PATH) ||
	    compare_paths(leaks, group, item, MISSING_SAME_GET) || compare_functions(leaks, group, item))
		return;
	if (compare_holder_end(leaks, group, item))
		return;
	/* Nothing to compare with: the caller of the function that acquired it is where to look first. */
	const struct stack_view *leaked = stack_table_get(leaks->stacks, item->get_stack);
	set_suspect(&group->missing, leaked, leaked->site + 1 < leaked->nr ? leaked->site + 1 : leaked->site);
}

void missing_from_later_events(struct leaks *leaks, struct leak_group *group, const struct later_event *later,
			       size_t nr)
{
	struct missing_release *missing = &group->missing;
	struct tally *tally = xcalloc(1, sizeof(*tally));
	bool object = later[0].object;

	for (size_t i = 0; i < nr; i++) {
		struct release one = {.put_stack = later[i].stack, .count = 1};
		if (one.put_stack)
			tally_add(tally, &one, NULL);
	}
	size_t best = tally_best(tally);
	uint32_t stack = tally->total ? tally->by[best].example.put_stack : 0;
	/*
	 * An object's page that is released by the very function that frees the others says nothing new. A place that
	 * was given away says it all, if it is so for most.
	 */
	bool says_more = object ? missing->how == MISSING_NONE || !missing->putter ||
				      strcmp(stack_table_function(leaks->stacks, stack), missing->putter)
				: 2 * tally->total > nr;
	if (stack && says_more) {
		const struct stack_view *view = stack_table_get(leaks->stacks, stack);
		free(missing->suspect_place);
		missing->suspect_place = NULL;
		missing->suspect_caller = NULL;
		missing->suspect_releases = false;
		missing->how = object ? MISSING_LATER_PUT : MISSING_PLACE_REUSED;
		missing->later_nr = tally->by[best].count;
		missing->later_total = nr;
		missing->later_put = stack;
		for (size_t i = 0; i < nr; i++) {
			if (later[i].stack == stack) {
				missing->example_pfn = later[i].found_pfn;
				missing->example_time = later[i].time;
				break;
			}
		}
		set_suspect(missing, view, view->site);
		if (!object && view->site + 1 < view->nr && !symbols_is_entry(&view->frames[view->site + 1]))
			missing->suspect_caller = view->frames[view->site + 1].function;
	}
	free(tally);
}

/* ---- comparison with the baseline run ---- */

void missing_from_baseline(struct leaks *leaks, struct leak_group *group, const struct model *baseline)
{
	const struct leak_item *item = &leaks->items[group->items[0]];
	const struct stack_view *alloc = stack_table_get(leaks->stacks, item->alloc_stack);
	const struct stack_view *get = stack_table_get(leaks->stacks, item->get_stack);
	struct tally *tally = xcalloc(1, sizeof(*tally));
	const struct release *one;

	for (size_t at = 0; (one = model_next_release(baseline, &at));) {
		if (item->object
			? one->ref <= REF_NR || strcmp(model_cache(baseline, one->ref - REF_NR - 1)->name,
						       model_cache(leaks->model, item->cache)->name)
			: one->ref != item->ref)
			continue;
		if (stack_views_alike(stack_table_get(leaks->baseline_stacks, one->get_stack), get) &&
		    stack_views_alike(stack_table_get(leaks->baseline_stacks, one->alloc_stack), alloc))
			tally_add(tally, one, NULL);
	}
	if (tally->total) {
		size_t best = tally_best(tally);
		group->missing.baseline_nr = tally->by[best].count;
		group->missing.baseline_total = tally->total;
		group->missing.baseline_put = tally->by[best].example.put_stack;
	}
	free(tally);
}
