/* SPDX-License-Identifier: MIT */
/*
 * The balanced tree against a sorted array: random insertions and removals, every invariant and the largest value of each
 * subtree after each step; and that 60000 nodes in ascending order are no deeper than 1.45 log2(n).
 */
#include <host/host_test.h>
#include <kernel/tree.h>
#include <stdlib.h>

#define NR_ITEMS 300

struct item {
	struct tree_node node;
	u32 key, weight, heaviest; /* heaviest: of the subtree */
	bool linked;
};

static struct tree tree;

static struct item *item_of(struct tree_node *node)
{
	return node ? CONTAINER_OF(node, struct item, node) : NULL;
}

static u32 heaviest_of(struct tree_node *node)
{
	return node ? item_of(node)->heaviest : 0;
}

static bool update(struct tree_node *node)
{
	struct item *item = item_of(node);
	u32 before = item->heaviest;

	item->heaviest = MAX(item->weight, MAX(heaviest_of(node->left), heaviest_of(node->right)));
	return item->heaviest != before;
}

static void insert(struct item *item)
{
	struct tree_node *parent = NULL, **place = &tree.root;

	while (*place) {
		parent = *place;
		place = item->key < item_of(parent)->key ? &parent->left : &parent->right;
	}
	item->heaviest = 0;
	tree_link(&tree, &item->node, parent, place);
	item->linked = true;
}

/* Returns the number of nodes below; keys rise, and what is kept is what is there. */
static u32 check_below(struct tree_node *node, u32 *last_key, u32 *heaviest)
{
	u32 left_heaviest = 0, right_heaviest = 0, nr;

	*heaviest = 0;
	if (!node)
		return 0;
	nr = check_below(node->left, last_key, &left_heaviest);
	assert_true(item_of(node)->key > *last_key);
	*last_key = item_of(node)->key;
	nr += 1 + check_below(node->right, last_key, &right_heaviest);
	*heaviest = MAX(item_of(node)->weight, MAX(left_heaviest, right_heaviest));
	assert_int_equal(item_of(node)->heaviest, *heaviest);
	return nr;
}

static void check(u32 nr_expected)
{
	u32 last_key = 0, heaviest;

	assert_sound(tree_check(&tree));
	assert_int_equal(check_below(tree.root, &last_key, &heaviest), nr_expected);
}

static void test_random(void **state)
{
	static struct item items[NR_ITEMS];
	u32 nr = 0;

	srand((unsigned)host_seed());
	tree_init(&tree, update);
	for (u32 i = 0; i < NR_ITEMS; i++)
		items[i] = (struct item){.key = i + 1};
	for (u32 step = 0; step < 20000; step++) {
		struct item *item = &items[(u32)rand() % NR_ITEMS];

		if (item->linked && rand() % 4 == 0) {
			item->weight = (u32)rand() % 1000;
			tree_renew(&tree, &item->node);
		} else if (item->linked) {
			tree_remove(&tree, &item->node);
			item->linked = false;
			nr--;
		} else {
			item->weight = (u32)rand() % 1000;
			insert(item);
			nr++;
		}
		check(nr);
	}
}

static void test_ascending(void **state)
{
	const u32 nr = 60000;
	struct item *items = calloc(nr, sizeof(*items));

	tree_init(&tree, NULL);
	for (u32 i = 0; i < nr; i++) {
		items[i].key = i + 1;
		insert(&items[i]);
	}
	assert_sound(tree_check(&tree));
	assert_true(tree.root->height <= 23);
	for (u32 i = 0; i < nr; i++)
		tree_remove(&tree, &items[i].node);
	assert_null(tree.root);
	free(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_ascending)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
