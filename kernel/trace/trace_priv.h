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

/* Readies the depot in [memory, memory + depot_bytes) and its index behind that. */
void depot_init(void *memory, size_t depot_bytes, u32 *index, u32 nr_index, u32 boot_id);
u64 depot_nr_dropped(void);
const struct trace_packet_header *depot_packet(void);
/* False: trace_stack_here gives 0 at once. */
void depot_enable(bool on);

#endif
