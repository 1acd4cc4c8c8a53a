/* SPDX-License-Identifier: MIT */
/*
 * The radix tree of radix.h. An insertion counts the nodes it will need before it changes anything, so one whose stock is
 * too small leaves the tree as it was.
 */
#include <kernel/errno.h>
#include <kernel/lib.h>
#include <kernel/radix.h>

#define HEIGHT_MAX 6 /* 6 * 6 bits hold any 32-bit index */

static u32 slot_of(u32 index, u32 shift)
{
	return index >> shift & (RADIX_SLOTS - 1);
}

/* The least height at which index has its place. */
static u32 height_for(u32 index)
{
	u32 height = 0;

	for (u64 rest = index; rest; rest >>= RADIX_SHIFT)
		height++;
	return height;
}

static bool index_fits(const struct radix *tree, u32 index)
{
	return height_for(index) <= tree->height;
}

void radix_init(struct radix *tree, const struct radix_ops *ops)
{
	tree->root = NULL;
	tree->height = 0;
	tree->ops = ops;
}

void *radix_lookup(const struct radix *tree, u32 index)
{
	void *item = tree->root;

	if (!index_fits(tree, index))
		return NULL;
	for (u32 height = tree->height; height > 0 && item; height--) {
		struct radix_node *node = item;

		item = node->slots[slot_of(index, node->shift)];
	}
	return item;
}

/* Nodes that an insertion of index will use, or -EEXIST. */
static int nodes_needed(const struct radix *tree, u32 index)
{
	u32 height = height_for(index);

	if (!tree->root)
		return (int)height;
	if (height > tree->height) /* new levels above the old root, and beside it a path below the top one */
		return (int)(height - tree->height + height - 1);
	struct radix_node *node = tree->root;
	for (u32 level = tree->height; level > 0; level--) {
		void *item = node->slots[slot_of(index, node->shift)];

		if (!item)
			return (int)level - 1;
		node = item;
	}
	return -EEXIST;
}

/* Nodes taken for one insertion, linked through slot 0. */
static struct radix_node *take_node(struct radix_node **stock, u32 shift)
{
	struct radix_node *node = *stock;

	*stock = node->slots[0];
	memset(node, 0, sizeof(*node));
	node->shift = shift;
	return node;
}

void radix_stock_free(const struct radix *tree, struct radix_node *stock)
{
	while (stock) {
		struct radix_node *next = stock->slots[0];

		tree->ops->free_node(stock);
		stock = next;
	}
}

bool radix_stock_add(const struct radix *tree, struct radix_node **stock, u32 flags)
{
	struct radix_node *node = tree->ops->alloc_node(flags);

	if (!node)
		return false;
	node->slots[0] = *stock;
	*stock = node;
	return true;
}

static int stock_size(const struct radix_node *stock)
{
	int nr = 0;

	for (; stock; stock = stock->slots[0])
		nr++;
	return nr;
}

static void set_slot(struct radix_node *node, u32 slot, void *item)
{
	node->slots[slot] = item;
	node->count++;
}

static void grow(struct radix *tree, u32 height, struct radix_node **stock)
{
	if (!tree->root) {
		if (height > 0) {
			tree->root = take_node(stock, (height - 1) * RADIX_SHIFT);
			tree->height = height;
		}
		return;
	}
	while (tree->height < height) {
		struct radix_node *node = take_node(stock, tree->height * RADIX_SHIFT);

		set_slot(node, 0, tree->root);
		tree->root = node;
		tree->height++;
	}
}

int radix_insert(struct radix *tree, u32 index, void *item, struct radix_node **stock)
{
	int needed = nodes_needed(tree, index);

	if (needed < 0)
		return needed;
	if (needed > 0 && stock_size(*stock) < needed)
		return -ENOMEM;
	grow(tree, height_for(index), stock);
	if (tree->height == 0) {
		tree->root = item;
		return 0;
	}
	struct radix_node *node = tree->root;
	while (node->shift > 0) {
		u32 slot = slot_of(index, node->shift);

		if (!node->slots[slot])
			set_slot(node, slot, take_node(stock, node->shift - RADIX_SHIFT));
		node = node->slots[slot];
	}
	set_slot(node, slot_of(index, 0), item);
	return 0;
}

/* RADIX-4 after a removal. */
static void lower(struct radix *tree)
{
	while (tree->height > 0) {
		struct radix_node *node = tree->root;

		if (node->count > 1 || (node->count == 1 && !node->slots[0]))
			return;
		tree->root = node->slots[0];
		tree->height--;
		tree->ops->free_node(node);
		if (!tree->root)
			tree->height = 0;
	}
}

void *radix_remove(struct radix *tree, u32 index)
{
	struct radix_node *path[HEIGHT_MAX];
	void *item = tree->root;

	if (!index_fits(tree, index))
		return NULL;
	for (u32 i = 0; i < tree->height && item; i++) {
		path[i] = item;
		item = path[i]->slots[slot_of(index, path[i]->shift)];
	}
	if (!item)
		return NULL;
	if (tree->height == 0) {
		tree->root = NULL;
		return item;
	}
	for (u32 i = tree->height; i-- > 0;) {
		struct radix_node *node = path[i];

		node->slots[slot_of(index, node->shift)] = NULL;
		if (--node->count > 0 || i == 0)
			break;
		tree->ops->free_node(node);
	}
	lower(tree);
	return item;
}

void *radix_next(const struct radix *tree, u32 *index)
{
	u64 at = *index;

	if (tree->height == 0)
		return at == 0 ? tree->root : NULL;
	/* Each round walks down from the root and passes the first hole it meets, as wide as it is. */
	while (at <= UINT32_MAX && index_fits(tree, (u32)at)) {
		struct radix_node *node = tree->root;

		for (;;) {
			void *item = node->slots[slot_of((u32)at, node->shift)];

			if (!item) {
				at = ((at >> node->shift) + 1) << node->shift;
				break;
			}
			if (node->shift == 0) {
				*index = (u32)at;
				return item;
			}
			node = item;
		}
	}
	return NULL;
}

/* Recursion goes at most HEIGHT_MAX deep. */
static void visit_nodes(struct radix_node *node, void (*visit)(struct radix_node *, void *), void *arg)
{
	if (node->shift > 0)
		for (u32 i = 0; i < RADIX_SLOTS; i++)
			if (node->slots[i])
				visit_nodes(node->slots[i], visit, arg);
	visit(node, arg);
}

void radix_for_each_node(const struct radix *tree, void (*visit)(struct radix_node *, void *), void *arg)
{
	if (tree->height > 0)
		visit_nodes(tree->root, visit, arg);
}

static const char *check_node(const struct radix_node *node, u32 shift)
{
	u32 count = 0;

	if (node->shift != shift)
		return "RADIX-2: a node's shift does not fit its level";
	for (u32 i = 0; i < RADIX_SLOTS; i++) {
		if (!node->slots[i])
			continue;
		count++;
		if (shift > 0) {
			const char *broken = check_node(node->slots[i], shift - RADIX_SHIFT);

			if (broken)
				return broken;
		}
	}
	if (count != node->count)
		return "RADIX-3: a node's count is not its number of items";
	return count == 0 ? "RADIX-3: a node without items" : NULL;
}

const char *radix_check(const struct radix *tree)
{
	if (tree->height == 0)
		return NULL;
	if (tree->height > HEIGHT_MAX)
		return "RADIX-2: higher than any index needs";
	if (!tree->root)
		return "RADIX-1: height without a root";
	const struct radix_node *root = tree->root;
	if (root->count == 1 && root->slots[0])
		return "RADIX-4: higher than the largest index needs";
	return check_node(root, (tree->height - 1) * RADIX_SHIFT);
}
