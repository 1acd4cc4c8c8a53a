/* SPDX-License-Identifier: MIT */
/*
 * The balanced tree of tree.h. Both changes, one node more or less, end in the same walk: from the lowest node whose
 * subtree changed towards the root, mending heights and what the user keeps, and rotating where TREE-B is broken. The walk
 * ends where neither changed, as nothing above can have noticed.
 */
#include <kernel/lib.h>
#include <kernel/tree.h>

static u32 height_of(const struct tree_node *node)
{
	return node ? node->height : 0;
}

/* True: the height or what is kept for the subtree is another than before. */
static bool renew(const struct tree *tree, struct tree_node *node)
{
	u32 height = 1 + MAX(height_of(node->left), height_of(node->right));
	bool changed = height != node->height;

	node->height = height;
	return (tree->update && tree->update(node)) || changed;
}

/* Where `node` hangs. */
static struct tree_node **place_of(struct tree *tree, const struct tree_node *node)
{
	struct tree_node *parent = node->parent;

	return !parent ? &tree->root : parent->left == node ? &parent->left : &parent->right;
}

static void set_child(struct tree_node *parent, struct tree_node **place, struct tree_node *child)
{
	*place = child;
	if (child)
		child->parent = parent;
}

/*
 * The child takes the node's place, and the node becomes its other child. `up` is node->left or node->right:
 *
 *        node             up
 *        /  \            /  \
 *      up    c   <->    a   node
 *     /  \                  /  \
 *    a    b                b    c
 */
static struct tree_node *rotate(struct tree *tree, struct tree_node *node, struct tree_node *up)
{
	struct tree_node **place = place_of(tree, node), *parent = node->parent;

	if (up == node->left) {
		set_child(node, &node->left, up->right);
		set_child(up, &up->right, node);
	} else {
		set_child(node, &node->right, up->left);
		set_child(up, &up->left, node);
	}
	set_child(parent, place, up);
	up->parent = parent;
	renew(tree, node);
	renew(tree, up);
	return up;
}

/* TREE-B at this node, whose subtrees are in order. Returns who stands there now. */
static struct tree_node *balance(struct tree *tree, struct tree_node *node)
{
	struct tree_node *left = node->left, *right = node->right;

	if (height_of(left) > height_of(right) + 1) {
		if (height_of(left->right) > height_of(left->left))
			left = rotate(tree, left, left->right);
		return rotate(tree, node, left);
	}
	if (height_of(right) > height_of(left) + 1) {
		if (height_of(right->left) > height_of(right->right))
			right = rotate(tree, right, right->left);
		return rotate(tree, node, right);
	}
	return node;
}

/* whole: as far as the root in any case. */
static void mend(struct tree *tree, struct tree_node *node, bool whole)
{
	while (node) {
		bool changed = renew(tree, node);
		struct tree_node *top = balance(tree, node);

		if (!changed && top == node && !whole)
			return;
		node = top->parent;
	}
}

void tree_link(struct tree *tree, struct tree_node *node, struct tree_node *parent, struct tree_node **place)
{
	node->left = node->right = NULL;
	node->parent = parent;
	node->height = 0; /* so that the walk goes on to the parent */
	*place = node;
	mend(tree, node, false);
}

void tree_remove(struct tree *tree, struct tree_node *node)
{
	struct tree_node **place = place_of(tree, node), *from = node->parent, *next = NULL;

	if (node->left && node->right) {
		/* The next in order has no left child: it takes the node's place. */
		next = node->right;
		while (next->left)
			next = next->left;
		from = next->parent == node ? next : next->parent;
		set_child(next->parent, place_of(tree, next), next->right);
		set_child(next, &next->left, node->left);
		set_child(next, &next->right, node->right);
		next->parent = node->parent;
		next->height = node->height;
		*place = next;
	} else {
		set_child(node->parent, place, node->left ? node->left : node->right);
	}
	/* What `next` keeps is that of its former place, and tells nothing about what its parent knows. */
	mend(tree, from, next != NULL);
}

void tree_renew(struct tree *tree, struct tree_node *node)
{
	mend(tree, node, false);
}

/* In order, without memory: the next one is the leftmost on the right, or the first above that we are left of. */
static const struct tree_node *next_in_order(const struct tree_node *node)
{
	if (node->right) {
		for (node = node->right; node->left;)
			node = node->left;
		return node;
	}
	while (node->parent && node->parent->right == node)
		node = node->parent;
	return node->parent;
}

const char *tree_check(const struct tree *tree)
{
	const struct tree_node *node = tree->root;

	if (node && node->parent)
		return "TREE-C: the root has a parent";
	while (node && node->left)
		node = node->left;
	for (; node; node = next_in_order(node)) {
		u32 left = height_of(node->left), right = height_of(node->right);

		if ((node->left && node->left->parent != node) ||
		    (node->right && node->right->parent != node))
			return "TREE-C: a child has another parent";
		if (node->height != 1 + MAX(left, right))
			return "TREE-A: a height is wrong";
		if (left > right + 1 || right > left + 1)
			return "TREE-B: a node is out of balance";
	}
	return NULL;
}
