/* SPDX-License-Identifier: MIT */
/*
 * The device tree reader on a small tree made here, then on damaged ones: whatever the bytes say, no read may
 * leave the blob (ASan watches its ends) and the walk must end.
 */
#include "../../kernel/arch/fdt_tree.h"
#include <host/host_test.h>
#include <stdlib.h>
#include <string.h>

static u8 blob[600];
static u32 blob_bytes;

static void store_u32(u32 at, u32 value)
{
	for (u32 i = 0; i < 4; i++)
		blob[at + i] = (u8)(value >> (24 - 8 * i));
}

static void add_u32(u32 value)
{
	store_u32(blob_bytes, value);
	blob_bytes += 4;
}

static void add_bytes(const void *bytes, u32 size_bytes)
{
	memcpy(blob + blob_bytes, bytes, size_bytes);
	blob_bytes = (blob_bytes + size_bytes + 3) & ~3U;
}

static void add_node(const char *name)
{
	add_u32(1);
	add_bytes(name, (u32)strlen(name) + 1);
}

static void add_property(u32 name_offset, const void *value, u32 value_bytes)
{
	add_u32(3);
	add_u32(value_bytes);
	add_u32(name_offset);
	add_bytes(value, value_bytes);
}

static const char strings[] = "reg\0compatible";
#define NAME_REG 0
#define NAME_COMPATIBLE 4
static const u8 reg[] = {0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2};

static void build(void)
{
	memset(blob, 0, sizeof(blob));
	blob_bytes = 56; /* header, then an empty reservation map */
	add_node("");
	add_u32(4);
	add_node("memory@80000000");
	add_property(NAME_REG, reg, sizeof(reg));
	add_u32(2);
	add_node("soc");
	add_property(NAME_COMPATIBLE, "simple-bus\0other", 17);
	add_property(NAME_REG, reg, 0);
	add_u32(2);
	add_u32(2);
	add_u32(9);
	u32 strings_at = blob_bytes;
	add_bytes(strings, sizeof(strings));
	store_u32(0, 0xd00dfeed);
	store_u32(4, blob_bytes);
	store_u32(8, 56);
	store_u32(12, strings_at);
	store_u32(32, sizeof(strings));
	store_u32(36, strings_at - 56);
}

static void expect(const struct fdt_tree *tree, u32 *offset, enum fdt_item_type type, const char *name)
{
	struct fdt_item item = fdt_next(tree, offset);

	assert_int_equal(item.type, type);
	if (name)
		assert_string_equal(item.name, name);
}

static void test_good_tree(void **state)
{
	struct fdt_tree tree;
	u32 offset = 0, at = 0;
	u64 number;

	build();
	assert_true(fdt_open(&tree, blob, sizeof(blob)));
	expect(&tree, &offset, FDT_ITEM_NODE, "");
	expect(&tree, &offset, FDT_ITEM_NODE, "memory@80000000");
	struct fdt_item item = fdt_next(&tree, &offset);
	assert_int_equal(item.type, FDT_ITEM_PROPERTY);
	assert_string_equal(item.name, "reg");
	assert_true(fdt_cells(item.value, item.value_bytes, &at, 2, &number));
	assert_int_equal(number, 0x80000000);
	assert_true(fdt_cells(item.value, item.value_bytes, &at, 2, &number));
	assert_int_equal(number, 0x100000002);
	assert_false(fdt_cells(item.value, item.value_bytes, &at, 1, &number));
	expect(&tree, &offset, FDT_ITEM_NODE_END, NULL);
	expect(&tree, &offset, FDT_ITEM_NODE, "soc");
	item = fdt_next(&tree, &offset);
	assert_true(fdt_has_string(item.value, item.value_bytes, "simple-bus"));
	assert_true(fdt_has_string(item.value, item.value_bytes, "other"));
	assert_false(fdt_has_string(item.value, item.value_bytes, "simple"));
	expect(&tree, &offset, FDT_ITEM_PROPERTY, "reg");
	expect(&tree, &offset, FDT_ITEM_NODE_END, NULL);
	expect(&tree, &offset, FDT_ITEM_NODE_END, NULL);
	expect(&tree, &offset, FDT_ITEM_END, NULL);
	expect(&tree, &offset, FDT_ITEM_END, NULL);
}

static void test_bad_header(void **state)
{
	struct fdt_tree tree;

	build();
	assert_false(fdt_open(&tree, blob, 39));
	assert_false(fdt_open(&tree, blob, blob_bytes - 1));
	store_u32(36, 0xfffffff0);
	assert_false(fdt_open(&tree, blob, sizeof(blob)));
	build();
	store_u32(0, 0xd00dfeee);
	assert_false(fdt_open(&tree, blob, sizeof(blob)));
}

/* Reads everything there is to read; returns how many items that were. */
static u32 walk(const struct fdt_tree *tree)
{
	u32 offset = 0, nr = 0;

	for (;; nr++) {
		struct fdt_item item = fdt_next(tree, &offset);
		u32 at = 0;
		u64 number;
		if (item.type == FDT_ITEM_END || item.type == FDT_ITEM_ERROR)
			return nr;
		assert_true(nr < sizeof(blob));
		if (item.name)
			assert_true(strlen(item.name) < sizeof(blob));
		if (item.type != FDT_ITEM_PROPERTY)
			continue;
		fdt_has_string(item.value, item.value_bytes, "okay");
		while (fdt_cells(item.value, item.value_bytes, &at, 1 + (u32)host_random_below(2), &number))
			;
	}
}

static void test_damage(void **state)
{
	struct fdt_tree tree;
	u64 nr_items = 0;

	host_random_start();
	for (int i = 0; i < 30000; i++) {
		build();
		for (u64 n = host_random_below(6); n > 0; n--)
			blob[host_random_below(host_random_below(3) ? blob_bytes : 40)] = (u8)host_random();
		u32 size_bytes = host_random_below(4) ? blob_bytes : (u32)host_random_below(blob_bytes);
		u8 *exact = malloc(size_bytes + 1);
		memcpy(exact, blob, size_bytes);
		u8 *end = realloc(exact, size_bytes ? size_bytes : 1);
		if (fdt_open(&tree, end, size_bytes))
			nr_items += walk(&tree);
		free(end);
	}
	assert_true(nr_items > 1000); /* or nothing was tested */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good_tree),
	    cmocka_unit_test(test_bad_header),
	    cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
