/* SPDX-License-Identifier: MIT */
/* The radix tree against a plain sorted array; invariants after every step; failures of allocation. */
#include <host/host_test.h>
#include <kernel/errno.h>
#include <kernel/radix.h>
#include <stdlib.h>

static u64 nodes_live, fail_after; /* fail_after: allocations until one fails; 0: never */

static struct radix_node *alloc_node(u32 flags)
{
	struct radix_node *node;

	if (fail_after && --fail_after == 0)
		return NULL;
	node = malloc(sizeof(*node));
	memset(node, 0x5a, sizeof(*node));
	nodes_live++;
	return node;
}

static void free_node(struct radix_node *node)
{
	nodes_live--;
	free(node);
}

static const struct radix_ops ops = {alloc_node, free_node};

/* As a caller without a lock does it. */
static int insert(struct radix *tree, u32 index, void *item)
{
	struct radix_node *stock = NULL;
	int err;

	do
		err = radix_insert(tree, index, item, &stock);
	while (err == -ENOMEM && radix_stock_add(tree, &stock, 0));
	radix_stock_free(tree, stock);
	return err;
}

/* ---- the model ---- */

#define ITEMS_MAX 600
static u32 indexes[ITEMS_MAX]; /* sorted */
static u32 nr_items;

static void *item_of(u32 index)
{
	return (void *)(((u64)index << 8) + 0x1000000000000);
}

static u32 model_position(u32 index)
{
	u32 at = 0;

	while (at < nr_items && indexes[at] < index)
		at++;
	return at;
}

static bool model_has(u32 index)
{
	u32 at = model_position(index);

	return at < nr_items && indexes[at] == index;
}

static void model_add(u32 index)
{
	u32 at = model_position(index);

	memmove(&indexes[at + 1], &indexes[at], (nr_items - at) * sizeof(u32));
	indexes[at] = index;
	nr_items++;
}

static void model_drop(u32 index)
{
	u32 at = model_position(index);

	memmove(&indexes[at], &indexes[at + 1], (nr_items - at - 1) * sizeof(u32));
	nr_items--;
}

static void count_node(struct radix_node *node, void *arg)
{
	++*(u64 *)arg;
}

static void compare(const struct radix *tree)
{
	u32 at = 0;
	u64 nodes = 0;

	assert_sound(radix_check(tree));
	for (u32 i = 0; i < nr_items; i++) {
		assert_ptr_equal(radix_lookup(tree, indexes[i]), item_of(indexes[i]));
		assert_ptr_equal(radix_next(tree, &at), item_of(indexes[i]));
		assert_int_equal(at, indexes[i]);
		at++;
	}
	if (nr_items == 0 || indexes[nr_items - 1] != UINT32_MAX)
		assert_null(radix_next(tree, &at));
	radix_for_each_node(tree, count_node, &nodes);
	assert_int_equal(nodes, nodes_live);
}

/* ---- tests ---- */

static const u32 edges[] = {
    0,      1,      62,       63,       64,       65,         4095,       4096,           4097,
    262143, 262144, 16777215, 16777216, 16777217, 0x3fffffff, 0x40000000, UINT32_MAX - 1, UINT32_MAX};

static void test_edges(void **state)
{
	struct radix tree;

	radix_init(&tree, &ops);
	nr_items = 0;
	for (u32 i = 0; i < ARRAY_SIZE(edges); i++) {
		assert_null(radix_lookup(&tree, edges[i]));
		assert_null(radix_remove(&tree, edges[i]));
		/* Alone in the tree, then with all that came before. */
		struct radix alone;
		radix_init(&alone, &ops);
		assert_int_equal(insert(&alone, edges[i], item_of(edges[i])), 0);
		assert_sound(radix_check(&alone));
		assert_ptr_equal(radix_remove(&alone, edges[i]), item_of(edges[i]));
		assert_null(alone.root);
		assert_int_equal(alone.height, 0);

		assert_int_equal(insert(&tree, edges[i], item_of(edges[i])), 0);
		model_add(edges[i]);
		assert_int_equal(insert(&tree, edges[i], item_of(5)), -EEXIST);
		compare(&tree);
	}
	for (u32 i = ARRAY_SIZE(edges); i-- > 0;) {
		assert_ptr_equal(radix_remove(&tree, edges[i]), item_of(edges[i]));
		model_drop(edges[i]);
		compare(&tree);
	}
	assert_int_equal(nodes_live, 0);
}

static u32 random_index(u32 style)
{
	switch (style) {
	case 0:
		return (u32)host_random_below(200);
	case 1:
		return (u32)host_random_below(300000);
	case 2:
		return edges[host_random_below(ARRAY_SIZE(edges))] + (u32)host_random_below(3);
	default:
		return (u32)host_random() >> host_random_below(32);
	}
}

static void test_random(void **state)
{
	struct radix tree;

	host_random_start();
	for (u32 round = 0; round < 16; round++) {
		u32 inserts = 3 + (u32)host_random_below(5); /* of 10: trees that grow and that shrink */

		radix_init(&tree, &ops);
		nr_items = 0;
		for (u32 step = 0; step < 1500; step++) {
			u32 index = random_index(round % 4);
			bool there = model_has(index);

			fail_after = host_random_below(4) ? 0 : 1 + host_random_below(6);
			if (host_random_below(10) < inserts && nr_items < ITEMS_MAX - 1) {
				int err = insert(&tree, index, item_of(index));

				assert_int_equal(err == -EEXIST, there);
				if (err == 0)
					model_add(index);
				else if (!there)
					assert_int_equal(err, -ENOMEM);
			} else {
				if (nr_items && host_random_below(2))
					index = indexes[host_random_below(nr_items)];
				there = model_has(index);
				assert_ptr_equal(radix_remove(&tree, index), there ? item_of(index) : NULL);
				if (there)
					model_drop(index);
			}
			fail_after = 0;
			if (step % 8 == 0)
				compare(&tree);
		}
		while (nr_items) {
			u32 index = indexes[host_random_below(nr_items)];

			assert_ptr_equal(radix_remove(&tree, index), item_of(index));
			model_drop(index);
		}
		compare(&tree);
		assert_null(tree.root);
	}
}

/* Slot 63 of a node, and what a removal of the largest index lowers. */
static void test_lowering(void **state)
{
	struct radix tree;

	radix_init(&tree, &ops);
	assert_int_equal(insert(&tree, 0, item_of(0)), 0);
	assert_int_equal(nodes_live, 0);
	assert_int_equal(insert(&tree, 4095, item_of(4095)), 0);
	assert_int_equal(tree.height, 2);
	assert_int_equal(nodes_live, 3);
	assert_int_equal(insert(&tree, 63, item_of(63)), 0);
	assert_ptr_equal(radix_remove(&tree, 4095), item_of(4095));
	assert_int_equal(tree.height, 1);
	assert_ptr_equal(radix_remove(&tree, 63), item_of(63));
	assert_int_equal(tree.height, 0);
	assert_int_equal(nodes_live, 0);
	assert_ptr_equal(tree.root, item_of(0));
	assert_ptr_equal(radix_remove(&tree, 0), item_of(0));
}

static void test_check_finds(void **state)
{
	struct radix tree;
	struct radix_node *root;

	radix_init(&tree, &ops);
	assert_int_equal(insert(&tree, 100, item_of(100)), 0);
	assert_int_equal(insert(&tree, 1, item_of(1)), 0);
	root = tree.root;
	root->count++;
	assert_non_null(radix_check(&tree));
	root->count--;
	((struct radix_node *)root->slots[1])->shift = 6;
	assert_non_null(radix_check(&tree));
	((struct radix_node *)root->slots[1])->shift = 0;
	assert_null(radix_check(&tree));
	radix_remove(&tree, 100);
	radix_remove(&tree, 1);
	assert_int_equal(nodes_live, 0);
}

/* An insertion allocates nothing; what is got before, one node a round, is enough after as many rounds as it takes. */
static void test_stock(void **state)
{
	static int items[2];
	struct radix tree;
	struct radix_node *stock = NULL;
	u32 rounds = 0;
	int err;

	radix_init(&tree, &ops);
	assert_int_equal(insert(&tree, 0, &items[0]), 0);
	for (;; rounds++) {
		u64 before = nodes_live;

		err = radix_insert(&tree, UINT32_MAX, &items[1], &stock);
		assert_int_equal(nodes_live, before);
		if (err != -ENOMEM)
			break;
		assert_null(radix_lookup(&tree, UINT32_MAX));
		assert_sound(radix_check(&tree));
		assert_true(radix_stock_add(&tree, &stock, 0));
	}
	assert_int_equal(err, 0);
	assert_int_equal(rounds, RADIX_NODES_MAX);
	assert_null(stock);
	assert_sound(radix_check(&tree));
	assert_true(radix_stock_add(&tree, &stock, 0));
	assert_int_equal(radix_insert(&tree, 0, &items[1], &stock), -EEXIST);
	radix_stock_free(&tree, stock);
	radix_remove(&tree, 0);
	radix_remove(&tree, UINT32_MAX);
	assert_int_equal(nodes_live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_edges),    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_lowering), cmocka_unit_test(test_check_finds),
	    cmocka_unit_test(test_stock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
