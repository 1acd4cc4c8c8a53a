/* SPDX-License-Identifier: MIT */
/*
 * suspect_changed: which functions have other code than in the baseline. See suspect.h and describe/code_shape.h.
 *
 * The baseline is of a build without the leak. What a function did there it does no more: then it, or one that it calls, is not what
 * it was. Of the functions on the path of a missing release most are as they were; where one alone is not, it is that.
 *
 *     release missing on     sys_unlink > path_release > page_put
 *     branches               12 (12)      3 (2)                       ->  path_release
 *
 * One edit changes the code of several functions: what is inlined into what, and which branches are merged, the compiler decides again.
 * So changes have an order. That a call is gone from the source's function says most, then that on another number of its lines
 * there is a branch, then its number of branches, then its other instructions, their order last; that it makes its calls in another order
 * comes next to that they are others. The strongest is the edit where all the others hang together
 * with it by inlining:
 *
 *     page_detach_locked    does not call radix_remove any more        ->  this one
 *     drop_one              has a branch less, and calls page_detach_locked
 *
 * CHANGED-1  Branches come first, by copy of the function: other instructions also change with what the compiler put beside them.
 * CHANGED-2  Two changed functions on one path that do not hang together: it says nothing. Nor where so many functions differ that another
 *            compiler, or other options, must have made them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "suspect.h"

/* More functions with other branches than this, in percent: it is another compiler's code. */
#define REBUILT_PERCENT 25

static enum change change_of(const struct suspect_world *world, uint32_t function)
{
	const struct shape_line *then = baseline_shape(world->then, function);
	const struct code_shape *now = code_shapes_find(world->shapes, world->then->tree->names[function]);

	/* One that was inlined into nothing, or is new: it is another's code that changed. */
	if (!then || !now)
		return CHANGE_NONE;
	if (then->lines != LINES_UNKNOWN && then->lines != now->lines)
		return CHANGE_LINES;
	if ((uint64_t)then->branches * now->copies != (uint64_t)now->branches * then->copies)
		return CHANGE_FLOW;
	if (then->copies != now->copies)
		return CHANGE_NONE;
	if (then->sum != now->sum)
		return CHANGE_INSIDE;
	return then->sequence && then->sequence != now->sequence ? CHANGE_SEQUENCE : CHANGE_NONE;
}

bool suspect_is_rebuilt(const struct suspect_world *world)
{
	const struct baseline *then = world->then;
	size_t nr = 0;

	for (size_t i = 0; i < then->nr_shapes; i++)
		nr += change_of(world, then->shapes[i].function) >= CHANGE_FLOW;
	return 100 * nr > REBUILT_PERCENT * then->nr_shapes;
}

/* ---- all that differs ---- */

bool suspect_became_empty(const struct suspect_world *world, const char *function)
{
	return gives_has(world->gives, function) && !types_function(world->types, function) &&
	       !call_sites_called(world->code, function);
}

static void note(struct suspect_world *world, const struct code_change *one)
{
	for (size_t i = 0; i < world->nr_changes; i++) {
		struct code_change *known = &world->changes[i];
		if (known->function != one->function)
			continue;
		if (one->change > known->change) {
			known->change = one->change;
			known->callee = one->callee;
			known->calls = one->calls;
		}
		return;
	}
	ARRAY_PUSH(world->changes, world->nr_changes, world->changes_capacity) = *one;
}

/* A call that the one build has of a function and the other has not, or on another number of lines. */
struct call_change {
	uint32_t caller; /* a name of the baseline's tree */
	const char *callee;
	uint32_t then, now;
};

struct call_changes {
	struct call_change *all;
	size_t nr, capacity;
};

static void compare_calls(const struct suspect_world *world, struct call_changes *changes,
			  struct call_change call)
{
	const char *function = world->then->tree->names[call.caller];

	if (call.then != call.now && strcmp(function, call.callee) && gives_has(world->gives, function) &&
	    (call.now || !suspect_became_empty(world, call.callee)))
		ARRAY_PUSH(changes->all, changes->nr, changes->capacity) = call;
}

/* Functions that the baseline does not have are new, or have another name: that one calls such a one is part of its edit. */
static struct call_changes changes_of_calls(const struct suspect_world *world)
{
	const struct baseline *then = world->then;
	struct call_changes changes = {0};
	const char *caller, *callee;
	size_t at = 0;
	uint32_t nr;

	for (size_t i = 0; i < then->nr_edges; i++) {
		const struct code_edge *edge = &then->edges[i];
		callee = then->tree->names[edge->callee];
		nr = call_sites_nr(world->code, then->tree->names[edge->caller], callee);
		compare_calls(world, &changes, (struct call_change){edge->caller, callee, edge->nr, nr});
	}
	while ((nr = call_sites_next(world->code, &at, &caller, &callee)) != 0) {
		uint32_t a = call_tree_known(then->tree, caller), b = call_tree_known(then->tree, callee);
		if (baseline_shape(then, a) && baseline_shape(then, b) &&
		    baseline_calls(then, caller, callee) == 0)
			compare_calls(world, &changes, (struct call_change){a, callee, 0, nr});
	}
	return changes;
}

/* Several functions began or ceased to call it: it is that which changed (it went into a header, it has another name), not they. */
static bool is_of_the_callee(const struct call_changes *changes, const struct call_change *one)
{
	uint32_t nr = 0;

	for (size_t i = 0; i < changes->nr; i++) {
		const struct call_change *other = &changes->all[i];
		nr += !strcmp(other->callee, one->callee) && !other->then == !one->then &&
		      !other->now == !one->now;
	}
	return nr > 1 && (!one->then || !one->now);
}

static bool calls_otherwise(const struct call_changes *changes, uint32_t function)
{
	for (size_t i = 0; i < changes->nr; i++) {
		if (changes->all[i].caller == function)
			return true;
	}
	return false;
}

/* Of what makes the same calls. */
static void note_orders(struct suspect_world *world, const struct call_changes *changes)
{
	for (size_t i = 0; i < world->then->nr_shapes; i++) {
		const struct shape_line *then = &world->then->shapes[i];
		const char *name = world->then->tree->names[then->function];
		if (then->order && code_shapes_find(world->shapes, name) &&
		    !calls_otherwise(changes, then->function) &&
		    then->order != call_sites_order(world->code, name))
			note(world,
			     &(struct code_change){.function = then->function, .change = CHANGE_ORDER});
	}
}

static void note_all_calls(struct suspect_world *world)
{
	struct call_changes changes = changes_of_calls(world);

	for (size_t i = 0; i < changes.nr; i++) {
		const struct call_change *one = &changes.all[i];
		if (is_of_the_callee(&changes, one))
			continue;
		note(world,
		     &(struct code_change){.function = one->caller,
					   .change = one->then && one->now ? CHANGE_CALLS : CHANGE_ALL_CALLS,
					   .callee = one->callee,
					   .calls = (int32_t)(one->now - one->then)});
	}
	note_orders(world, &changes);
	free(changes.all);
}

/* ---- the edits ---- */

/* It is, or was, inlined somewhere: what stands around it then changes with it, and it with that. */
static bool is_inlined(const struct suspect_world *world, uint32_t function)
{
	const struct shape_line *then = baseline_shape(world->then, function);
	const char *name = world->then->tree->names[function];
	const struct code_shape *now = code_shapes_find(world->shapes, name);

	return !types_function(world->types, name) || (then && then->copies > 1) || (now && now->copies > 1);
}

static bool has_call_of(const struct suspect_world *world, uint32_t caller, uint32_t callee)
{
	char **names = world->then->tree->names;

	return is_inlined(world, callee) && (baseline_calls(world->then, names[caller], names[callee]) > 0 ||
					     call_sites_nr(world->code, names[caller], names[callee]));
}

/* Gives the number of an edit to all that hangs together with this change by inlining; what only differs inside leads no further. */
static void number_together(struct suspect_world *world, size_t at, uint32_t edit)
{
	struct code_change *changes = world->changes;

	changes[at].edit = edit;
	for (size_t i = 0; i < world->nr_changes && changes[at].change >= CHANGE_FLOW; i++) {
		if (!changes[i].edit && (has_call_of(world, changes[at].function, changes[i].function) ||
					 has_call_of(world, changes[i].function, changes[at].function)))
			number_together(world, i, edit);
	}
}

static int compare_changes(const void *a, const void *b)
{
	const struct code_change *left = a, *right = b;

	if (left->change != right->change)
		return left->change > right->change ? -1 : 1;
	return left->function < right->function ? -1 : left->function > right->function;
}

static void number_edits(struct suspect_world *world)
{
	if (world->nr_changes)
		qsort(world->changes, world->nr_changes, sizeof(*world->changes), compare_changes);
	for (size_t i = 0; i < world->nr_changes; i++) {
		if (!world->changes[i].edit)
			number_together(world, i, ++world->nr_edits);
	}
}

void suspect_read_changes(struct suspect_world *world)
{
	const struct baseline *then = world->then;

	if (world->changes_read || !then || !world->shapes || !then->nr_edges)
		return;
	world->changes_read = true;
	note_all_calls(world);
	for (size_t i = 0; i < then->nr_shapes; i++) {
		uint32_t function = then->shapes[i].function;
		enum change change = change_of(world, function);
		if (change)
			note(world, &(struct code_change){.function = function, .change = change});
	}
	number_edits(world);
}

static bool other_copies(const struct suspect_world *world, uint32_t function)
{
	const struct shape_line *then = baseline_shape(world->then, function);
	const struct code_shape *now = code_shapes_find(world->shapes, world->then->tree->names[function]);

	return then && now && then->copies != now->copies;
}

/* All that changed as much call this one, which is inlined into others than before, or is the one that they do not call any more. */
static bool is_inlined_by_all(const struct suspect_world *world, const struct code_change *one)
{
	char **names = world->then->tree->names;
	const char *name = names[one->function];
	bool others = other_copies(world, one->function);

	for (size_t i = 0; i < world->nr_changes; i++) {
		const struct code_change *other = &world->changes[i];
		if (other == one || other->edit != one->edit || other->change != one->change)
			continue;
		if (baseline_calls(world->then, names[other->function], name) <= 0 ||
		    (!others && (!other->callee || strcmp(other->callee, name))))
			return false;
	}
	return true;
}

/*
 * The function that an edit is of: the one of these that changed as much as any of the edit. NULL: there is none, or others of these did
 * as well, or may have.
 */
static const struct code_change *function_of(const struct suspect_world *world, uint32_t edit, const bool *in)
{
	const struct code_change *best = NULL, *inlined = NULL;
	enum change most = CHANGE_NONE; /* of the edit: the strongest come first */
	uint32_t nr = 0;

	for (size_t i = 0; i < world->nr_changes; i++) {
		const struct code_change *one = &world->changes[i];
		if (one->edit != edit)
			continue;
		most = most ? most : one->change;
		if (in && !in[one->function])
			continue;
		if (one->change == most) {
			nr++;
			best = one;
			inlined = is_inlined_by_all(world, one) ? one : inlined;
		} else if (most == CHANGE_LINES && other_copies(world, one->function)) {
			return NULL; /* one that is inlined elsewhere now takes its lines along */
		}
	}
	return nr == 1 ? best : inlined;
}

/* Of a kind that a compiler hardly makes by itself; where nothing is, what there is. */
static enum change threshold_of(const struct suspect_world *world, const bool *in)
{
	/* Of some functions the order alone says nothing: others have it as well. */
	enum change most = in ? CHANGE_INSIDE : CHANGE_NONE;

	for (size_t i = 0; i < world->nr_changes; i++) {
		const struct code_change *one = &world->changes[i];
		if (one->change > most && (!in || in[one->function]))
			most = one->change;
	}
	return most > CHANGE_LINES ? CHANGE_LINES : most;
}

const struct code_change *suspect_edited(const struct suspect_world *world, const bool *in)
{
	enum change threshold = threshold_of(world, in);
	uint32_t edit = 0;

	for (size_t i = 0; i < world->nr_changes; i++) {
		const struct code_change *one = &world->changes[i];
		if ((in && !in[one->function]) || one->change < threshold || one->edit == edit)
			continue;
		if (edit)
			return NULL;
		edit = one->edit;
	}
	return edit ? function_of(world, edit, in) : NULL;
}

struct changed suspect_changed_of(struct suspect_world *world, const uint32_t *functions, size_t nr)
{
	bool *in = xcalloc(world->then->tree->nr_names, sizeof(*in));

	suspect_read_changes(world);
	for (size_t i = 0; i < nr; i++)
		in[functions[i]] = !call_tree_dispatches(world->then->tree, functions[i]);
	const struct code_change *edited = suspect_edited(world, in);
	free(in);
	return edited ? (struct changed){edited->function, edited->change > CHANGE_INSIDE}
		      : (struct changed){0};
}
