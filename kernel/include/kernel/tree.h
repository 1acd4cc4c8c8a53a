/* SPDX-License-Identifier: MIT */
/*
 * A balanced search tree whose nodes lie in the objects it orders (an AVL tree).
 *
 * Problem: find, among thousands of objects that come and go, the one at or before a key, without memory of the tree's
 * own. A list needs n steps; a table needs memory that may not be there.
 *
 * Idea: a binary tree in which the heights of the two sides of every node differ by one at most, so that n objects are at
 * most 1.45 log2(n) steps deep: 23 for 65536. The tree does not know the keys: its user descends by them and says where
 * a new node belongs. What else the user keeps for each subtree (the largest gap, say) is renewed by `update` wherever
 * the subtree changes.
 *
 *            40 h=3               insert 25:  descend 40, 20, 30; it becomes the left child of 30:
 *           /      \
 *       20 h=2    50 h=1          tree_link(&tree, &new->node, &node30, &node30.left)
 *          \
 *         30 h=1
 *
 * TREE-A  a node's height is 1 + that of its higher child; an absent child's is 0.
 * TREE-B  the heights of two children differ by 1 at most.
 * TREE-C  a child's parent is the node that has it; the root's is NULL.
 *
 * No locking: the owner's lock guards the tree.
 */
#ifndef KERNEL_TREE_H
#define KERNEL_TREE_H

#include <kernel/types.h>

struct tree_node {
	struct tree_node *parent, *left, *right;
	u32 height;
};

struct tree {
	struct tree_node *root;
	/*
	 * Renews what the user keeps for the subtree of `node` from the node itself and its children. True: it changed, so
	 * that the parent's must be renewed, too. NULL: nothing is kept.
	 */
	bool (*update)(struct tree_node *node);
};

static inline void tree_init(struct tree *tree, bool (*update)(struct tree_node *node))
{
	tree->root = NULL;
	tree->update = update;
}

/* Puts node at *place, a child of parent that is NULL (or the empty tree's root), and balances. */
void tree_link(struct tree *tree, struct tree_node *node, struct tree_node *parent, struct tree_node **place);
void tree_remove(struct tree *tree, struct tree_node *node);
/* The node's own contribution changed: renews what is kept from here to the root. */
void tree_renew(struct tree *tree, struct tree_node *node);
/* NULL, or the invariant broken. */
const char *tree_check(const struct tree *tree);

#endif
