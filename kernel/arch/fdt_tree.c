/* SPDX-License-Identifier: MIT */
/* Reading the tree's bytes: see fdt_tree.h. */
#include "fdt_tree.h"
#include <kernel/lib.h>

#define FDT_MAGIC 0xd00dfeedU
#define FDT_HEADER_BYTES 40
#define TOKEN_NODE 1
#define TOKEN_NODE_END 2
#define TOKEN_PROPERTY 3
#define TOKEN_NOP 4
#define TOKEN_END 9

static u32 load_u32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static bool in_blob(const struct fdt_tree *tree, u32 start, u32 size_bytes)
{
	return start <= tree->total_bytes && size_bytes <= tree->total_bytes - start;
}

bool fdt_open(struct fdt_tree *tree, const void *blob, u32 max_bytes)
{
	const u8 *header = blob;

	if (max_bytes < FDT_HEADER_BYTES || load_u32(header) != FDT_MAGIC)
		return false;
	tree->blob = blob;
	tree->total_bytes = load_u32(header + 4);
	if (tree->total_bytes < FDT_HEADER_BYTES || tree->total_bytes > max_bytes)
		return false;
	u32 struct_bytes = load_u32(header + 36);
	u32 strings_bytes = load_u32(header + 32);
	tree->struct_start = load_u32(header + 8);
	tree->strings_start = load_u32(header + 12);
	if (!in_blob(tree, tree->struct_start, struct_bytes) ||
	    !in_blob(tree, tree->strings_start, strings_bytes))
		return false;
	tree->struct_end = tree->struct_start + struct_bytes;
	tree->strings_end = tree->strings_start + strings_bytes;
	return true;
}

/* The string at offset, or NULL if it does not end before `end`. */
static const char *string_at(const struct fdt_tree *tree, u32 offset, u32 end)
{
	if (offset >= end)
		return NULL;
	const char *s = (const char *)tree->blob + offset;
	return strnlen(s, end - offset) < end - offset ? s : NULL;
}

static bool take_u32(const struct fdt_tree *tree, u32 *at, u32 *number)
{
	if (*at > tree->struct_end || tree->struct_end - *at < 4)
		return false;
	*number = load_u32(tree->blob + *at);
	*at += 4;
	return true;
}

static u32 align4(u32 offset)
{
	return (offset + 3) & ~3U;
}

static bool read_node(const struct fdt_tree *tree, u32 *at, struct fdt_item *item)
{
	item->type = FDT_ITEM_NODE;
	item->name = string_at(tree, *at, tree->struct_end);
	if (!item->name)
		return false;
	*at = align4(*at + (u32)strlen(item->name) + 1);
	return true;
}

static bool read_property(const struct fdt_tree *tree, u32 *at, struct fdt_item *item)
{
	u32 size_bytes, name_offset;

	if (!take_u32(tree, at, &size_bytes) || !take_u32(tree, at, &name_offset))
		return false;
	if (size_bytes > tree->struct_end - *at || name_offset >= tree->strings_end - tree->strings_start)
		return false;
	item->type = FDT_ITEM_PROPERTY;
	item->name = string_at(tree, tree->strings_start + name_offset, tree->strings_end);
	item->value = tree->blob + *at;
	item->value_bytes = size_bytes;
	*at = align4(*at + size_bytes);
	return item->name;
}

struct fdt_item fdt_next(const struct fdt_tree *tree, u32 *offset)
{
	struct fdt_item item = {.type = FDT_ITEM_ERROR};
	u32 at = tree->struct_start + *offset;
	u32 token;

	do {
		if (!take_u32(tree, &at, &token))
			return item;
	} while (token == TOKEN_NOP);

	bool ok = true;
	switch (token) {
	case TOKEN_NODE:
		ok = read_node(tree, &at, &item);
		break;
	case TOKEN_NODE_END:
		item.type = FDT_ITEM_NODE_END;
		break;
	case TOKEN_PROPERTY:
		ok = read_property(tree, &at, &item);
		break;
	case TOKEN_END:
		item.type = FDT_ITEM_END;
		return item;
	default:
		return item;
	}
	if (!ok)
		return (struct fdt_item){.type = FDT_ITEM_ERROR};
	*offset = at - tree->struct_start;
	return item;
}

bool fdt_cells(const u8 *value, u32 value_bytes, u32 *at, u32 cells, u64 *number)
{
	if (cells > 2 || *at > value_bytes || value_bytes - *at < cells * 4)
		return false;
	*number = 0;
	for (u32 i = 0; i < cells; i++, *at += 4)
		*number = *number << 32 | load_u32(value + *at);
	return true;
}

bool fdt_has_string(const u8 *value, u32 value_bytes, const char *text)
{
	size_t length = strlen(text) + 1;

	for (u32 at = 0; at < value_bytes;) {
		const char *s = (const char *)value + at;
		size_t bytes = strnlen(s, value_bytes - at) + 1;
		if (bytes > value_bytes - at)
			return false;
		if (bytes == length && memcmp(s, text, length) == 0)
			return true;
		at += (u32)bytes;
	}
	return false;
}
