/* SPDX-License-Identifier: MIT */
/*
 * A radix tree from a 32-bit index to a non-NULL pointer, 64 slots a node.
 *
 * RADIX-1  height 0: the tree is empty or holds only index 0, whose item stands in the root itself.
 * RADIX-2  height h >= 1: every index < 64^h has its place; the root is a node.
 * RADIX-3  node->count is the number of non-NULL slots; a node with count 0 does not exist.
 * RADIX-4  the tree is as low as its largest index allows after a removal.
 *
 * No locking; the owner's lock guards the tree. Nodes come from and go back to the functions given.
 */
#ifndef KERNEL_RADIX_H
#define KERNEL_RADIX_H

#include <kernel/types.h>

#define RADIX_NODES_MAX                                                                                      \
	11U /* of one insertion: five levels above an old root, and a path of six below the new one */

struct radix_node {
	u32 count;
	u32 shift; /* of this node's slot index within the tree's index */
	void *slots[RADIX_SLOTS];
};

struct radix_ops {
	struct radix_node *(*alloc_node)(u32 flags); /* uninitialised memory, or NULL when there is none */
	void (*free_node)(struct radix_node *node);
};

struct radix {
	void *root; /* the item of index 0 at height 0, else a struct radix_node */
	u32 height;
	const struct radix_ops *ops;
};

void radix_init(struct radix *tree, const struct radix_ops *ops);
void *radix_lookup(const struct radix *tree, u32 index);
/*
 * 0; -EEXIST; or -ENOMEM, when *stock has fewer nodes than the insertion needs: the tree is unchanged.
 *
 * An insertion happens under the owner's lock, where memory cannot be waited for. So it allocates nothing: its nodes are
 * got before, without the lock, as many as turn out to be needed.
 *
 *     struct radix_node *stock = NULL;
 *     do {
 *             lock; err = radix_insert(&tree, index, item, &stock); unlock;
 *     } while (err == -ENOMEM && radix_stock_add(&tree, &stock, flags));
 *     radix_stock_free(&tree, stock);
 *
 * ends, as each round has one node more, and an insertion needs RADIX_NODES_MAX at most. Most need none: the first round
 * is the only one.
 */
int radix_insert(struct radix *tree, u32 index, void *item, struct radix_node **stock);
/* One node more; flags are those of alloc_node. False: no memory. */
bool radix_stock_add(const struct radix *tree, struct radix_node **stock, u32 flags);
void radix_stock_free(const struct radix *tree, struct radix_node *stock);
/* The item removed, or NULL. Frees nodes that became empty. */
void *radix_remove(struct radix *tree, u32 index);
/* First item with index >= *index; sets *index to it. NULL when there is none. */
void *radix_next(const struct radix *tree, u32 *index);
/* Calls visit for each interior node (the auditor claims them). */
void radix_for_each_node(const struct radix *tree, void (*visit)(struct radix_node *, void *), void *arg);
/* NULL, or the text of the first invariant broken. */
const char *radix_check(const struct radix *tree);

#endif
