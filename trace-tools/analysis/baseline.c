/* SPDX-License-Identifier: MIT */
/* baseline: see baseline.h. The file is read and written in baseline_file.c. */
#include "baseline.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define CACHE_KIND "cache:"

const char *baseline_kind_of_page(uint32_t ref)
{
	return ref_kind_text(ref);
}

const char *baseline_kind_of_object(const struct model *model, uint16_t cache, char buf[32])
{
	snprintf(buf, 32, CACHE_KIND "%s", model_cache(model, cache)->name);
	return buf;
}

const char *baseline_act(bool object, bool release)
{
	static const char *const acts[2][2] = {{"page_get", "page_put"},
					       {"kmem_cache_alloc", "kmem_cache_free"}};

	return acts[object][release];
}

bool baseline_is_of_the_books(uint32_t ref)
{
	return ref == REF_SLAB;
}

/* ---- from a run ---- */

struct reading {
	struct baseline *out;
	struct stack_table *stacks;
	uint32_t *
	    nodes[2][2]; /* by acquiring and releasing, by inside or not, by stack id; 0: not asked for yet */
	uint32_t nr_stacks;
};

/* ref: as in struct release. */
static uint32_t node_of(struct reading *reading, uint32_t stack, uint32_t ref, bool release)
{
	bool object = ref > REF_NR, inside = !object && baseline_is_of_the_books(ref);
	uint32_t *nodes = reading->nodes[release][inside];

	if (stack > reading->nr_stacks)
		stack = 0;
	if (!nodes[stack])
		nodes[stack] = call_tree_add(reading->out->tree, stack_table_get(reading->stacks, stack),
					     baseline_act(object, release), inside);
	return nodes[stack];
}

static int compare_lives(const void *a, const void *b)
{
	const struct life_path *left = a, *right = b;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	if (left->alloc != right->alloc)
		return left->alloc < right->alloc ? -1 : 1;
	if (left->get != right->get)
		return left->get < right->get ? -1 : 1;
	return left->put < right->put ? -1 : left->put > right->put;
}

static int compare_edges(const void *a, const void *b)
{
	const struct code_edge *left = a, *right = b;

	if (left->caller != right->caller)
		return left->caller < right->caller ? -1 : 1;
	return left->callee < right->callee ? -1 : left->callee > right->callee;
}

static int compare_shapes(const void *a, const void *b)
{
	const struct shape_line *left = a, *right = b;

	return left->function < right->function ? -1 : left->function > right->function;
}

static void sort_code(struct baseline *out)
{
	if (out->nr_edges)
		qsort(out->edges, out->nr_edges, sizeof(*out->edges), compare_edges);
	if (out->nr_shapes)
		qsort(out->shapes, out->nr_shapes, sizeof(*out->shapes), compare_shapes);
}

void baseline_sort(struct baseline *out)
{
	size_t nr = 0;

	sort_code(out);
	if (out->nr_lives)
		qsort(out->lives, out->nr_lives, sizeof(*out->lives), compare_lives);
	for (size_t i = 0; i < out->nr_lives; i++) {
		if (nr && !compare_lives(&out->lives[nr - 1], &out->lives[i]))
			out->lives[nr - 1].count += out->lives[i].count;
		else
			out->lives[nr++] = out->lives[i];
	}
	out->nr_lives = nr;
}

static void take_releases(struct reading *reading, const struct model *model)
{
	struct baseline *out = reading->out;
	const struct release *one;
	char text[32];

	for (size_t at = 0; (one = model_next_release(model, &at));) {
		bool object = one->ref > REF_NR;
		const char *kind =
		    object ? baseline_kind_of_object(model, (uint16_t)(one->ref - REF_NR - 1), text)
			   : baseline_kind_of_page(one->ref);
		struct life_path life = {.kind = call_tree_name(out->tree, kind),
					 .alloc = node_of(reading, one->alloc_stack, one->ref, false),
					 .get = node_of(reading, one->get_stack, one->ref, false),
					 .put = node_of(reading, one->put_stack, one->ref, true),
					 .count = one->count};
		out->tree->nodes[life.get].events += one->count;
		out->tree->nodes[life.put].events += one->count;
		ARRAY_PUSH(out->lives, out->nr_lives, out->lives_capacity) = life;
	}
}

/* The node may be new, and the array of nodes another one then: so the node comes first. */
static void count_acquired(struct reading *reading, uint32_t stack, uint32_t ref)
{
	uint32_t node = node_of(reading, stack, ref, false);

	reading->out->tree->nodes[node].events++;
}

/* What is live at the end was acquired, too. */
static void take_live(struct reading *reading, const struct model *model)
{
	const struct page_state *page;
	const struct object_state *object;

	for (uint32_t pfn = 0; (page = model_next_live(model, &pfn)); pfn++) {
		for (const struct page_ref *ref = model_refs(model, page); ref;
		     ref = model_next_ref(model, ref))
			count_acquired(reading, ref->stack, ref->ref);
	}
	for (size_t at = 0; (object = model_next_object(model, &at));)
		count_acquired(reading, object->stack, RELEASE_OF_OBJECT(object->cache));
}

struct baseline *baseline_of_run(const struct model *model, struct stack_table *stacks)
{
	struct baseline *out = xcalloc(1, sizeof(*out));
	struct reading reading = {.out = out, .stacks = stacks, .nr_stacks = stacks->run->nr_stacks};

	out->tree = call_tree_new();
	out->build = xstrdup(stacks->run->build_id);
	out->workload = baseline_workload(stacks->run);
	for (int i = 0; i < 4; i++)
		reading.nodes[i / 2][i % 2] = xcalloc(reading.nr_stacks + 1, sizeof(*reading.nodes[0][0]));
	take_releases(&reading, model);
	take_live(&reading, model);
	baseline_sort(out);
	call_tree_sum(out->tree);
	for (int i = 0; i < 4; i++)
		free(reading.nodes[i / 2][i % 2]);
	return out;
}

/* ---- the code ---- */

void baseline_take_code(struct baseline *baseline, const struct call_sites *code,
			const struct code_shapes *shapes)
{
	const char *caller, *callee;
	size_t at = 0;
	uint32_t nr;

	while (code && (nr = call_sites_next(code, &at, &caller, &callee)) != 0)
		ARRAY_PUSH(baseline->edges, baseline->nr_edges, baseline->edges_capacity) =
		    (struct code_edge){call_tree_name(baseline->tree, caller),
				       call_tree_name(baseline->tree, callee), nr};
	for (size_t i = 0; shapes && i < shapes->nr; i++) {
		const struct code_shape *one = &shapes->all[i];
		ARRAY_PUSH(baseline->shapes, baseline->nr_shapes, baseline->shapes_capacity) =
		    (struct shape_line){call_tree_name(baseline->tree, one->function),
					one->copies,
					one->branches,
					one->sum,
					one->lines,
					one->sequence,
					one->body,
					code ? call_sites_order(code, one->function) : 0};
	}
	sort_code(baseline);
}

int64_t baseline_calls(const struct baseline *baseline, const char *caller, const char *callee)
{
	const struct code_edge wanted = {call_tree_known(baseline->tree, caller),
					 call_tree_known(baseline->tree, callee), 0};

	if (!baseline->nr_edges)
		return -1;
	const struct code_edge *found =
	    bsearch(&wanted, baseline->edges, baseline->nr_edges, sizeof(wanted), compare_edges);
	return found ? (int64_t)found->nr : 0;
}

const struct shape_line *baseline_shape(const struct baseline *baseline, uint32_t function)
{
	const struct shape_line wanted = {.function = function};

	return baseline->nr_shapes
		   ? bsearch(&wanted, baseline->shapes, baseline->nr_shapes, sizeof(wanted), compare_shapes)
		   : NULL;
}

void baseline_free(struct baseline *baseline)
{
	if (!baseline)
		return;
	call_tree_free(baseline->tree);
	free(baseline->lives);
	free(baseline->edges);
	free(baseline->shapes);
	free(baseline->build);
	free(baseline->workload);
	free(baseline);
}
