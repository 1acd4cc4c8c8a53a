/* SPDX-License-Identifier: MIT */
/*
 * A flattened device tree (Devicetree Specification 0.4, chapter 5), read in place, item by item.
 * Knows nothing of the kernel, and trusts nothing: whatever the bytes say, no read leaves
 * [blob, blob + total), and the walk ends.
 */
#ifndef ARCH_FDT_TREE_H
#define ARCH_FDT_TREE_H

#include <kernel/types.h>

struct fdt_tree {
	const u8 *blob;
	u32 total_bytes;
	u32 struct_start, struct_end; /* offsets in the blob */
	u32 strings_start, strings_end;
};

enum fdt_item_type { FDT_ITEM_END, FDT_ITEM_NODE, FDT_ITEM_NODE_END, FDT_ITEM_PROPERTY, FDT_ITEM_ERROR };

struct fdt_item {
	enum fdt_item_type type;
	const char *name; /* of the node (with @unit) or property; terminated within the blob */
	const u8 *value;
	u32 value_bytes;
};

/* False: not a device tree of at most max_bytes. */
bool fdt_open(struct fdt_tree *tree, const void *blob, u32 max_bytes);
/* The item at *offset (0 at first), which moves on. END and ERROR repeat. */
struct fdt_item fdt_next(const struct fdt_tree *tree, u32 *offset);

/* Big-endian number of `cells` cells (1 or 2) at value + *at; *at moves. False when there are not so many. */
bool fdt_cells(const u8 *value, u32 value_bytes, u32 *at, u32 cells, u64 *number);
/* Is `text` one of the strings in a list of strings, like "compatible"? */
bool fdt_has_string(const u8 *value, u32 value_bytes, const char *text);

#endif
