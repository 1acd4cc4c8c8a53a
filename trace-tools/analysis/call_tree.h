/* SPDX-License-Identifier: MIT */
/*
 * call_tree: call stacks merged into one tree, by function, the outermost first.
 *
 * Two runs of one kernel, or of two builds of it, have different stack ids and addresses, and the same functions. The tree
 * makes stacks comparable: a stack is one node, the path from the root to it is who called whom.
 *
 *     syscall_dispatch
 *       sys_exec
 *         exec_commit
 *           mm_destroy             9 events below
 *             pt_destroy
 *               page_put           6
 *             kmem_cache_free      3
 *
 * A path ends with the outermost function of the books' machinery (page_put, kmem_cache_free), called by the site: most stacks
 * begin with its caller, so what it was is known from the event. A function that
 * calls itself is one node: compilers split functions in two, which looks the same. Names are numbers in one table, so that comparing two functions of one tree is comparing two numbers.
 *
 * CALL-1  Node 0 is the root, above all; a node's number is greater than its parent's.
 * CALL-2  events of a node counts those that ended in it, events_below those and all further in.
 */
#ifndef TOOLS_ANALYSIS_CALL_TREE_H
#define TOOLS_ANALYSIS_CALL_TREE_H

#include "target/stack_table.h"

struct call_node {
	uint32_t parent, child, next; /* 0 ends */
	uint32_t name;
	uint64_t events, events_below;
};

struct call_tree {
	struct call_node *nodes;
	size_t nr_nodes, nodes_capacity;
	char **names; /* by number; [0] is "" */
	size_t nr_names, names_capacity;
	uint32_t *slots; /* hash of names: number, 0 is empty */
	size_t slots_mask;
};

struct call_tree *call_tree_new(void);
void call_tree_free(struct call_tree *tree);

/* The number of a name; call_tree_known: 0 where the tree has never met it. */
uint32_t call_tree_name(struct call_tree *tree, const char *name);
uint32_t call_tree_known(const struct call_tree *tree, const char *name);

/* The child of this name, made if it is not there; call_tree_child: 0 if it is not there. */
uint32_t call_tree_make(struct call_tree *tree, uint32_t parent, uint32_t name);
uint32_t call_tree_child(const struct call_tree *tree, uint32_t parent, uint32_t name);
/*
 * The node of a whole stack, made if it is not there. `act`: the machinery's function, where the stack does not say it. `inside`: the
 * machinery's own functions are on the path, too.
 */
uint32_t call_tree_add(struct call_tree *tree, const struct stack_view *view, const char *act, bool inside);
/* Adds up events_below, from events; once all is counted. */
void call_tree_sum(struct call_tree *tree);

/* The node of `other` that has the same path as node `at` of `tree`; 0: there is none. */
uint32_t call_tree_same(const struct call_tree *tree, uint32_t at, const struct call_tree *other);
/* The path of a node, outermost first: its nodes without the root; returns how many (at most max; 0 if there are more). */
size_t call_tree_path(const struct call_tree *tree, uint32_t at, uint32_t *path, size_t max);

/*
 * Whether more than half of all functions stand below this one on some path: it dispatches (a system call's entry), and that it is on the
 * way to something tells nothing.
 */
bool call_tree_dispatches(const struct call_tree *tree, uint32_t name);

/* The function that called the machinery at this leaf; the leaf where there is no stack. */
static inline uint32_t call_tree_site(const struct call_tree *tree, uint32_t leaf)
{
	return tree->nodes[leaf].parent ? tree->nodes[leaf].parent : leaf;
}

static inline const char *call_tree_function(const struct call_tree *tree, uint32_t at)
{
	return tree->names[tree->nodes[at].name];
}

#endif
