/* SPDX-License-Identifier: MIT */
/*
 * suspect_end: who is the suspect of a panic, of a finding that is no leak, of a machine that does not end. See suspect.h and run_end.h.
 *
 * There is no get without a put to look for. What there is: a baseline, whose build does not end so under the same workload. So the mistake is
 * in what differs. From near to far:
 *
 *   end-code     of the functions on the stacks that the end leads to, one alone has other code
 *   only-code    in the whole kernel one function alone has; and the run can have executed it. It speaks for leaks, too
 *
 * Without a baseline there are only the events:
 *
 *   mispaired    a reference was released or acquired under another name (suspect_pairs.c)
 *   freed-before a page that is free is still in use, or was freed twice: where it was freed before that was noticed
 *
 * ENDS-1  An edit of several functions is several; where nothing tells which, nobody is named, and they are where to start.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "run_end.h"
#include "suspect.h"

/* ---- the only edit ---- */

/* By name of the baseline's tree: what is on some stack of the run, and what these call, directly or not. */
static bool *executed(const struct suspect_world *world)
{
	const struct baseline *then = world->then;
	struct stack_table *stacks = world->leaks->stacks;
	bool *in = xcalloc(then->tree->nr_names, sizeof(*in)), more = true;

	for (uint32_t id = 1; id <= stacks->run->nr_stacks; id++) {
		const struct stack_view *view = stack_table_get(stacks, id);
		for (uint32_t i = 0; i < view->nr; i++)
			in[call_tree_known(then->tree, view->frames[i].function)] = true;
	}
	while (more) {
		more = false;
		for (size_t i = 0; i < then->nr_edges; i++) {
			const struct code_edge *edge = &then->edges[i];
			if (in[edge->caller] && !in[edge->callee])
				more = in[edge->callee] = true;
		}
	}
	in[0] = false;
	return in;
}

/* Nobody calls it by name: it is called through a pointer, by whom the code does not say. */
static bool is_called_by_pointer(const struct suspect_world *world, uint32_t function)
{
	for (size_t i = 0; i < world->then->nr_edges; i++) {
		if (world->then->edges[i].callee == function)
			return false;
	}
	return true;
}

static void blame_code(const struct suspect_world *world, const struct code_change *edit,
		       enum suspect_rule rule, struct suspect_candidate *out)
{
	suspect_accuse(world, world->then->tree->names[edit->function], rule, out);
	out->says.how = MISSING_CODE;
	out->says.expected = edit->callee;
	out->says.calls = edit->calls;
	out->says.only_inside = edit->change <= CHANGE_INSIDE;
	out->says.other_order = edit->change == CHANGE_ORDER;
}

static bool only_edit(struct suspect_world *world, struct suspect_candidate *out)
{
	struct code_change edit;

	if (!suspect_only_one_edited(world, &edit))
		return false;
	bool *in = executed(world);
	bool can_be = in[edit.function] || is_called_by_pointer(world, edit.function);
	free(in);
	if (can_be)
		blame_code(world, &edit, SUSPECT_ONLY_CODE, out);
	return can_be;
}

bool suspect_by_only_edit(const struct suspect_case *one, struct suspect_candidate *out)
{
	return one->world->then && only_edit(one->world, out);
}

/* ---- near the end ---- */

/* By name of the baseline's tree: the trail of a step; NONE: it is none, or the baseline does not know it. */
static enum end_trail *trails_of(const struct suspect_world *world, const struct end_steps *steps)
{
	enum end_trail *trails = xcalloc(world->then->tree->nr_names, sizeof(*trails));

	for (size_t i = 0; i < steps->nr; i++)
		trails[call_tree_known(world->then->tree, steps->all[i].function)] = steps->all[i].trail;
	trails[0] = TRAIL_NONE;
	return trails;
}

/* Only what a compiler hardly does by itself counts here: the other instructions of some function differ in most builds. */
static bool edit_near_end(struct suspect_world *world, const struct end_steps *steps,
			  struct suspect_candidate *out)
{
	enum end_trail *trails = trails_of(world, steps);
	size_t nr = world->then->tree->nr_names;
	bool *in = xcalloc(nr, sizeof(*in));

	for (size_t i = 0; i < nr; i++)
		in[i] = trails[i] != TRAIL_NONE;
	suspect_read_changes(world);
	const struct code_change *edit = suspect_edited(world, in);
	bool found = edit && edit->change >= CHANGE_LINES;
	if (found) {
		blame_code(world, edit, SUSPECT_END_CODE, out);
		out->says.trail = trails[edit->function];
	}
	free(in);
	free(trails);
	return found;
}

/* ---- events alone ---- */

static bool freed_before(const struct suspect_world *world, uint32_t stack, struct suspect_candidate *out)
{
	const struct stack_view *view = stack_table_get(world->leaks->stacks, stack);

	if (!stack || view->site >= view->nr)
		return false;
	*out = (struct suspect_candidate){.rule = SUSPECT_FREED_BEFORE, .says = {.how = MISSING_FREED}};
	suspect_set(&out->says, view, view->site);
	return true;
}

static bool mispaired(const struct suspect_world *world, struct suspect_candidate *out)
{
	const struct leaks *leaks = world->leaks;
	const struct leak_incident *first = leaks->nr_incidents ? &leaks->incidents[0] : NULL;

	if (!first || !first->mispaired || !first->record.stack)
		return false;
	suspect_accuse(world, first->suspect, SUSPECT_MISPAIRED, out);
	out->says.how = MISSING_MISPAIRED;
	return true;
}

/* ---- where to start ---- */

static void add_start(struct run_end *end, struct end_step step, bool differs)
{
	for (size_t i = 0; i < end->nr_starts; i++) {
		if (!strcmp(end->starts[i].function, step.function))
			return;
	}
	if (end->nr_starts == END_STARTS_MAX)
		return;
	end->start_differs[end->nr_starts] = differs;
	end->starts[end->nr_starts++] = step;
}

/* What differs near the end, then elsewhere, if that is not much; else what was under way. */
static void find_starts(const struct suspect_world *world, const struct end_steps *steps, struct run_end *end)
{
	enum end_trail *trails = world->then ? trails_of(world, steps) : NULL;
	char **names = world->then ? world->then->tree->names : NULL;
	/* The strongest come first. Where there is none that a compiler hardly makes by itself, what there is. */
	enum change least =
	    world->nr_changes && world->changes[0].change < CHANGE_LINES ? CHANGE_INSIDE : CHANGE_LINES;
	size_t nr_far = 0;

	for (size_t i = 0; i < world->nr_changes; i++) {
		const struct code_change *one = &world->changes[i];
		if (trails[one->function] && one->change >= least)
			add_start(end, (struct end_step){names[one->function], trails[one->function]}, true);
		nr_far += one->change >= least;
	}
	for (size_t i = 0; i < world->nr_changes && nr_far <= END_STARTS_MAX; i++) {
		const struct code_change *one = &world->changes[i];
		if (one->change >= least)
			add_start(end, (struct end_step){names[one->function], TRAIL_NONE}, true);
	}
	for (size_t i = 0; i < steps->nr && end->nr_starts < END_STARTS_MAX / 2; i++) {
		if (steps->all[i].trail == TRAIL_STACK || steps->all[i].trail == TRAIL_LAST)
			add_start(end, steps->all[i], false);
	}
	free(trails);
}

/* ---- the choice ---- */

void suspect_find_end(struct suspect_world *world, struct run_end *end)
{
	struct suspect_candidate candidates[4] = {0};
	struct end_steps steps;
	size_t nr = 0;

	run_end_steps(world->leaks, &steps);
	if (world->then) {
		nr += edit_near_end(world, &steps, &candidates[nr]);
		nr += only_edit(world, &candidates[nr]);
	}
	end->freed_stack = run_end_freed(world->leaks);
	nr += freed_before(world, end->freed_stack, &candidates[nr]);
	nr += mispaired(world, &candidates[nr]);
	suspect_choose(&end->says, candidates, nr);
	end->same_code = world->changes_read && !world->nr_changes;
	if (!end->says.suspect)
		find_starts(world, &steps, end);
	run_end_steps_free(&steps);
}
