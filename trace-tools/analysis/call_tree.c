/* SPDX-License-Identifier: MIT */
/* call_tree: see call_tree.h. */
#include "call_tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define DEPTH_MAX 128

struct call_tree *call_tree_new(void)
{
	struct call_tree *tree = xcalloc(1, sizeof(*tree));

	ARRAY_PUSH(tree->nodes, tree->nr_nodes, tree->nodes_capacity) = (struct call_node){0};
	ARRAY_PUSH(tree->names, tree->nr_names, tree->names_capacity) = xstrdup("");
	tree->slots_mask = 1023;
	tree->slots = xcalloc(tree->slots_mask + 1, sizeof(*tree->slots));
	return tree;
}

void call_tree_free(struct call_tree *tree)
{
	for (size_t i = 0; i < tree->nr_names; i++)
		free(tree->names[i]);
	free(tree->names);
	free(tree->slots);
	free(tree->nodes);
	free(tree);
}

/* ---- names ---- */

static size_t slot_of(const struct call_tree *tree, const char *name)
{
	uint64_t hash = 0;

	for (const char *c = name; *c; c++)
		hash = hash * 31 + (uint8_t)*c;
	size_t at = hash_mix(hash) & tree->slots_mask;
	while (tree->slots[at] && strcmp(tree->names[tree->slots[at]], name))
		at = (at + 1) & tree->slots_mask;
	return at;
}

static void grow_slots(struct call_tree *tree)
{
	tree->slots_mask = tree->slots_mask * 2 + 1;
	free(tree->slots);
	tree->slots = xcalloc(tree->slots_mask + 1, sizeof(*tree->slots));
	for (size_t i = 1; i < tree->nr_names; i++)
		tree->slots[slot_of(tree, tree->names[i])] = (uint32_t)i;
}

uint32_t call_tree_known(const struct call_tree *tree, const char *name)
{
	return tree->slots[slot_of(tree, name)];
}

uint32_t call_tree_name(struct call_tree *tree, const char *name)
{
	size_t at = slot_of(tree, name);

	if (tree->slots[at])
		return tree->slots[at];
	uint32_t number = (uint32_t)tree->nr_names;
	ARRAY_PUSH(tree->names, tree->nr_names, tree->names_capacity) = xstrdup(name);
	tree->slots[at] = number;
	if (2 * tree->nr_names > tree->slots_mask)
		grow_slots(tree);
	return number;
}

/* ---- nodes ---- */

uint32_t call_tree_child(const struct call_tree *tree, uint32_t parent, uint32_t name)
{
	uint32_t at = tree->nodes[parent].child;

	while (at && tree->nodes[at].name != name)
		at = tree->nodes[at].next;
	return at;
}

uint32_t call_tree_make(struct call_tree *tree, uint32_t parent, uint32_t name)
{
	uint32_t at = call_tree_child(tree, parent, name);

	if (at)
		return at;
	at = (uint32_t)tree->nr_nodes;
	ARRAY_PUSH(tree->nodes, tree->nr_nodes, tree->nodes_capacity) =
	    (struct call_node){.parent = parent, .next = tree->nodes[parent].child, .name = name};
	tree->nodes[parent].child = at;
	return at;
}

uint32_t call_tree_add(struct call_tree *tree, const struct stack_view *view, const char *act, bool inside)
{
	uint32_t at = 0, site = inside ? 0 : view->site;

	for (uint32_t i = view->nr; i-- > site;) {
		uint32_t name = call_tree_name(tree, view->frames[i].function);
		if (!at || tree->nodes[at].name != name)
			at = call_tree_make(tree, at, name);
	}
	if (site > 0 && site <= view->nr)
		act = view->frames[site - 1].function;
	return call_tree_make(tree, at, call_tree_name(tree, act));
}

void call_tree_sum(struct call_tree *tree)
{
	for (size_t i = 0; i < tree->nr_nodes; i++)
		tree->nodes[i].events_below = tree->nodes[i].events;
	for (size_t i = tree->nr_nodes; i-- > 1;)
		tree->nodes[tree->nodes[i].parent].events_below += tree->nodes[i].events_below;
}

size_t call_tree_path(const struct call_tree *tree, uint32_t at, uint32_t *path, size_t max)
{
	size_t nr = 0;

	for (uint32_t i = at; i; i = tree->nodes[i].parent)
		nr++;
	if (nr > max)
		return 0;
	for (size_t i = nr; at; at = tree->nodes[at].parent)
		path[--i] = at;
	return nr;
}

uint32_t call_tree_same(const struct call_tree *tree, uint32_t at, const struct call_tree *other)
{
	uint32_t path[DEPTH_MAX], found = 0;
	size_t nr = call_tree_path(tree, at, path, DEPTH_MAX);

	if (tree == other)
		return at;
	for (size_t i = 0; i < nr; i++) {
		uint32_t name = call_tree_known(other, call_tree_function(tree, path[i]));
		found = name ? call_tree_child(other, found, name) : 0;
		if (!found)
			return 0;
	}
	return found;
}

/* Of fewer functions half says little. */
#define DISPATCHED_MIN 32

bool call_tree_dispatches(const struct call_tree *tree, uint32_t name)
{
	bool *below = xcalloc(tree->nr_nodes, sizeof(*below));
	uint8_t *met = xcalloc(tree->nr_names, sizeof(*met));
	size_t nr[2] = {0}; /* on stacks at all, below this one */

	for (size_t i = 1; i < tree->nr_nodes; i++) { /* CALL-1 */
		const struct call_node *node = &tree->nodes[i];
		below[i] = below[node->parent] || (node->parent && tree->nodes[node->parent].name == name);
		for (int which = 0; which <= below[i]; which++) {
			nr[which] += !(met[node->name] & 1 << which);
			met[node->name] |= (uint8_t)(1 << which);
		}
	}
	free(below);
	free(met);
	return nr[1] >= DISPATCHED_MIN && 2 * nr[1] > nr[0];
}
