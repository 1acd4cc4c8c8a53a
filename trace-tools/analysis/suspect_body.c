/* SPDX-License-Identifier: MIT */
/*
 * suspect_body: which one function of the whole kernel was edited. See suspect.h, suspect_changed.c and describe/code_shape.h.
 *
 * Calls and branching lines are the source's, and a function that has others was edited. Where none has, there are other instructions at
 * most, and these also change in what is inlined beside an edit: a constant that is now handed to it is multiplied by the compiler. What
 * tells the two apart are bodies, which are what the compiler made of a function with all that it inlined:
 *
 *     differ      resident_add    in the bodies of share_leaf, unmap_leaf, set_leaf
 *     bodies      share_leaf alone differs      ->  resident_add is what it was, else they all did. It is share_leaf
 *
 * BODY-1  What is in another body as well, which does not differ, was not edited.
 * BODY-2  Two functions that are in the one body only: nobody is named where both may be the one.
 */
#include <string.h>

#include "suspect.h"

static const struct code_shape *shape_now(const struct suspect_world *world, uint32_t function)
{
	return code_shapes_find(world->shapes, world->then->tree->names[function]);
}

/* How many functions have another body, and one of them; *known: the baseline says what they were. */
static uint32_t other_bodies(const struct suspect_world *world, uint32_t *body, bool *known)
{
	const struct baseline *then = world->then;
	uint32_t nr = 0;

	*known = false;
	for (size_t i = 0; i < then->nr_shapes; i++) {
		const struct shape_line *shape = &then->shapes[i];
		const struct code_shape *now = shape_now(world, shape->function);
		*known = *known || shape->body;
		if (!shape->body || !now || shape->body == now->body)
			continue;
		*body = shape->function;
		nr++;
	}
	return nr;
}

static bool is_only_in(const struct suspect_world *world, uint32_t function, uint32_t body)
{
	const struct code_shape *now = shape_now(world, function);

	return now && now->hosts == 1 && !strcmp(now->host, world->then->tree->names[body]);
}

/* No other function is in this body alone. */
static bool is_all_its_own(const struct suspect_world *world, uint32_t body)
{
	for (size_t i = 0; i < world->then->nr_shapes; i++) {
		uint32_t function = world->then->shapes[i].function;
		if (function != body && is_only_in(world, function, body))
			return false;
	}
	return true;
}

/* This body is all that differs. best: of the changes, as suspect_edited has it; NULL. */
static bool edited_in(const struct suspect_world *world, uint32_t body, const struct code_change *best,
		      struct code_change *edit)
{
	const struct code_change *found = NULL;
	uint32_t nr = 0;

	for (size_t i = 0; i < world->nr_changes; i++) {
		if (!is_only_in(world, world->changes[i].function, body))
			continue;
		found = &world->changes[i];
		nr++;
	}
	if (!nr) {
		*edit = (struct code_change){.function = body, .change = CHANGE_SEQUENCE};
		return is_all_its_own(world, body);
	}
	if (nr > 1)
		found = best && is_only_in(world, best->function, body) ? best : NULL;
	if (found)
		*edit = *found;
	return found != NULL;
}

bool suspect_only_one_edited(struct suspect_world *world, struct code_change *edit)
{
	uint32_t body = 0;
	bool known;

	suspect_read_changes(world);
	if (!world->nr_changes)
		return false;
	const struct code_change *best = suspect_edited(world, NULL);
	/* The strongest come first. */
	if (world->changes[0].change < CHANGE_LINES) {
		uint32_t nr = other_bodies(world, &body, &known);
		if (nr == 1)
			return edited_in(world, body, best, edit);
		const struct code_shape *now = best ? shape_now(world, best->function) : NULL;
		if (!known && now && now->hosts > 1)
			return false;
	}
	if (best)
		*edit = *best;
	return best != NULL;
}
