/* SPDX-License-Identifier: MIT */
/*
 * suspect_changed: which of some functions has other code than in the baseline. See suspect.h and describe/code_shape.h.
 *
 * The baseline is of a build without the leak. What a function did there it does no more: then it, or one that it calls, is not what
 * it was. Of the functions on the path of a missing release most are as they were; where one alone is not, it is that.
 *
 *     release missing on     sys_unlink > path_release > page_put
 *     branches               12 (12)      3 (2)                       ->  path_release
 *
 * CHANGED-1  Branches come first, by copy of the function: other instructions also change with what the compiler put beside them.
 * CHANGED-2  Two changed functions on one path: it says nothing. Nor where so many functions differ that another compiler, or other
 *            options, must have made them.
 */
#include "suspect.h"

/* More functions with other branches than this, in percent: it is another compiler's code. */
#define REBUILT_PERCENT 25

enum change { CHANGE_NONE, CHANGE_INSIDE, CHANGE_FLOW };

static enum change change_of(const struct suspect_world *world, uint32_t function)
{
	const struct shape_line *then = baseline_shape(world->then, function);
	const struct code_shape *now = code_shapes_find(world->shapes, world->then->tree->names[function]);

	/* One that was inlined into nothing, or is new: it is another's code that changed. */
	if (!then || !now)
		return CHANGE_NONE;
	if ((uint64_t)then->branches * now->copies != (uint64_t)now->branches * then->copies)
		return CHANGE_FLOW;
	return then->copies == now->copies && then->sum != now->sum ? CHANGE_INSIDE : CHANGE_NONE;
}

bool suspect_is_rebuilt(const struct suspect_world *world)
{
	const struct baseline *then = world->then;
	size_t nr = 0;

	for (size_t i = 0; i < then->nr_shapes; i++)
		nr += change_of(world, then->shapes[i].function) == CHANGE_FLOW;
	return 100 * nr > REBUILT_PERCENT * then->nr_shapes;
}

struct changed suspect_changed_of(const struct suspect_world *world, const uint32_t *functions, size_t nr)
{
	for (enum change wanted = CHANGE_FLOW; world->shapes && wanted > CHANGE_NONE; wanted--) {
		struct changed found = {.branches = wanted == CHANGE_FLOW};
		for (size_t i = 0; i < nr; i++) {
			if (functions[i] == found.function || change_of(world, functions[i]) != wanted)
				continue;
			if (found.function)
				return (struct changed){0};
			found.function = functions[i];
		}
		if (found.function)
			return found;
	}
	return (struct changed){0};
}
