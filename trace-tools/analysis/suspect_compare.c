/* SPDX-License-Identifier: MIT */
/*
 * suspect_compare: the release that the leaked ones lack and the others of this run have. See suspect.h.
 *
 * Stacks are compared by function, from the function that asked for the page (its site) outward. The function in
 * which the release is missing is, among the callers of the unmatched get, the one at which the get and the put of
 * the released ones meet: it acquired the reference and should have released it. Where others called, it is the leaked
 * path's function in that same place.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "suspect.h"

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

uint32_t suspect_meeting(const struct stack_view *get, const struct stack_view *put, uint32_t *distance)
{
	*distance = 0;
	for (uint32_t i = get->site; i < get->nr && !symbols_is_entry(&get->frames[i]); i++) {
		for (uint32_t k = put->site; k < put->nr; k++) {
			if (same_callers(get, i, put, k)) {
				*distance = k - put->site;
				return i;
			}
		}
	}
	return get->nr;
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
	    leak_is_object(item) ? NULL : model_holder(leaks->model, item->ref, item->holder);
	const char *end = life && life->end_stack ? stack_table_function(leaks->stacks, life->end_stack) : "";

	suspect_set(missing, put, put->site);
	missing->suspect_releases = true;
	for (uint32_t i = put->site + 1; i < put->nr && !symbols_is_entry(&put->frames[i]); i++) {
		if (i == put->site + 1 || !strcmp(put->frames[i].function, end))
			missing->suspect_caller = put->frames[i].function;
	}
}

static bool is_transient(const struct leak_item *item)
{
	return item->ref == REF_IO || item->ref == REF_FAULT || item->ref == REF_CALL;
}

static uint32_t release_ref(const struct leak_item *item)
{
	return leak_is_object(item) ? RELEASE_OF_OBJECT(item->cache) : item->ref;
}

/* Where the pointer stops travelling up, from this frame of the leaked one's stack on. */
static uint32_t keeper(const struct suspect_case *one, const struct stack_view *leaked, uint32_t frame)
{
	if (frame >= leaked->nr)
		return frame;
	/* A cache of counted objects is named as their struct. */
	const char *type = !one->item->object ? "page"
			   : leak_is_object(one->item)
			       ? NULL
			       : model_cache(one->leaks->model, one->item->cache)->name;
	return gives_keeper(one->world->gives, leaked, frame, type);
}

/* ---- comparisons within the run ---- */

static bool compare_paths(const struct suspect_case *one_case, struct suspect_candidate *out,
			  enum missing_how how)
{
	struct leaks *leaks = one_case->leaks;
	const struct leak_item *item = one_case->item;
	const struct model *model = leaks->model;
	const struct release *one;
	struct tally tally = {0};

	for (size_t at = 0; (one = model_next_release(model, &at));) {
		if (one->ref != release_ref(item) || one->get_stack != item->get_stack ||
		    (how == MISSING_SAME_PATH && one->alloc_stack != item->alloc_stack))
			continue;
		tally_add(&tally, one, stack_table_function(leaks->stacks, one->put_stack));
	}
	if (!tally.total)
		return false;
	size_t best = tally_best(&tally);
	struct missing_release *missing = &out->says;
	*missing = (struct missing_release){.how = how,
					    .nr = tally.by[best].count,
					    .total = tally.total,
					    .put_stack = tally.by[best].example.put_stack};
	const struct stack_view *leaked = stack_table_get(leaks->stacks, item->get_stack);
	const struct stack_view *put = stack_table_get(leaks->stacks, missing->put_stack);
	uint32_t distance, meeting = suspect_meeting(leaked, put, &distance);
	missing->getter = stack_table_function(leaks->stacks, item->get_stack);
	missing->putter = stack_table_function(leaks->stacks, missing->put_stack);
	/* Where events are missing, the releases of these may be among them. */
	bool one_for_all = missing->nr == missing->total && missing->total > one_case->group->nr_items &&
			   run_complete(model_run(model));
	out->rule = meeting < leaked->nr ? (distance > 1 ? SUSPECT_PATH_HELPER : SUSPECT_SAME_PATH)
		    : one_for_all        ? SUSPECT_ONE_RELEASER
					 : SUSPECT_PATH_RELEASER;
	/*
	 * Where most are released they end, whatever the function can give away. Where most leak, those few are what it had to give back
	 * itself: when it failed.
	 */
	if (meeting < leaked->nr)
		suspect_set(missing, leaked,
			    missing->nr > one_case->group->nr_items ? meeting
								    : keeper(one_case, leaked, meeting));
	else
		suspect_putter(leaks, missing, put, item);
	return true;
}

static bool compare_functions(const struct suspect_case *one_case, struct suspect_candidate *out)
{
	struct leaks *leaks = one_case->leaks;
	const struct leak_item *item = one_case->item;
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
	struct missing_release *missing = &out->says;
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
	uint32_t distance, meeting = suspect_meeting(get, put, &distance);
	if (meeting < get->nr)
		missing->example = get->frames[meeting].function;
	bool meets = meeting < get->nr || is_transient(item);
	out->rule = !meets         ? SUSPECT_FUNC_RELEASER
		    : distance > 1 ? SUSPECT_FUNC_HELPER
				   : SUSPECT_SAME_FUNCTION;
	if (meets)
		suspect_set(missing, leaked,
			    keeper(one_case, leaked, corresponding_frame(leaked, get, meeting)));
	else
		suspect_putter(leaks, missing, put, item);
	return true;
}

/* What is held for a holder's whole life goes with it: then its end is where the release is missing. */
bool suspect_by_holder_end(const struct suspect_case *one, struct suspect_candidate *out)
{
	struct leaks *leaks = one->leaks;
	const struct leak_item *item = one->item;
	const struct holder_life *life =
	    leak_is_object(item) ? NULL : model_holder(leaks->model, item->ref, item->holder);

	if (!life || !item->holder_died || is_transient(item))
		return false;
	const struct stack_view *end = stack_table_get(leaks->stacks, life->end_stack);
	if (end->site >= end->nr)
		return false;
	*out = (struct suspect_candidate){.rule = SUSPECT_HOLDER_END,
					  .says = {.how = MISSING_HOLDER_END, .end_stack = life->end_stack}};
	suspect_set(&out->says, end, end->site);
	return true;
}

static bool compare(const struct suspect_case *one, struct suspect_candidate *out)
{
	return compare_paths(one, out, MISSING_SAME_PATH) || compare_paths(one, out, MISSING_SAME_GET) ||
	       compare_functions(one, out);
}

void suspect_read_meetings(struct suspect_world *world)
{
	struct leaks *leaks = world->leaks;

	for (size_t g = 0; g < leaks->nr_groups; g++) {
		struct suspect_candidate found = {0};
		const struct suspect_case one = {.world = world,
						 .leaks = leaks,
						 .group = &leaks->groups[g],
						 .item = &leaks->items[leaks->groups[g].items[0]]};
		if (compare(&one, &found) &&
		    (found.rule == SUSPECT_SAME_PATH || found.rule == SUSPECT_PATH_HELPER))
			ARRAY_PUSH(world->meetings, world->nr_meetings, world->meetings_capacity) =
			    (struct meeting){release_ref(one.item), found.says.suspect, found.says.putter};
		free(found.says.suspect_place);
	}
}

/* So many functions' calls must leak what one releases for them before that is it. */
#define SEVERAL 3

/*
 * Things of one kind leaked in calls of several functions, and each of these releases others through the same one: not all of them
 * forget now and then, the one that they call does.
 */
static bool is_releaser_of_several(const struct suspect_case *one, const struct suspect_candidate *found)
{
	const char *functions[SEVERAL] = {found->says.suspect};
	size_t nr = 1;

	for (size_t i = 0; i < one->world->nr_meetings && nr < SEVERAL; i++) {
		const struct meeting *other = &one->world->meetings[i];
		bool known = other->ref != release_ref(one->item) ||
			     strcmp(other->releaser, found->says.putter) != 0 ||
			     !strcmp(other->releaser, found->says.suspect);
		for (size_t k = 0; k < nr && !known; k++)
			known = !strcmp(other->function, functions[k]);
		if (!known)
			functions[nr++] = other->function;
	}
	return nr == SEVERAL;
}

bool suspect_by_comparison(const struct suspect_case *one, struct suspect_candidate *out)
{
	if (!compare(one, out))
		return false;
	if (suspect_is_counted(one))
		out->rule = SUSPECT_COUNTED;
	if ((out->rule == SUSPECT_SAME_PATH || out->rule == SUSPECT_PATH_HELPER) && out->says.suspect &&
	    is_releaser_of_several(one, out)) {
		const struct stack_view *put = stack_table_get(one->leaks->stacks, out->says.put_stack);
		free(out->says.suspect_place);
		suspect_set(&out->says, put, put->site);
		out->says.suspect_releases = true;
		out->rule = SUSPECT_RELEASER;
	}
	return true;
}

/* Nothing to compare with: the caller of the function that acquired it is where to look first. */
bool suspect_by_caller(const struct suspect_case *one, struct suspect_candidate *out)
{
	const struct stack_view *leaked = stack_table_get(one->leaks->stacks, one->item->get_stack);

	*out = (struct suspect_candidate){.rule = SUSPECT_CALLER};
	suspect_set(&out->says, leaked, leaked->site + 1 < leaked->nr ? leaked->site + 1 : leaked->site);
	return out->says.suspect != NULL;
}

/* ---- what happened to them later ---- */

bool suspect_by_later_events(const struct suspect_case *one, struct suspect_candidate *out)
{
	struct missing_release *missing = &out->says;
	struct tally *tally = xcalloc(1, sizeof(*tally));
	bool object = one->item->object;

	for (size_t i = 0; i < one->nr_later; i++) {
		struct release release = {.put_stack = one->later[i].stack, .count = 1};
		if (release.put_stack)
			tally_add(tally, &release, NULL);
	}
	size_t best = tally_best(tally);
	uint32_t stack = tally->total ? tally->by[best].example.put_stack : 0;
	/* A place that was given away says it all, if it is so for most. */
	if (!stack || (!object && 2 * tally->total <= one->nr_later)) {
		free(tally);
		return false;
	}
	const struct stack_view *view = stack_table_get(one->leaks->stacks, stack);
	*out = (struct suspect_candidate){.rule = object ? SUSPECT_COMPANION : SUSPECT_REPLACED,
					  .says = {.how = object ? MISSING_LATER_PUT : MISSING_PLACE_REUSED,
						   .later_nr = tally->by[best].count,
						   .later_total = one->nr_later,
						   .later_put = stack}};
	free(tally);
	for (size_t i = 0; i < one->nr_later && !missing->example_time; i++) {
		if (one->later[i].stack == stack) {
			missing->example_pfn = one->later[i].found_pfn;
			missing->example_time = one->later[i].time;
		}
	}
	suspect_set(missing, view, view->site);
	if (!object && view->site + 1 < view->nr && !symbols_is_entry(&view->frames[view->site + 1]))
		missing->suspect_caller = view->frames[view->site + 1].function;
	return true;
}
