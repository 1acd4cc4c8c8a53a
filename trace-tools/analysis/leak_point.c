/* SPDX-License-Identifier: MIT */
/*
 * leak_point: who is to blame for a group, by what its lives say. See leak_point.h.
 *
 * Each life that was lost by itself has said its functions (leak_point_hear.c). A group's function is the one that most of its
 * lives say; the rules are tried on these in order. Then groups are compared: one function may have been given them all.
 */
#include <stdlib.h>

#include "base/util.h"
#include "leak_point_priv.h"

const char *leak_point_rule_text(enum leak_point_rule rule)
{
	static const char *const texts[] = {
	    [LEAK_POINT_NONE] = "no pointer died",
	    [LEAK_POINT_GIVEN_BY_ALL] =
		"all were given to it last, by several callers, and none was released",
	    [LEAK_POINT_GIVEN_RELEASES] = "it releases others of this type, was given these, and did not",
	    [LEAK_POINT_CALLER] = "lost in what it called, which releases others for its other callers",
	    [LEAK_POINT_TAKEN] = "it was given the last pointer and did not release it",
	    [LEAK_POINT_LOST] = "the last pointer died here",
	};

	return texts[rule];
}

/* ---- a group ---- */

/* The place that most say; nr_places: how many functions they are in. */
static struct leak_vote count_votes(const struct testimony *heard, size_t nr, size_t offset,
				    size_t *nr_places)
{
	struct leak_vote *places = NULL, best = {0};
	size_t capacity = 0, k;

	*nr_places = 0;
	for (size_t i = 0; i < nr; i++) {
		const struct leak_vote *vote = (const void *)((const char *)&heard[i] + offset);
		if (!vote->function)
			continue;
		for (k = 0; k < *nr_places && !same_function(places[k].function, vote->function); k++)
			;
		if (k < *nr_places)
			places[k].nr++;
		else
			ARRAY_PUSH(places, *nr_places, capacity) = *vote;
	}
	for (k = 0; k < *nr_places; k++) {
		if (places[k].nr > best.nr)
			best = places[k];
	}
	free(places);
	return best;
}

/* Do most of them say so? The flag is a member of struct testimony. */
static bool most(const struct testimony *heard, size_t nr, size_t flag)
{
	size_t yes = 0;

	for (size_t i = 0; i < nr; i++)
		yes += *(const bool *)((const char *)&heard[i] + flag);
	return yes * 2 > nr;
}

/*
 * Was it given to a function that is inlined into this one, and is there for releasing it? pipe_free() into pipe_close_end().
 */
static void blame_inlined(struct leak_point *point, const struct judge *judge)
{
	const char *function = point->blamed.function, *inlined, *found = NULL;

	if (names_a_release(function))
		return;
	for (size_t at = 0; (inlined = gives_inlined(judge->gives, function, &at));) {
		if (!names_a_release(inlined) || !gives_take_alike(judge->gives, inlined, function) ||
		    same_function(found, inlined))
			continue;
		if (found)
			return; /* which of them? */
		found = inlined;
	}
	if (!found)
		return;
	point->blamed.function = found;
	symbols_declared(judge->stacks->symbols, found, point->blamed.place, sizeof(point->blamed.place));
}

static void blame(struct leak_point *point, struct judge *judge, const struct leak_item *item,
		  const struct testimony *heard)
{
	size_t nr = point->nr_lost;
	const struct leak_vote *given = &point->given, *lost = &point->lost;
	bool given_elsewhere = given->function && !same_function(given->function, lost->function);

	if (!nr || !lost->function)
		return;
	point->rule = LEAK_POINT_LOST;
	point->blamed = *lost;
	if (given_elsewhere && given->nr == nr && point->nr_places > 1)
		point->rule = LEAK_POINT_GIVEN_BY_ALL;
	else if (2 * point->releaser.nr > nr)
		point->rule = LEAK_POINT_GIVEN_RELEASES;
	else if (point->caller.function && !most(heard, nr, offsetof(struct testimony, born_there)) &&
		 releases_others(judge, item, lost->function) &&
		 !releases_others(judge, item, point->caller.function))
		point->rule = LEAK_POINT_CALLER;
	else if (given_elsewhere && (most(heard, nr, offsetof(struct testimony, taken_and_given)) ||
				     (given->nr == nr && names_a_release(given->function))))
		point->rule = LEAK_POINT_TAKEN;
	if (point->rule == LEAK_POINT_GIVEN_RELEASES)
		point->blamed = point->releaser;
	else if (point->rule == LEAK_POINT_CALLER)
		point->blamed = point->caller;
	else if (point->rule != LEAK_POINT_LOST)
		point->blamed = *given;
	if (point->rule == LEAK_POINT_GIVEN_BY_ALL || point->rule == LEAK_POINT_TAKEN)
		blame_inlined(point, judge);
}

static void judge_life(struct leak_point *point, struct judge *judge, const struct leak_item *item,
		       struct testimony *heard)
{
	const struct life *life = life_of(judge->lives, item);
	bool passing = life && life_is_reference(life) && is_passing((uint32_t)life->ref);

	point->nr_asked++;
	if (!life) {
		point->nr_ended++;
	} else if (life->nr_outside && !passing) {
		point->nr_held++;
		point->held = life;
	} else if (life_went_with(judge, item, life)) {
		point->nr_within++;
	} else if (!end_of(life)->by) {
		point->nr_held++;
		point->held = life;
	} else {
		heard[point->nr_lost++] = testimony_hear(judge, item, life);
	}
}

static void judge_group(struct leak_point *point, struct judge *judge, const struct leak_group *group,
			size_t limit)
{
	struct testimony *heard = xcalloc(group->nr_items + 1, sizeof(*heard));
	const struct leak_item *items = judge->leaks->items;
	size_t ignored;

	for (size_t i = 0; i < group->nr_items && i < limit; i++)
		judge_life(point, judge, &items[group->items[i]], heard);
	point->lost = count_votes(heard, point->nr_lost, offsetof(struct testimony, lost), &point->nr_places);
	point->given = count_votes(heard, point->nr_lost, offsetof(struct testimony, given), &ignored);
	point->caller = count_votes(heard, point->nr_lost, offsetof(struct testimony, caller), &ignored);
	point->releaser = count_votes(heard, point->nr_lost, offsetof(struct testimony, releaser), &ignored);
	point->within = count_votes(heard, point->nr_lost, offsetof(struct testimony, within), &ignored);
	for (size_t i = 0; i < point->nr_lost && !point->example; i++) {
		if (same_function(heard[i].lost.function, point->lost.function))
			point->example = heard[i].life;
	}
	blame(point, judge, &items[group->items[0]], heard);
	free(heard);
}

/* Is there a group that was lost elsewhere, and all of it given to the same function last? */
static bool given_elsewhere_too(const struct leak_points *points, const struct leak_point *point)
{
	for (size_t g = 0; g < points->nr; g++) {
		const struct leak_point *other = &points->list[g];
		if (other->nr_lost && other->given.nr == other->nr_lost &&
		    same_function(other->given.function, point->given.function) &&
		    !same_function(other->lost.function, point->lost.function))
			return true;
	}
	return false;
}

/* The same of the structure that had it, which only its owner releases: walk_end(&walk). */
static bool within_elsewhere_too(const struct leak_points *points, const struct leak_point *point)
{
	if (point->nr_places > 1)
		return true;
	for (size_t g = 0; g < points->nr; g++) {
		const struct leak_point *other = &points->list[g];
		if (other->nr_lost && other->within.nr == other->nr_lost &&
		    same_function(other->within.function, point->within.function) &&
		    !same_function(other->lost.function, point->lost.function))
			return true;
	}
	return false;
}

/* Several groups whose callers differ, as the callers of one group may: all were given to one function. */
static void blame_across(struct leak_points *points)
{
	for (size_t g = 0; g < points->nr; g++) {
		struct leak_point *point = &points->list[g];
		if ((point->rule == LEAK_POINT_LOST || point->rule == LEAK_POINT_TAKEN) &&
		    point->given.nr == point->nr_lost && point->given.function &&
		    given_elsewhere_too(points, point)) {
			point->rule = LEAK_POINT_GIVEN_BY_ALL;
			point->blamed = point->given;
		} else if (point->rule == LEAK_POINT_LOST && point->within.nr == point->nr_lost &&
			   within_elsewhere_too(points, point)) {
			point->rule = LEAK_POINT_GIVEN_BY_ALL;
			point->blamed = point->within;
		}
	}
}

static bool was_given(const struct leak_point *point)
{
	return point->rule == LEAK_POINT_GIVEN_BY_ALL || point->rule == LEAK_POINT_GIVEN_RELEASES ||
	       point->rule == LEAK_POINT_TAKEN;
}

/*
 * record_free() is blamed where it was called; where it was inlined and nothing is left of it, as it does nothing, its caller is. One mistake
 * is likelier than two.
 */
static void blame_vanished(struct leak_points *points, const struct judge *judge)
{
	for (size_t g = 0; g < points->nr; g++) {
		struct leak_point *point = &points->list[g];
		for (size_t k = 0; k < points->nr; k++) {
			const struct leak_vote *other = &points->list[k].blamed;
			if (!was_given(&points->list[k]) || !was_given(point) ||
			    !gives_vanished(judge->gives, other->function, point->blamed.function) ||
			    !gives_take_alike(judge->gives, other->function, point->blamed.function))
				continue;
			point->blamed.function = other->function;
			memcpy(point->blamed.place, other->place, sizeof(other->place));
		}
	}
}

struct leak_points leak_points_judge(const struct leaks *leaks, struct stack_table *stacks,
				     struct lives *lives, size_t limit)
{
	struct leak_points points = {.list = xcalloc(leaks->nr_groups + 1, sizeof(*points.list)),
				     .nr = leaks->nr_groups};

	lives_sort(lives);
	char *path = xasprintf("%s/kernel/kernel.kd", stacks->run->folder), *error = NULL;
	struct judge judge = {.leaks = leaks,
			      .stacks = stacks,
			      .lives = lives,
			      .kd = stacks->run->watched ? kd_read(path, &error) : NULL,
			      .gives = gives_open(stacks->symbols)};
	for (size_t g = 0; g < points.nr; g++)
		judge_group(&points.list[g], &judge, &leaks->groups[g], limit);
	blame_across(&points);
	blame_vanished(&points, &judge);
	gives_close(judge.gives);
	leak_point_code_close(&judge);
	kd_free(judge.kd);
	free(judge.known);
	free(error);
	free(path);
	return points;
}

void leak_points_free(struct leak_points *points)
{
	free(points->list);
	*points = (struct leak_points){0};
}
