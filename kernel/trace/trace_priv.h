/* SPDX-License-Identifier: MIT */
/*
 * trace, inside: what ring.c, depot.c and read.c share.
 */
#ifndef TRACE_PRIV_H
#define TRACE_PRIV_H

#include <kernel/arch.h>
#include <kernel/trace.h>

/*
 * A hart's end of its ring. Only that hart writes here, with interrupts off.
 * next == end: the open packet is full, or (both NULL) there is no ring.
 */
struct trace_ring {
	struct trace_record *next;
	struct trace_record *end;
	struct trace_packet_header *packet; /* the open one */
	struct trace_ring_desc *desc;
	u8 *base;
	u64 overwritten;
	u64 gave_up_at; /* desc->consumed + 1 when a wait for the consumer ran out; 0: none did */
	u64 pad;
};
STATIC_ASSERT(sizeof(struct trace_ring) == 64, "indexed by a shift, no two harts on one cache line");

extern struct trace_ring trace_rings[NR_HARTS_MAX];

/*
 * Plain stores that the compiler neither tears nor moves past each other, for words that others read without a lock.
 * The __atomic stores would do, but this compiler makes an amoswap of each.
 */
#define STORE(place, value) (*(volatile __typeof__(place) *)&(place) = (value))
/* After everything this hart stored before. */
#define STORE_RELEASE(place, value)                                                                          \
	do {                                                                                                 \
		__atomic_thread_fence(__ATOMIC_RELEASE);                                                     \
		STORE(place, value);                                                                         \
	} while (0)

/* The n-th packet's place in a ring; n is its sequence number. */
static inline struct trace_packet_header *ring_slot(const struct trace_ring *ring, u64 sequence)
{
	u64 slot = sequence % trace_desc.nr_packets;
	return (struct trace_packet_header *)(ring->base + slot * trace_desc.packet_bytes);
}

/* ---- stack.c ---- */

#define STACK_CACHE_FRAMES 14U /* those of a stack in the depot, and two that a caller may skip */
#define STACK_INDEX_PLACES(max) (8 * (max)) /* so that most stacks are found at the first look */
#define STACK_CACHE_BYTES(max)                                                                               \
	((max) * sizeof(struct cached_stack) + STACK_INDEX_PLACES(max) * sizeof(struct cached_stack *))
#define CODE_BITS 20        /* of a place in the code: kernel.ld */
#define STACK_DEPTH_BITS 13 /* of a place in a stack: ARCH_STACK_BYTES */

struct cached_stack;
typedef u32 (*stack_check)(const u8 *from, u32 skip, u64 site, const struct cached_stack *entry);

struct cached_stack {
	u64 tag;
	stack_check check; /* for nr addresses */
	u32 id, nr;
	u32 ra[STACK_CACHE_FRAMES -
	       1];                  /* low halves of those that are looked at, from the caller's caller on */
	struct cached_stack *next;  /* another one with this tag */
	struct cached_stack *other; /* of the first one with a tag: that of another tag */
};
STATIC_ASSERT(sizeof(struct cached_stack) == 96, "so much for each stack that is remembered");

/* hart's cache of `max` stacks, a power of two; memory: STACK_CACHE_BYTES(max). */
void stack_cache_init(u32 hart, void *memory, u32 max);
/* The hart looks there. Without it, as in tests on the host, it walks each stack. */
void stack_cache_use(u32 hart);
/* The stack of a function with this frame that records at `site`, if hart's cache has it; else 0. */
u32 stack_cache_find(u32 hart, const void *frame, u64 site);
/* Remembers a stack by its first return addresses. */
void stack_cache_put(u32 hart, const void *frame, u64 site, const u32 *ra, u32 nr_frames, u32 id);
/* The stack by walking it. site: 0 when the caller's own place is not told. */
u32 trace_stack_walk(const void *frame, u32 skip, u64 site);

/* ---- depot.c ---- */

/*
 * The hash of a stack is made on the way from frame to frame. Its upper bits depend on every bit of the input, the lower ones do
 * not: use the upper.
 */
static inline u64 depot_hash(u64 hash, u64 address)
{
	return (hash ^ address) * 0x9e3779b97f4a7c15UL;
}
/* The id of a stack, which enters the depot if it is new; 0: there is no room. words: the frames, in pairs. */
u32 depot_id(const u64 *words, u32 nr_frames, u64 hash);
/* Readies the depot in [memory, memory + depot_bytes) and its index behind that. */
void depot_init(void *memory, size_t depot_bytes, u32 *index, u32 nr_index, u32 boot_id);
u64 depot_nr_dropped(void);
const struct trace_packet_header *depot_packet(void);
/* False: trace_stack_here gives 0 at once. */
void depot_enable(bool on);

#endif
