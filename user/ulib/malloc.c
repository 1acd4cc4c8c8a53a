/*
 * malloc: blocks on one list in the order of their addresses, first fit, neighbours merged when freed.
 *
 * The heap is a row of blocks without gaps (somebody else may move the end of the heap in between: then the row
 * continues above a hole and blocks on its two sides are not merged). Each block begins with its header.
 *
 * MALLOC-1  block->next == the block's end, or lies above a hole, or is NULL for the last.
 * MALLOC-2  no two free blocks touch.
 */
#include "ulib.h"

#define GRAIN 16UL
#define GROW_BYTES (4 * PAGE_BYTES)

struct block {
	struct block *next;
	size_t size_bytes; /* of the payload, a multiple of GRAIN; lowest bit: in use */
};
#define IN_USE 1UL
_Static_assert(sizeof(struct block) == GRAIN, "payloads stay aligned");

static struct block *first, *last;

static size_t payload_bytes(const struct block *block)
{
	return block->size_bytes & ~IN_USE;
}

static struct block *block_end(struct block *block)
{
	return (struct block *)((char *)(block + 1) + payload_bytes(block));
}

static bool is_free(const struct block *block)
{
	return !(block->size_bytes & IN_USE);
}

/* Joins a free block with the free neighbours that follow it. */
static void merge_following(struct block *block)
{
	while (block->next && is_free(block->next) && block_end(block) == block->next) {
		if (last == block->next)
			last = block;
		block->size_bytes += sizeof(struct block) + payload_bytes(block->next);
		block->next = block->next->next;
	}
}

/* Cuts a block to size when what is left over can be a block. */
static void split(struct block *block, size_t size_bytes)
{
	if (payload_bytes(block) < size_bytes + sizeof(struct block) + GRAIN)
		return;
	struct block *rest = (struct block *)((char *)(block + 1) + size_bytes);
	rest->size_bytes = payload_bytes(block) - size_bytes - sizeof(struct block);
	rest->next = block->next;
	block->next = rest;
	block->size_bytes = size_bytes;
	if (last == block)
		last = rest;
}

static struct block *grow(size_t size_bytes)
{
	size_t wanted = MAX(size_bytes + sizeof(struct block), GROW_BYTES);
	uintptr_t end = (uintptr_t)sbrk(0);
	size_t padding = -end & (GRAIN - 1);
	char *memory = sbrk((long)(padding + wanted));

	if (!memory)
		return NULL;
	struct block *block = (struct block *)(memory + padding);
	block->next = NULL;
	block->size_bytes = (wanted - sizeof(struct block)) & ~(GRAIN - 1);
	if (last)
		last->next = block;
	else
		first = block;
	struct block *before = last;
	last = block;
	if (before && is_free(before)) {
		merge_following(before);
		if (last == before)
			return before;
	}
	return block;
}

void *malloc(size_t size_bytes)
{
	if (size_bytes > 1UL << 40)
		return NULL;
	size_bytes = (MAX(size_bytes, 1UL) + GRAIN - 1) & ~(GRAIN - 1);
	struct block *block = first;
	while (block && !(is_free(block) && payload_bytes(block) >= size_bytes))
		block = block->next;
	if (!block)
		block = grow(size_bytes);
	if (!block)
		return NULL;
	split(block, size_bytes);
	block->size_bytes |= IN_USE;
	return block + 1;
}

void free(void *ptr)
{
	struct block *before = NULL;

	if (!ptr)
		return;
	struct block *block = (struct block *)ptr - 1;
	if (is_free(block))
		die("free(%p): not in use", ptr);
	block->size_bytes &= ~IN_USE;
	merge_following(block);
	for (struct block *b = first; b && b != block; b = b->next)
		before = b;
	if (before && is_free(before))
		merge_following(before);
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
