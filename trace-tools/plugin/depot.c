/* SPDX-License-Identifier: MIT
 *
 * depot: see depot.h.
 */
#include "depot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "spin.h"
#include "writer.h"

#define STACKS_MAX (1U << 20)
#define SLOTS (2 * STACKS_MAX)
#define GROW_BYTES 65536ULL
#define HEADER_BYTES sizeof(struct trace_packet_header)
#define MAP_BYTES (HEADER_BYTES + STACKS_MAX * sizeof(struct trace_stack))

struct slot {
	uint32_t id, hash;
};

static struct trace_packet_header *header;
static struct trace_stack *stacks; /* behind the header */
static struct slot *slots;
static uint32_t nr_stacks;
static uint64_t file_bytes;
static int fd = -1;
static spin_t lock;

bool depot_open(const char *folder)
{
	char path[4200];

	snprintf(path, sizeof(path), "%s/stacks", folder);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	if (!writer_grow(fd, GROW_BYTES)) {
		errno = ENOSPC;
		return false;
	}
	header = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	slots = mmap(NULL, SLOTS * sizeof(*slots), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (header == MAP_FAILED || slots == MAP_FAILED)
		return false;
	file_bytes = GROW_BYTES;
	stacks = (void *)(header + 1);
	*header = (struct trace_packet_header){
	    .magic = TRACE_MAGIC,
	    .stream = TRACE_STREAM_STACKS,
	    .packet_size_bits = GROW_BYTES * 8,
	    .content_size_bits = HEADER_BYTES * 8,
	    .boot_id = writer_boot_id(),
	};
	return true;
}

static uint64_t hash_of(const uint32_t *frames, unsigned nr)
{
	uint64_t hash = nr;

	for (unsigned i = 0; i < nr; i++) {
		hash = (hash ^ frames[i]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return hash;
}

static bool same(const struct trace_stack *stack, const uint32_t *frames, unsigned nr)
{
	return stack->nr_frames == nr && !memcmp(stack->frames, frames, nr * sizeof(*frames));
}

/* The slot that holds the stack, or the empty one where it belongs. */
static struct slot *find(const uint32_t *frames, unsigned nr, uint64_t hash)
{
	for (uint64_t i = hash >> 32;; i++) {
		struct slot *slot = &slots[i & (SLOTS - 1)];
		uint32_t id = __atomic_load_n(&slot->id, __ATOMIC_ACQUIRE);
		if (!id || (slot->hash == (uint32_t)hash && same(&stacks[id - 1], frames, nr)))
			return slot;
	}
}

/* Room for one more stack; the header's packet size follows the file, never precedes it. */
static bool make_room(void)
{
	uint64_t needed = HEADER_BYTES + (nr_stacks + 1ULL) * sizeof(struct trace_stack);

	if (nr_stacks == STACKS_MAX)
		return false;
	if (needed <= file_bytes)
		return true;
	if (!writer_grow(fd, file_bytes + GROW_BYTES))
		return false;
	file_bytes += GROW_BYTES;
	__atomic_store_n(&header->packet_size_bits, file_bytes * 8, __ATOMIC_RELEASE);
	return true;
}

static uint32_t append(struct slot *slot, const uint32_t *frames, unsigned nr, uint64_t hash)
{
	if (!make_room())
		return 0;
	struct trace_stack *stack = &stacks[nr_stacks];
	uint32_t id = ++nr_stacks;
	*stack = (struct trace_stack){
	    .time = writer_clock(), .event = TRACE_STACK_EVENT, .nr_frames = (uint8_t)nr, .stack = id};
	memcpy(stack->frames, frames, nr * sizeof(*frames));
	header->end_time = stack->time;
	if (id == 1)
		header->begin_time = stack->time;
	__atomic_store_n(&header->content_size_bits, (HEADER_BYTES + id * sizeof(*stack)) * 8,
			 __ATOMIC_RELEASE);
	slot->hash = (uint32_t)hash;
	__atomic_store_n(&slot->id, id, __ATOMIC_RELEASE);
	return id;
}

uint32_t depot_put(const uint32_t *frames, unsigned nr)
{
	uint64_t hash = hash_of(frames, nr);

	if (!nr || !slots)
		return 0;
	struct slot *slot = find(frames, nr, hash);
	uint32_t id = __atomic_load_n(&slot->id, __ATOMIC_ACQUIRE);
	if (id)
		return id;
	spin_lock(&lock);
	slot = find(frames, nr, hash);
	id = slot->id ? slot->id : append(slot, frames, nr, hash);
	spin_unlock(&lock);
	return id;
}

void depot_close(void)
{
	spin_lock(&lock); /* for good: nobody appends behind the end */
	uint64_t end = HEADER_BYTES + nr_stacks * sizeof(struct trace_stack);
	__atomic_store_n(&header->packet_size_bits, end * 8, __ATOMIC_RELEASE);
	if (ftruncate(fd, (off_t)end))
		__atomic_store_n(&header->packet_size_bits, file_bytes * 8, __ATOMIC_RELEASE);
}

uint32_t depot_stacks(void)
{
	return nr_stacks;
}
