/* SPDX-License-Identifier: MIT */
/*
 * The stack depot: every call stack seen, once, as an array that is itself a CTF packet.
 *
 * The packet's header fills the place of element 0, so the id of a stack is its index in the array, from 1,
 * and id 0 means "none". Beside the array, and not part of the packet, lies an open-addressing hash index:
 * a slot is 0 or (upper 16 bits of the hash << 16 | id).
 *
 * DEPOT-1  stacks[1 .. nr_stacks] are complete and never change; content_size_bits covers exactly these.
 * DEPOT-2  a stack is complete before its slot in the index is (release / acquire), and slots never change
 *          once set; so lookups need no lock, and an id in hand is an id that the packet holds (TRACE-3).
 * DEPOT-3  times in the array do not go backwards: taken under the lock.
 *
 * Lock: `depot`, for insertion only. When the array is full, unknown stacks get id 0 and are counted.
 */
#include <kernel/lib.h>
#include <kernel/spinlock.h>

#include "trace_priv.h"

#define FRAME_WORDS (TRACE_STACK_FRAMES / 2) /* frames are compared two at a time */
#define ID_BITS 16
#define ID_MASK ((1U << ID_BITS) - 1)

static struct {
	struct trace_stack *stacks; /* [0] is the packet header */
	u32 *index;
	u32 index_shift; /* 64 - log2 of its size */
	u64 index_mask;
	u32 nr_stacks, max_stacks;
	u64 nr_dropped;
	struct spinlock lock;
} depot = {.lock = SPINLOCK_INIT(depot)};

bool trace_stacks_on;

STATIC_ASSERT(sizeof(struct trace_packet_header) == sizeof(struct trace_stack), "the header is element 0");
STATIC_ASSERT(FRAME_WORDS == 6, "same_frames is written out");

const struct trace_packet_header *depot_packet(void)
{
	return (const struct trace_packet_header *)depot.stacks;
}

void depot_init(void *memory, size_t depot_bytes, u32 *index, u32 nr_index, u32 boot_id)
{
	u64 now = arch_time();

	depot.stacks = memory;
	depot.index = index;
	depot.index_mask = nr_index - 1;
	depot.index_shift = 64 - (u32)__builtin_ctz(nr_index);
	depot.nr_stacks = 0;
	depot.nr_dropped = 0;
	depot.max_stacks = (u32)MIN(depot_bytes / sizeof(struct trace_stack) - 1, (size_t)ID_MASK);
	*(struct trace_packet_header *)memory = (struct trace_packet_header){
	    .magic = TRACE_MAGIC,
	    .stream = TRACE_STREAM_STACKS,
	    .packet_size_bits = depot_bytes * 8,
	    .content_size_bits = sizeof(struct trace_packet_header) * 8,
	    .begin_time = now,
	    .end_time = now,
	    .boot_id = boot_id,
	};
}

void depot_enable(bool on)
{
	trace_stacks_on = on;
}

static inline u32 hash_tag(u64 hash)
{
	return (u32)(hash >> 18) >> ID_BITS; /* 16 bits below those that give the place in the index */
}

static inline bool same_frames(const struct trace_stack *stack, const u64 *words)
{
	const u64 *have = (const u64 *)stack->frames;

	return have[0] == words[0] && have[1] == words[1] && have[2] == words[2] && have[3] == words[3] &&
	       have[4] == words[4] && have[5] == words[5];
}

static inline u64 hash_slot(u64 hash)
{
	return hash >> depot.index_shift;
}

/* The id, or 0; *slot is where the search ended, if with 0 a free place. The lock is held. */
static u32 depot_search_locked(const u64 *words, u64 hash, u64 *slot)
{
	u32 tag = hash_tag(hash);

	for (*slot = hash_slot(hash);; *slot = (*slot + 1) & depot.index_mask) {
		u32 entry = depot.index[*slot];

		if (entry == 0)
			return 0;
		if (entry >> ID_BITS == tag && same_frames(&depot.stacks[entry & ID_MASK], words))
			return entry & ID_MASK;
	}
}

static void depot_append(const u64 *words, u32 nr_frames, u32 id)
{
	struct trace_packet_header *packet = (struct trace_packet_header *)depot.stacks;
	struct trace_stack *stack = &depot.stacks[id];

	*stack = (struct trace_stack){
	    .time = arch_time(),
	    .event = TRACE_STACK_EVENT,
	    .nr_frames = (u8)nr_frames,
	    .stack = id,
	};
#pragma GCC unroll 6
	for (u32 i = 0; i < FRAME_WORDS; i++)
		((u64 *)stack->frames)[i] = words[i];
	STORE(packet->end_time, stack->time);
	STORE_RELEASE(packet->content_size_bits, (id + 1) * sizeof(*stack) * 8);
}

/* Not at its first place in the index: it is new, or further on, which is too rare for a search without the lock. */
static __attribute__((noinline)) u32 find_or_insert(const u64 *words, u32 nr_frames, u64 hash)
{
	u64 slot;
	u32 id;

	spin_lock(&depot.lock); /* most are new */
	id = depot_search_locked(words, hash, &slot);
	if (!id && depot.nr_stacks < depot.max_stacks) {
		id = depot.nr_stacks + 1;
		depot_append(words, nr_frames, id);
		STORE_RELEASE(depot.nr_stacks, id);
		STORE_RELEASE(depot.index[slot], hash_tag(hash) << ID_BITS | id);
	} else if (!id) {
		depot.nr_dropped++;
	}
	spin_unlock(&depot.lock);
	return id;
}

/*
 * Nearly always the stack is known and stands at its first place in the index. Its frames are read through an address
 * made from the entry, which the machine keeps in order without a fence (DEPOT-2). An empty entry leads to element 0,
 * the packet's header, which equals no stack: the upper half of its content size is 0, as the second frame is only in
 * a stack of one frame, and that stack's next word is 0, where the header has its begin time.
 */
u32 depot_id(const u64 *words, u32 nr_frames, u64 hash)
{
	u64 id = __atomic_load_n(&depot.index[hash_slot(hash)], __ATOMIC_RELAXED) & ID_MASK;

	if (LIKELY(same_frames(&depot.stacks[id], words)))
		return (u32)id;
	return find_or_insert(words, nr_frames, hash);
}

u32 trace_stack_frames(u32 stack, const u32 **frames)
{
	if (stack == 0 || stack > trace_nr_stacks())
		return 0;
	*frames = depot.stacks[stack].frames;
	return depot.stacks[stack].nr_frames;
}

u32 trace_nr_stacks(void)
{
	return __atomic_load_n(&depot.nr_stacks, __ATOMIC_ACQUIRE);
}

u64 depot_nr_dropped(void)
{
	return depot.nr_dropped;
}
