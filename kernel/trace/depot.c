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
#include <kernel/errno.h>
#include <kernel/lib.h>
#include <kernel/spinlock.h>

#include "trace_priv.h"

#define FRAME_WORDS (TRACE_STACK_FRAMES / 2)
#define ID_BITS 16
#define ID_MASK ((1U << ID_BITS) - 1)

static struct spinlock depot_lock = SPINLOCK_INIT(depot);
static struct trace_stack *stacks; /* [0] is the packet header */
static u32 *depot_index;
static u32 index_mask;
static u32 nr_stacks, max_stacks;
static u64 nr_dropped;
static bool enabled;

STATIC_ASSERT(sizeof(struct trace_packet_header) == sizeof(struct trace_stack), "the header is element 0");

const struct trace_packet_header *depot_packet(void)
{
	return (const struct trace_packet_header *)stacks;
}

void depot_init(void *memory, size_t depot_bytes, u32 *index, u32 nr_index, u32 boot_id)
{
	u64 now = arch_time();

	stacks = memory;
	depot_index = index;
	index_mask = nr_index - 1;
	nr_stacks = 0;
	nr_dropped = 0;
	max_stacks = (u32)MIN(depot_bytes / sizeof(struct trace_stack) - 1, (size_t)ID_MASK);
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
	enabled = on;
}

static inline u64 hash_frames(const u64 *words, u32 nr_frames)
{
	u64 hash = nr_frames;

	for (u32 i = 0; i < (nr_frames + 1) / 2; i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15UL;
		hash ^= hash >> 32;
	}
	return hash;
}

static inline bool same_frames(const struct trace_stack *stack, const u64 *words, u32 nr_frames)
{
	const u64 *have = (const u64 *)stack->frames;

	if (stack->nr_frames != nr_frames)
		return false;
	for (u32 i = 0; i < (nr_frames + 1) / 2; i++)
		if (have[i] != words[i])
			return false;
	return true;
}

/* The id, or 0 with *slot at the free place where the search ended. */
static inline u32 depot_search(const u64 *words, u32 nr_frames, u64 hash, u32 *slot)
{
	u32 tag = (u32)(hash >> 48);

	for (u32 at = *slot;; at = (at + 1) & index_mask) {
		u32 entry = __atomic_load_n(&depot_index[at], __ATOMIC_ACQUIRE);

		if (entry == 0) {
			*slot = at;
			return 0;
		}
		if (entry >> ID_BITS == tag && same_frames(&stacks[entry & ID_MASK], words, nr_frames))
			return entry & ID_MASK;
	}
}

static void depot_append(const u64 *words, u32 nr_frames, u32 id)
{
	struct trace_packet_header *packet = (struct trace_packet_header *)stacks;
	struct trace_stack *stack = &stacks[id];

	*stack = (struct trace_stack){
	    .time = arch_time(),
	    .event = TRACE_STACK_EVENT,
	    .nr_frames = (u8)nr_frames,
	    .stack = id,
	};
	memcpy(stack->frames, words, nr_frames * sizeof(u32));
	__atomic_store_n(&packet->end_time, stack->time, __ATOMIC_RELAXED);
	__atomic_store_n(&packet->content_size_bits, (id + 1) * sizeof(*stack) * 8, __ATOMIC_RELEASE);
}

static __attribute__((noinline)) u32 depot_insert(const u64 *words, u32 nr_frames, u64 hash, u32 slot)
{
	u32 id;

	spin_lock(&depot_lock);
	id = depot_search(words, nr_frames, hash, &slot); /* another hart may have been faster */
	if (!id && nr_stacks < max_stacks) {
		id = nr_stacks + 1;
		depot_append(words, nr_frames, id);
		__atomic_store_n(&nr_stacks, id, __ATOMIC_RELEASE);
		__atomic_store_n(&depot_index[slot], (u32)(hash >> 48) << ID_BITS | id, __ATOMIC_RELEASE);
	} else if (!id) {
		nr_dropped++;
	}
	spin_unlock(&depot_lock);
	return id;
}

u32 trace_stack_here(u32 skip)
{
	u64 words[FRAME_WORDS];
	u32 *frames = (u32 *)words;
	u32 nr_frames, slot, id;
	u64 hash;

	if (!enabled)
		return 0;
	nr_frames = arch_unwind(frames, TRACE_STACK_FRAMES, skip);
	if (!nr_frames)
		return 0;
	if (nr_frames & 1)
		frames[nr_frames] =
		    0; /* frames are compared two at a time; there is room: the maximum is even */
	hash = hash_frames(words, nr_frames);
	slot = (u32)hash & index_mask;
	id = depot_search(words, nr_frames, hash, &slot);
	return LIKELY(id) ? id : depot_insert(words, nr_frames, hash, slot);
}

u32 trace_stack_frames(u32 stack, const u32 **frames)
{
	if (stack == 0 || stack > trace_nr_stacks())
		return 0;
	*frames = stacks[stack].frames;
	return stacks[stack].nr_frames;
}

u32 trace_nr_stacks(void)
{
	return __atomic_load_n(&nr_stacks, __ATOMIC_ACQUIRE);
}

u64 depot_nr_dropped(void)
{
	return nr_dropped;
}
