/* SPDX-License-Identifier: MIT */
/*
 * suspect_baseline: how the baseline released what leaked here. See suspect.h and baseline.h.
 *
 * 1. Which lives are alike: the same kind, acquired by the same functions; where there are none, by the same site for the same caller.
 * 2. How many of each way to be released are missing: the baseline's shares of what was acquired here, less what was released here.
 *
 *        released by            baseline      here      missing
 *        mm_destroy < exec         100          0          90
 *        mm_destroy < exit         200        180           0
 *
 * 3. Which call is gone. Each step of the missing ways, caller and callee, is looked at: how much of what is missing it has on its
 *    way; whether the code has fewer such calls than the baseline's (then that is it); whether the caller still did other things
 *    here, and the callee, which did several things in the baseline, none.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "suspect.h"

/* Of what is missing, in percent, that must have gone over a step for it to count. */
#define COVERED_PERCENT 60
#define PATH_MAX_NODES 128

/* How alike lives must be. */
enum alike { ALIKE_PATHS, ALIKE_GET, ALIKE_CALLER, ALIKE_SITE, ALIKE_NR };

/* The leaked ones, in the words of one tree. A number is 0 where the tree does not have it. */
struct life_key {
	uint32_t kind, alloc, get, site, caller;
	bool has_site;
};

struct step {
	uint32_t caller, callee; /* names in the baseline's tree */
	double missing;
	uint64_t then, now;               /* events below the callee, on the missing ways */
	uint64_t caller_then, caller_now; /* events below the caller besides */
	uint32_t nr_ways;                 /* different steps that follow the callee in the baseline */
	uint32_t depth;
};

struct comparison {
	const struct baseline *then, *now;
	double *missing; /* by node of the baseline's tree */
	double total;
	bool more;    /* as many were released here as in the baseline, and more were acquired */
	double scale; /* of what was acquired, here to the baseline */
	uint64_t nr_then;
	uint32_t usual_put; /* the baseline's most frequent */
	double usual_share;
	struct step *steps;
	size_t nr_steps, capacity;
};

/* ---- 1. lives that are alike ---- */

static void set_site(struct life_key *key, const struct call_tree *tree, const struct call_tree *from,
		     uint32_t get)
{
	uint32_t site = call_tree_site(from, get), caller = from->nodes[site].parent;

	key->has_site = true;
	key->site = call_tree_known(tree, call_tree_function(from, site));
	key->caller = caller ? call_tree_known(tree, call_tree_function(from, caller)) : 0;
}

static bool is_alike(const struct call_tree *tree, const struct life_path *life, const struct life_key *key,
		     enum alike alike)
{
	uint32_t site;

	if (!key->kind || life->kind != key->kind)
		return false;
	switch (alike) {
	case ALIKE_PATHS:
		return key->get && life->get == key->get && life->alloc == key->alloc;
	case ALIKE_GET:
		return key->get && life->get == key->get;
	default:
		site = call_tree_site(tree, life->get);
		return key->site && tree->nodes[site].name == key->site &&
		       (alike == ALIKE_SITE ||
			(key->caller && tree->nodes[tree->nodes[site].parent].name == key->caller));
	}
}

/* ---- 2. what is missing ---- */

/* Returns how many were acquired here. */
static double count_missing(struct comparison *comparison, const struct life_key *key_then,
			    const struct life_key *key_now, enum alike alike, uint64_t nr_leaked)
{
	const struct baseline *then = comparison->then, *now = comparison->now;
	uint64_t nr_now = nr_leaked;
	double *missing = comparison->missing;

	for (size_t i = 0; i < now->nr_lives; i++)
		nr_now += is_alike(now->tree, &now->lives[i], key_now, alike) ? now->lives[i].count : 0;
	for (size_t i = 0; i < then->nr_lives; i++) {
		const struct life_path *life = &then->lives[i];
		if (is_alike(then->tree, life, key_then, alike))
			missing[life->put] +=
			    (double)life->count * (double)nr_now / (double)comparison->nr_then;
	}
	for (size_t i = then->tree->nr_nodes; i-- > 1;) {
		if (missing[i] > comparison->usual_share) {
			comparison->usual_share = missing[i];
			comparison->usual_put = (uint32_t)i;
		}
	}
	for (size_t i = 0; i < now->nr_lives; i++) {
		const struct life_path *life = &now->lives[i];
		uint32_t put = is_alike(now->tree, life, key_now, alike)
				   ? call_tree_same(now->tree, life->put, then->tree)
				   : 0;
		missing[put] -= put ? (double)life->count : 0;
	}
	missing[0] = 0;
	for (size_t i = then->tree->nr_nodes; i-- > 1;) {
		if (missing[i] < 0)
			missing[i] = 0;
		comparison->total += missing[i];
	}
	comparison->more = nr_now > comparison->nr_then && nr_now - nr_leaked >= comparison->nr_then;
	return (double)nr_now;
}

/* ---- 3. which call is gone ---- */

static struct step *step_of(struct comparison *comparison, uint32_t caller, uint32_t callee)
{
	for (size_t i = 0; i < comparison->nr_steps; i++) {
		if (comparison->steps[i].caller == caller && comparison->steps[i].callee == callee)
			return &comparison->steps[i];
	}
	struct step *step = &ARRAY_PUSH(comparison->steps, comparison->nr_steps, comparison->capacity);
	step->caller = caller;
	step->callee = callee;
	return step;
}

static uint32_t ways_from(const struct call_tree *tree, uint32_t node)
{
	uint32_t nr = 0;

	for (uint32_t at = tree->nodes[node].child; at; at = tree->nodes[at].next)
		nr++;
	return nr;
}

/* One step of the missing ways, to this node of the baseline's tree. */
static void take_step(struct comparison *comparison, uint32_t node, double missing)
{
	const struct call_tree *then = comparison->then->tree, *now = comparison->now->tree;
	uint32_t parent = then->nodes[node].parent, caller = then->nodes[parent].name;
	uint32_t same = call_tree_same(then, node, now), same_parent = call_tree_same(then, parent, now);
	uint32_t path[PATH_MAX_NODES], ways = ways_from(then, node);
	uint32_t depth = (uint32_t)call_tree_path(then, node, path, PATH_MAX_NODES);
	uint64_t nr_now = same ? now->nodes[same].events_below : 0;

	struct step *step = step_of(comparison, caller, then->nodes[node].name);
	step->missing += missing;
	step->then += then->nodes[node].events_below;
	step->now += nr_now;
	step->caller_then += then->nodes[parent].events_below - then->nodes[node].events_below;
	step->caller_now += (same_parent ? now->nodes[same_parent].events_below : 0) - nr_now;
	step->nr_ways = ways > step->nr_ways ? ways : step->nr_ways;
	step->depth = depth > step->depth ? depth : step->depth;
}

static void take_steps(struct comparison *comparison)
{
	const struct call_tree *then = comparison->then->tree;
	double *below = xcalloc(then->nr_nodes, sizeof(*below));

	for (size_t i = then->nr_nodes; i-- > 1;) {
		below[i] += comparison->missing[i];
		below[then->nodes[i].parent] += below[i];
	}
	for (uint32_t i = 1; i < then->nr_nodes; i++) {
		if (then->nodes[i].parent && below[i] > 0)
			take_step(comparison, i, below[i]);
	}
	free(below);
}

static bool covers(const struct comparison *comparison, const struct step *step)
{
	return 100 * step->missing >= COVERED_PERCENT * comparison->total;
}

/* What the kernel's functions call that acquire or release a counted object's reference: no stack of the trace has them. */
#define REFERENCE_RECORDER "kmem_ref_stack"

/*
 * What this function called in the baseline to release a reference to such an object: inode_put, file_close, ... Of the functions that
 * record such references, the one that most of those call who release them, and fewer of those who acquire them. NULL: there is none.
 */
static const char *counted_release(const struct baseline *then, uint32_t caller, const char *kind_name)
{
	char **names = then->tree->names;
	uint32_t kind = call_tree_known(then->tree, kind_name);
	const char *found = NULL;
	int64_t most = 0;

	for (size_t i = 0; i < then->nr_edges; i++) {
		const char *callee = names[then->edges[i].callee];
		int64_t nr = 0;
		if (then->edges[i].caller != caller || baseline_calls(then, callee, REFERENCE_RECORDER) <= 0)
			continue;
		for (size_t k = 0; k < then->nr_lives; k++) {
			const struct life_path *life = &then->lives[k];
			const char *puts =
			    call_tree_function(then->tree, call_tree_site(then->tree, life->put));
			const char *gets =
			    call_tree_function(then->tree, call_tree_site(then->tree, life->get));
			if (life->kind == kind)
				nr += (baseline_calls(then, puts, callee) > 0) -
				      (baseline_calls(then, gets, callee) > 0);
		}
		if (nr > most) {
			most = nr;
			found = callee;
		}
	}
	return found;
}

/*
 * What this caller called on more lines in the baseline's code; NULL: nothing. For the last step, whose callee is the books' and may
 * have another name in the source: a counted object's reference is released by inode_put, file_close, ...
 */
static const char *call_gone(const struct suspect_world *world, uint32_t caller)
{
	const struct baseline *then = world->then;

	for (size_t i = 0; i < then->nr_edges; i++) {
		const struct code_edge *edge = &then->edges[i];
		if (edge->caller == caller && call_sites_nr(world->code, then->tree->names[caller],
							    then->tree->names[edge->callee]) < edge->nr)
			return then->tree->names[edge->callee];
	}
	return NULL;
}

static bool is_gone_from_code(const struct suspect_world *world, const struct step *step)
{
	const struct call_tree *then = world->then->tree;
	const char *caller = then->names[step->caller], *callee = then->names[step->callee];
	int64_t nr = baseline_calls(world->then, caller, callee);

	if (!gives_has(world->gives, caller) || suspect_became_empty(world, callee))
		return false;
	if (nr == 0 && !step->nr_ways)
		return call_gone(world, step->caller) != NULL;
	return nr > 0 && call_sites_nr(world->code, caller, callee) < nr;
}

/*
 * The outermost step whose calls are fewer in this kernel's code; NULL: there is none. A function that is called less is inlined
 * less, so that its own calls may seem fewer, too; one that nobody calls any more is not in the code.
 */
static const struct step *step_gone_from_code(const struct suspect_world *world,
					      const struct comparison *comparison)
{
	const struct step *found = NULL;

	for (size_t i = 0; world->code && i < comparison->nr_steps; i++) {
		const struct step *step = &comparison->steps[i];
		if (4 * step->missing >= comparison->total && (!found || step->depth < found->depth) &&
		    is_gone_from_code(world, step))
			found = step;
	}
	return found;
}

static void accuse(const struct suspect_case *one, const char *function, const char *callee,
		   enum suspect_rule rule, struct suspect_candidate *out)
{
	suspect_accuse(one->world, function, rule, out);
	out->says.expected = callee;
}

/* The callee released what leaked, in the baseline. */
static void accuse_of_release(const struct suspect_case *one, uint32_t caller, const char *callee,
			      enum suspect_rule rule, struct suspect_candidate *out)
{
	const struct leak_item *item = one->item;
	const struct baseline *then = one->world->then;
	bool counted = item->object && !leak_is_object(item);

	if (counted && !strcmp(callee, baseline_act(false, true)))
		callee = counted_release(then, caller, baseline_kind_of_page(item->ref));
	accuse(one, then->tree->names[caller], callee, rule, out);
}

/* The callers of the steps that a good part of what is missing went over, and whom the code has between caller and callee. */
static size_t take_callers(const struct comparison *comparison, uint32_t **functions)
{
	const struct baseline *then = comparison->then;
	char **names = then->tree->names;
	size_t nr = 0, capacity = 0;

	for (size_t i = 0; i < comparison->nr_steps; i++) {
		const struct step *step = &comparison->steps[i];
		if (4 * step->missing < comparison->total)
			continue;
		ARRAY_PUSH(*functions, nr, capacity) = step->caller;
		/* One that left by a tail call is on no stack. */
		for (size_t k = 0; k < then->nr_edges && step->nr_ways; k++) {
			uint32_t between = then->edges[k].callee;
			if (then->edges[k].caller == step->caller &&
			    baseline_calls(then, names[between], names[step->callee]) > 0)
				ARRAY_PUSH(*functions, nr, capacity) = between;
		}
	}
	return nr;
}

/* The only function on the missing ways that has other code now, and what it called there; false: there is none. */
static bool find_changed(const struct suspect_case *one, const struct comparison *comparison,
			 struct suspect_candidate *out)
{
	char **names = comparison->then->tree->names;
	uint32_t *functions = NULL, callee = 0;
	size_t nr = take_callers(comparison, &functions);
	struct changed changed = suspect_changed_of(one->world, functions, nr);

	free(functions);
	for (size_t i = 0; i < comparison->nr_steps; i++) {
		const struct step *step = &comparison->steps[i];
		if (step->caller == changed.function ||
		    (!callee &&
		     baseline_calls(comparison->then, names[changed.function], names[step->callee]) > 0))
			callee = step->callee;
	}
	if (changed.function)
		accuse_of_release(one, changed.function, names[callee],
				  changed.branches ? SUSPECT_CHANGED : SUSPECT_CHANGED_IN, out);
	return changed.function != 0;
}

/* The caller goes on with other work as in the baseline, but for this much, in percent. */
#define INTACT_PERCENT 97
/* So many other events of the caller would be gone, had it not been called: fewer may be chance. */
#define GONE_BESIDES_MIN 1.5

/*
 * What the caller did besides is all there, though some of it would be gone, too, if the caller had not been called; and of the
 * callee's events so many are gone as are missing.
 */
static bool caller_is_intact(const struct comparison *comparison, const struct step *step)
{
	double then = (double)step->then * comparison->scale, gone = then - (double)step->now;
	double besides = (double)step->caller_then * comparison->scale;

	return gone > 0 && 2 * gone >= step->missing && besides * gone / then >= GONE_BESIDES_MIN &&
	       100.0 * (double)step->caller_now >= INTACT_PERCENT * besides;
}

/*
 * The innermost step that nearly all of what is missing went over and whose caller did all else that it does: further in, nothing
 * was left to do, so further out is where the call is missing.
 */
static const struct step *step_of_intact_caller(const struct comparison *comparison)
{
	const struct step *found = NULL;

	for (size_t i = 0; i < comparison->nr_steps; i++) {
		const struct step *step = &comparison->steps[i];
		if (covers(comparison, step) && caller_is_intact(comparison, step) &&
		    (!found || step->depth > found->depth))
			found = step;
	}
	return found;
}

/* Steps further in than this one whose caller did nothing else in the baseline: the missing call may be in any of them, too. */
static bool is_alone(const struct comparison *comparison, const struct step *of)
{
	for (size_t i = 0; i < comparison->nr_steps; i++) {
		const struct step *step = &comparison->steps[i];
		if (step->depth > of->depth && step->caller == of->callee)
			return step->caller_then > 0;
	}
	return true;
}

/* ---- the rule ---- */

static bool choose_step(const struct suspect_case *one, const struct comparison *comparison,
			struct suspect_candidate *out)
{
	char **names = comparison->then->tree->names;
	const struct step *step = step_gone_from_code(one->world, comparison);
	enum suspect_rule rule = SUSPECT_CODE;

	if (!step && find_changed(one, comparison, out))
		return true;
	if (!step && !suspect_is_counted(one)) {
		step = step_of_intact_caller(comparison);
		rule = step && is_alone(comparison, step) ? SUSPECT_INTACT : SUSPECT_INTACT_CHAIN;
	}
	if (!step)
		return false;
	const char *gone =
	    rule == SUSPECT_CODE && !step->nr_ways ? call_gone(one->world, step->caller) : NULL;
	accuse_of_release(one, step->caller, gone ? gone : names[step->callee], rule, out);
	return true;
}

/* The leaked ones' get, or a call on its way, stands more often in the code than in the baseline's: a get too many. */
static bool find_added_get(const struct suspect_case *one, uint32_t get, struct suspect_candidate *out)
{
	const struct call_tree *now = one->world->now->tree;

	for (; one->world->code && get && now->nodes[get].parent; get = now->nodes[get].parent) {
		const char *callee = call_tree_function(now, get);
		const char *caller = call_tree_function(now, now->nodes[get].parent);
		int64_t nr = baseline_calls(one->world->then, caller, callee);
		if (nr >= 0 && call_sites_nr(one->world->code, caller, callee) > nr) {
			accuse(one, caller, callee, SUSPECT_ADDED, out);
			return true;
		}
	}
	return false;
}

/* Of the functions on the way to the leaked ones' get, one alone has other code than in the baseline. */
static bool find_changed_getter(const struct suspect_case *one, uint32_t get, struct suspect_candidate *out)
{
	const struct call_tree *now = one->world->now->tree, *then = one->world->then->tree;
	uint32_t functions[PATH_MAX_NODES], leaf = get;
	size_t nr = 0;

	for (get = now->nodes[get].parent; get && nr < PATH_MAX_NODES; get = now->nodes[get].parent)
		functions[nr++] = call_tree_known(then, call_tree_function(now, get));
	struct changed changed = suspect_changed_of(one->world, functions, nr);
	if (changed.function)
		accuse(one, then->names[changed.function], call_tree_function(now, leaf), SUSPECT_CHANGED_GET,
		       out);
	return changed.function != 0;
}

bool suspect_by_baseline(const struct suspect_case *one, struct suspect_candidate *out)
{
	const struct suspect_world *world = one->world;
	const struct leak_item *item = one->item;
	char text[32];

	if (!world->then)
		return false;
	const char *kind = leak_is_object(item)
			       ? baseline_kind_of_object(one->leaks->model, item->cache, text)
			       : baseline_kind_of_page(item->ref);
	const char *act = baseline_act(leak_is_object(item), false);
	bool whole = !item->object && baseline_is_of_the_books(item->ref);
	struct call_tree *now = world->now->tree;
	const struct call_tree *then = world->then->tree;
	struct life_key key_now = {
	    .kind = call_tree_known(now, kind),
	    .alloc = call_tree_add(now, stack_table_get(one->leaks->stacks, item->alloc_stack), act, whole),
	    .get = call_tree_add(now, stack_table_get(one->leaks->stacks, item->get_stack), act, whole)};
	struct life_key key_then = {.kind = call_tree_known(then, kind),
				    .alloc = call_tree_same(now, key_now.alloc, then),
				    .get = call_tree_same(now, key_now.get, then)};
	set_site(&key_now, now, now, key_now.get);
	set_site(&key_then, then, now, key_now.get);
	struct comparison comparison = {.then = world->then, .now = world->now};
	enum alike alike = ALIKE_PATHS;
	for (; alike < ALIKE_NR && !comparison.nr_then; alike++) {
		for (size_t i = 0; i < world->then->nr_lives; i++)
			comparison.nr_then += is_alike(then, &world->then->lives[i], &key_then, alike)
						  ? world->then->lives[i].count
						  : 0;
	}
	if (!comparison.nr_then)
		return false;
	comparison.missing = xcalloc(then->nr_nodes, sizeof(*comparison.missing));
	double nr_acquired = count_missing(&comparison, &key_then, &key_now, alike - 1,
					   one->group->nr_refs ? one->group->nr_refs : one->group->nr_items);
	take_steps(&comparison);
	*out = (struct suspect_candidate){
	    .says = {.how = MISSING_BASELINE,
		     .baseline_nr =
			 (uint64_t)(comparison.usual_share * (double)comparison.nr_then / nr_acquired + 0.5),
		     .baseline_total = comparison.nr_then,
		     .baseline_put = comparison.usual_put}};
	comparison.scale = nr_acquired / (double)comparison.nr_then;
	bool found = comparison.total > 0 && !comparison.more && choose_step(one, &comparison, out);
	if (!found ||
	    (out->rule != SUSPECT_CODE && out->rule != SUSPECT_CHANGED && out->rule != SUSPECT_CHANGED_IN)) {
		struct suspect_candidate other = *out;
		if (find_added_get(one, key_now.get, &other) ||
		    find_changed_getter(one, key_now.get, &other)) {
			free(found ? out->says.suspect_place : NULL);
			*out = other;
			found = true;
		} else if (comparison.more) {
			found = choose_step(one, &comparison, out);
		}
	}
	free(comparison.missing);
	free(comparison.steps);
	return found || comparison.usual_put;
}
