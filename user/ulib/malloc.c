/* SPDX-License-Identifier: MIT */
/*
 * malloc: a row of blocks, each with its header, neighbours merged when freed; the free ones on a list, first fit. So
 * a block is found without a look at those in use, and freed without a search.
 *
 * The row ends with a mark, a block in use without payload. When the heap has grown behind our back, the mark becomes
 * a block in use that covers what is not ours, and the row goes on above it.
 *
 * MALLOC-1  the block behind a block begins at its end; its `before` leads back.
 * MALLOC-2  no two free blocks touch.
 * MALLOC-3  a block is on the list iff it is free; the links are its payload's first 16 bytes.
 */
#include "ulib.h"

#define GRAIN 16UL
#define GROW_BYTES (4 * PAGE_BYTES)

struct block {
	struct block *before; /* NULL: the first */
	size_t size_bytes;    /* of the payload, a multiple of GRAIN; lowest bit: in use */
};
struct links {
	struct block *next, *prev;
};
#define IN_USE 1UL
_Static_assert(sizeof(struct block) == GRAIN && sizeof(struct links) == GRAIN, "payloads stay aligned");

static struct block *end_mark, *first_free;

static size_t payload_bytes(const struct block *block)
{
	return block->size_bytes & ~IN_USE;
}

static struct block *behind(struct block *block)
{
	return (struct block *)((char *)(block + 1) + payload_bytes(block));
}

static bool is_free(const struct block *block)
{
	return !(block->size_bytes & IN_USE);
}

/* ---- the list ---- */

static struct links *links_of(struct block *block)
{
	return (struct links *)(block + 1);
}

static void list_add(struct block *block)
{
	*links_of(block) = (struct links){.next = first_free};
	if (first_free)
		links_of(first_free)->prev = block;
	first_free = block;
}

static void list_take(struct block *block)
{
	struct links *links = links_of(block);

	if (links->next)
		links_of(links->next)->prev = links->prev;
	if (links->prev)
		links_of(links->prev)->next = links->next;
	else
		first_free = links->next;
}

/* ---- the row ---- */

/* A block of this payload that ends where another begins; not on the list. */
static void block_make(struct block *block, struct block *before, size_t size_bytes)
{
	block->before = before;
	block->size_bytes = size_bytes;
	behind(block)->before = block;
}

/* Puts a block on the list, joined with its free neighbours. Returns where it begins now. */
static struct block *block_free(struct block *block)
{
	struct block *next = behind(block), *before = block->before;

	block->size_bytes &= ~IN_USE;
	if (is_free(next)) {
		list_take(next);
		block_make(block, before, payload_bytes(block) + sizeof(*next) + payload_bytes(next));
	}
	if (before && is_free(before)) {
		list_take(before);
		block_make(before, before->before,
			   payload_bytes(before) + sizeof(*block) + payload_bytes(block));
		block = before;
	}
	list_add(block);
	return block;
}

/* A free block for at least size_bytes, at the end of the row. */
static struct block *grow(size_t size_bytes)
{
	size_t wanted = MAX(size_bytes + 2 * sizeof(struct block), GROW_BYTES);
	size_t padding = -(uintptr_t)sbrk(0) & (GRAIN - 1);
	char *memory = sbrk((long)(padding + wanted));
	struct block *block, *before = end_mark;

	if (!memory)
		return NULL;
	block = (struct block *)(memory + padding);
	if (end_mark && block == end_mark + 1) {
		block = end_mark;
		before = block->before;
		wanted += sizeof(*block);
	} else if (end_mark) {
		end_mark->size_bytes = (size_t)((char *)block - (char *)(end_mark + 1)) | IN_USE;
	}
	end_mark = (struct block *)((char *)block + wanted) - 1;
	end_mark->size_bytes = IN_USE;
	block_make(block, before, wanted - 2 * sizeof(*block));
	return block_free(block);
}

/* ---- interface ---- */

void *malloc(size_t size_bytes)
{
	struct block *block = first_free;
	size_t rest;

	if (size_bytes > 1UL << 40)
		return NULL;
	size_bytes = (MAX(size_bytes, 1UL) + GRAIN - 1) & ~(GRAIN - 1);
	while (block && payload_bytes(block) < size_bytes)
		block = links_of(block)->next;
	if (!block)
		block = grow(size_bytes);
	if (!block)
		return NULL;
	list_take(block);
	rest = payload_bytes(block) - size_bytes;
	if (rest >= sizeof(*block) + GRAIN) {
		struct block *upper = (struct block *)((char *)(block + 1) + size_bytes);

		block_make(upper, block, rest - sizeof(*block));
		list_add(upper);
		block->size_bytes = size_bytes;
	}
	block->size_bytes |= IN_USE;
	return block + 1;
}

void free(void *ptr)
{
	struct block *block = (struct block *)ptr - 1;

	if (!ptr)
		return;
	if (is_free(block))
		die("free(%p): not in use", ptr);
	block_free(block);
}

void *realloc(void *ptr, size_t size_bytes)
{
	if (!ptr)
		return malloc(size_bytes);
	size_t old_bytes = payload_bytes((struct block *)ptr - 1);
	if (old_bytes >= size_bytes)
		return ptr;
	void *larger = malloc(size_bytes);
	if (!larger)
		return NULL;
	memcpy(larger, ptr, old_bytes);
	free(ptr);
	return larger;
}
