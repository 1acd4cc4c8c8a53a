/* SPDX-License-Identifier: MIT */
/* suspect: the engine. See suspect.h. */
#include "suspect.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* Per mille: from here on it is LIKELY, CERTAIN. */
#define LIKELY_FROM 650
#define CERTAIN_FROM 950

struct rule_facts {
	const char *name;
	uint32_t named, right;
	const char *help;
};

static const struct rule_facts facts[SUSPECT_NR] = {
    [SUSPECT_NONE] = {"none", 0, 0, "no rule said anything"},
#define SUSPECT_RULE(id, name, named, right, help) [SUSPECT_##id] = {name, named, right, help},
#include "suspect_rules.def"
#undef SUSPECT_RULE
};

/* Near to far: where nobody is named, the report shows what the first of them found. */
static suspect_rule_fn *const rules[] = {
    suspect_by_last_change, suspect_by_comparison, suspect_by_later_events, suspect_by_holder_end,
    suspect_by_baseline,    suspect_by_refusal,    suspect_by_second_get,   suspect_by_caller,
    suspect_by_leak_point,  suspect_by_only_edit,
};

_Static_assert(sizeof(rules) / sizeof(rules[0]) <= CONSIDERED_MAX, "a candidate of each rule");

const char *suspect_rule_name(enum suspect_rule rule)
{
	return facts[rule].name;
}

const char *suspect_rule_help(enum suspect_rule rule)
{
	return facts[rule].help;
}

void suspect_rule_measured(enum suspect_rule rule, uint32_t *named, uint32_t *right)
{
	*named = facts[rule].named;
	*right = facts[rule].right;
}

/* How often it is right, per mille. */
static uint32_t worth(enum suspect_rule rule)
{
	return 1000 * (facts[rule].right + 1) / (facts[rule].named + 2);
}

/* ---- what all groups share ---- */

struct suspect_world *suspect_world_new(struct leaks *leaks)
{
	struct suspect_world *world = xcalloc(1, sizeof(*world));
	const struct run *run = model_run(leaks->model);
	char *error = NULL;

	world->leaks = leaks;
	world->then = leaks->query->baseline;
	if (model_totals(leaks->model)->fails_injected || model_totals(leaks->model)->ooms)
		suspect_read_refusals(world);
	world->gives = gives_open(leaks->stacks->symbols);
	if (!run->watched)
		suspect_read_meetings(world);
	if (leaks->lives)
		world->points = leak_points_judge(leaks, leaks->stacks, leaks->lives, SIZE_MAX);
	if (!world->then)
		return world;
	world->now = baseline_of_run(leaks->model, leaks->stacks);
	world->types = run->kernel_path ? types_open(run->kernel_path, &error) : NULL;
	free(error);
	if (world->types) {
		world->code = call_sites_open(world->types, leaks->stacks->symbols,
					      run->watched ? run->stack_base : PHYS_OFFSET);
		world->shapes = code_shapes_open(world->types, leaks->stacks->symbols);
		if (suspect_is_rebuilt(world)) {
			code_shapes_close(world->shapes);
			world->shapes = NULL;
		}
	}
	return world;
}

void suspect_world_free(struct suspect_world *world)
{
	leak_points_free(&world->points);
	baseline_free(world->now);
	if (world->code)
		call_sites_close(world->code);
	if (world->shapes)
		code_shapes_close(world->shapes);
	if (world->types)
		types_close(world->types);
	gives_close(world->gives);
	free(world->meetings);
	free(world->changes);
	free(world->refusals);
	free(world);
}

bool suspect_is_counted(const struct suspect_case *one)
{
	static const char *const caches[] = {"inode", "file", "pipe", "shared"};

	for (size_t i = 0; one->item->object && i < sizeof(caches) / sizeof(caches[0]); i++) {
		if (one->item->ref == REF_NONE &&
		    !strcmp(model_cache(one->leaks->model, one->item->cache)->name, caches[i]))
			return true;
	}
	return false;
}

void suspect_set(struct missing_release *says, const struct stack_view *view, uint32_t frame)
{
	char place[256];

	if (frame >= view->nr)
		return;
	says->suspect = view->frames[frame].function;
	says->suspect_place = xstrdup(frame_place(&view->frames[frame], place, sizeof(place)));
}

void suspect_accuse(const struct suspect_world *world, const char *function, enum suspect_rule rule,
		    struct suspect_candidate *out)
{
	char place[256];

	out->rule = rule;
	out->says.suspect = function;
	out->says.suspect_place =
	    xstrdup(symbols_declared(world->leaks->stacks->symbols, function, place, sizeof(place)));
}

/* ---- the choice ---- */

static bool names(const struct suspect_candidate *candidate, const char *function)
{
	return candidate->says.suspect && function && !strcmp(candidate->says.suspect, function);
}

/* How likely it is, by all that name it, per mille. */
static uint32_t chance_of(const struct suspect_candidate *candidates, size_t nr, const char *function)
{
	uint32_t wrong = 1000;

	for (size_t i = 0; i < nr; i++) {
		if (names(&candidates[i], function))
			wrong = wrong * (1000 - worth(candidates[i].rule)) / 1000;
	}
	return 1000 - wrong;
}

/* The best candidate: of the likeliest function, the one of the best rule. nr: there is none. */
static size_t best_of(const struct suspect_candidate *candidates, size_t nr, uint32_t *chance)
{
	size_t best = nr;

	*chance = 0;
	for (size_t i = 0; i < nr; i++) {
		uint32_t one = chance_of(candidates, nr, candidates[i].says.suspect);
		if (!candidates[i].says.suspect)
			continue;
		if (best == nr || one > *chance ||
		    (one == *chance && worth(candidates[i].rule) > worth(candidates[best].rule))) {
			best = i;
			*chance = one;
		}
	}
	return best;
}

/*
 * Whose findings are shown with the best one's name: where the last pointer died says no more than that; a rule that compares, and names
 * the same, has more to show.
 */
static size_t shown_with(const struct suspect_candidate *candidates, size_t nr, size_t best)
{
	for (size_t i = 0; i < nr && candidates[best].says.how == MISSING_LEAK_POINT; i++) {
		if (i != best && names(&candidates[i], candidates[best].says.suspect))
			return i;
	}
	return best;
}

static void forget(struct missing_release *says)
{
	free(says->suspect_place);
	says->suspect_place = NULL;
	says->suspect = says->suspect_caller = NULL;
	says->suspect_releases = false;
}

/* What comparing within the run found stays for the report where another rule was better. */
static void keep_comparison(struct missing_release *says, const struct suspect_candidate *candidates,
			    size_t nr)
{
	for (size_t i = 0; i < nr && !says->total; i++) {
		const struct missing_release *other = &candidates[i].says;
		says->nr = other->nr;
		says->total = other->total;
		says->put_stack = other->put_stack;
		says->getter = other->getter;
		says->putter = other->putter;
	}
	for (size_t i = 0; i < nr && !says->baseline_total; i++) {
		const struct missing_release *other = &candidates[i].says;
		says->baseline_nr = other->baseline_nr;
		says->baseline_total = other->baseline_total;
		says->baseline_put = other->baseline_put;
	}
}

/*
 * How a call ends that fails says nothing of how others end: where unwinding forgot, what released others at the normal end is
 * no candidate. Nor is where the last pointer died, of a reference that was acquired twice: nothing is missing there.
 */
static size_t drop_beside_the_point(struct suspect_candidate *candidates, size_t nr)
{
	bool refused = false, twice = false;
	size_t kept = 0;

	for (size_t i = 0; i < nr; i++)
		refused = refused || candidates[i].rule == SUSPECT_REFUSAL ||
			  candidates[i].rule == SUSPECT_REFUSED_HELPER;
	for (size_t i = 0; i < nr; i++)
		twice = twice || candidates[i].rule == SUSPECT_TWICE;
	for (size_t i = 0; i < nr; i++) {
		enum missing_how how = candidates[i].says.how;
		if ((twice && how == MISSING_LEAK_POINT) ||
		    (refused &&
		     (how == MISSING_SAME_PATH || how == MISSING_SAME_GET || how == MISSING_SAME_FUNCTION)))
			free(candidates[i].says.suspect_place);
		else
			candidates[kept++] = candidates[i];
	}
	return kept;
}

size_t missing_nr_considered(const struct missing_release *missing)
{
	size_t nr = 0;

	while (nr < CONSIDERED_MAX && missing->considered[nr].rule)
		nr++;
	return nr;
}

uint32_t missing_nr_agreeing(const struct missing_release *missing)
{
	uint32_t nr_agree = 0;

	for (size_t i = 0; missing->suspect && i < missing_nr_considered(missing); i++)
		nr_agree += missing->considered[i].rule != missing->rule && missing->considered[i].function &&
			    !strcmp(missing->considered[i].function, missing->suspect);
	return nr_agree;
}

static void choose(struct missing_release *says, struct suspect_candidate *candidates, size_t nr)
{
	uint32_t chance;
	size_t best = best_of(candidates, nr, &chance);

	*says = (struct missing_release){0};
	if (best == nr)
		return;
	bool likely = chance >= LIKELY_FROM;
	size_t shown = likely ? shown_with(candidates, nr, best) : 0;
	*says = candidates[shown].says;
	candidates[shown].says.suspect_place = NULL;
	says->rule = candidates[best].rule;
	says->chance = chance;
	says->confidence = chance >= CERTAIN_FROM ? CONFIDENCE_CERTAIN
			   : likely               ? CONFIDENCE_LIKELY
						  : CONFIDENCE_NONE;
	for (size_t i = 0; i < nr; i++) {
		says->considered[i].rule = candidates[i].rule;
		says->considered[i].function = candidates[i].says.suspect;
	}
	keep_comparison(says, candidates, nr);
	if (!likely)
		forget(says);
}

void suspect_choose(struct missing_release *says, struct suspect_candidate *candidates, size_t nr)
{
	choose(says, candidates, nr);
	for (size_t i = 0; i < nr; i++)
		free(candidates[i].says.suspect_place);
}

/*
 * Some rules know the function only, and say where it begins. Where it was under way when the leaked ones were acquired, the line of its
 * call is known, and is nearer to the mistake.
 */
static void place_in_acquiring_stack(const struct suspect_case *one, struct missing_release *says)
{
	const uint32_t stacks[] = {one->item->get_stack, one->item->alloc_stack};
	char place[256];

	if (!says->suspect ||
	    (says->suspect_place && says->suspect_place[0] &&
	     strcmp(says->suspect_place,
		    symbols_declared(one->leaks->stacks->symbols, says->suspect, place, sizeof(place))) != 0))
		return;
	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		const struct stack_view *view = stack_table_get(one->leaks->stacks, stacks[i]);
		for (uint32_t k = view->site; k < view->nr; k++) {
			if (!view->frames[k].line || strcmp(view->frames[k].function, says->suspect) != 0)
				continue;
			free(says->suspect_place);
			says->suspect_place = xstrdup(frame_place(&view->frames[k], place, sizeof(place)));
			return;
		}
	}
}

void suspect_find(struct suspect_world *world, struct leak_group *group, const struct later_event *later,
		  size_t nr_later)
{
	struct suspect_candidate candidates[CONSIDERED_MAX] = {0};
	const struct suspect_case one = {.world = world,
					 .leaks = world->leaks,
					 .group = group,
					 .item = &world->leaks->items[group->items[0]],
					 .later = later,
					 .nr_later = nr_later};
	size_t nr = 0;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		nr += rules[i](&one, &candidates[nr]);
	nr = drop_beside_the_point(candidates, nr);
	suspect_choose(&group->missing, candidates, nr);
	place_in_acquiring_stack(&one, &group->missing);
}
