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

#define STACK_CACHE_WAYS 2U    /* entries that one stack may be in, the newer one first */
#define STACK_CACHE_FRAMES 14U /* those of a stack in the depot, and the two that a caller may skip */
#define STACK_CACHE_BYTES(set_bits) ((sizeof(struct cached_stack) * STACK_CACHE_WAYS) << (set_bits))
#define STACK_DEPTH_BITS 13 /* of a place in a stack: ARCH_STACK_BYTES */

struct cached_stack;
typedef u32 (*stack_check)(const u8 *from, u32 skip, u64 site, const struct cached_stack *entry);

struct cached_stack {
	u64 tag;           /* of an entry not in use: 0, which is also a tag */
	stack_check check; /* for nr addresses; of an entry not in use: none is the stack */
	u32 id, nr;
	s16 at[STACK_CACHE_FRAMES]; /* of each return address, from the frame of the function that records */
	u32 ra[STACK_CACHE_FRAMES]; /* its low half */
	u64 pad[2];
};
STATIC_ASSERT(sizeof(struct cached_stack) == 128, "indexed by a shift");

/* hart's cache; memory: STACK_CACHE_BYTES(set_bits). */
void stack_cache_init(u32 hart, void *memory, u32 set_bits);
/* No entry is in use; of hart's cache from now on. */
void stack_cache_clear(u32 hart, void *memory, u32 set_bits);
/* The stack of a function with this frame that records at `site`, if the cache has it; else 0. */
u32 stack_cache_find(const struct cached_stack *cache, const void *frame, u64 site);
/* Remembers a stack of which fresh has at[] and ra[]. */
void stack_cache_put(struct cached_stack *cache, const void *frame, u64 site, struct cached_stack *fresh,
		     u32 nr_frames, u32 id);
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
