/* SPDX-License-Identifier: MIT */
/*
 * The rings: one per hart, whose bytes are CTF packets.
 *
 * A ring is nr_packets packets of packet_bytes. Packet number n (its sequence number) stands in slot
 * n % nr_packets; `opened` counts packets ever opened, so the open one is number opened - 1. A packet is
 * closed when it is full; the next one is opened by the record that finds no room.
 *
 * RING-1  record, then end_time, then content_size_bits with release: whoever reads content_size_bits with
 *         acquire finds that many bits of whole records and an end_time not before the last of them.
 * RING-2  a slot is reused in this order: content_size_bits = header only; sequence, end_time, begin_time,
 *         events_discarded; `opened` with release. So a slot is a valid packet at every instant. One whose
 *         content is the header only holds no event and may be skipped by whoever finds it in a dead machine.
 * RING-3  a reader that copied a packet while it was reused sees it: afterwards content_size_bits is less
 *         than it was, or sequence differs.
 * RING-4  events lost for want of a consumer are counted before anything else is recorded; the count is in the full packet
 *         at once and in every later one.
 *
 * stream: a packet is opened only over one that was consumed. While a consumer is attached the hart waits for
 *         it, at most WAIT_TICKS; a consumer that did not come is not waited for again until it has moved.
 *         Before the first consumer attaches, one such wait is granted: the host may be late.
 * flight: the oldest packet is overwritten.
 *
 * Locks: none. A ring belongs to its hart, and interrupts are off while it is written, so a record made by an
 * interrupt handler comes before or after another, never inside.
 */
#include <kernel/lib.h>

#include "trace_priv.h"

#define WAIT_TICKS TIME_HZ      /* a live consumer polls every few milliseconds; a second means it is gone */
#define RING_PACKETS 4          /* one open, one being drained, two for a burst */
#define PACKET_BYTES_MAX 65536U /* what a reader in the guest must have in one piece */
#define HEADER_BITS (sizeof(struct trace_packet_header) * 8)

/* The host finds this by its symbol or by its magic at a page boundary. */
struct trace_desc trace_desc __attribute__((aligned(PAGE_SIZE)));
struct trace_ring trace_rings[NR_HARTS_MAX];
u32 trace_mask;

static u32 mask_wanted; /* while the mode is not TRACE_OFF */
static bool consumer_seen;
static u32 boot_id;

#define FACTS_MAX 32
static struct {
	u64 head, payload[2];
} facts[FACTS_MAX]; /* see trace_record_fact */
static u32 nr_facts;

/* ---- the record path ---- */

static void discard_one(struct trace_ring *ring)
{
	u64 discarded = ring->desc->discarded + 1;

	STORE(ring->desc->discarded, discarded);
	STORE(ring->packet->events_discarded, discarded);
}

static bool ring_full(const struct trace_ring *ring, u64 *consumed)
{
	*consumed = __atomic_load_n(&ring->desc->consumed, __ATOMIC_ACQUIRE);
	return ring->desc->opened - *consumed >= trace_desc.nr_packets;
}

/* Stream mode: true once a packet may be reused, false when the consumer did not come. */
static bool wait_for_consumer(struct trace_ring *ring)
{
	u64 consumed, began;

	if (!ring_full(ring, &consumed))
		return true;
	if (ring->gave_up_at == consumed + 1)
		return false;
	began = arch_time();
	while (ring_full(ring, &consumed)) {
		bool attached = __atomic_load_n(&trace_desc.consumer, __ATOMIC_RELAXED) == 1;

		if (attached)
			consumer_seen = true;
		if ((!attached && consumer_seen) || arch_time() - began > WAIT_TICKS) {
			ring->gave_up_at = consumed + 1;
			return false;
		}
		arch_relax();
	}
	ring->gave_up_at = 0;
	return true;
}

static void open_packet(struct trace_ring *ring)
{
	u64 sequence = ring->desc->opened;
	struct trace_packet_header *packet = ring_slot(ring, sequence);
	u64 now = arch_time();

	if (sequence >= trace_desc.nr_packets &&
	    packet->sequence >= __atomic_load_n(&ring->desc->consumed, __ATOMIC_RELAXED))
		ring->overwritten +=
		    (packet->content_size_bits - HEADER_BITS) / (8 * sizeof(struct trace_record));
	STORE(packet->content_size_bits, HEADER_BITS);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* RING-3: nothing of the new packet is seen before this */
	STORE(packet->sequence, sequence);
	STORE(packet->end_time, now);
	STORE(packet->begin_time, now);
	STORE(packet->events_discarded, ring->desc->discarded);
	STORE_RELEASE(ring->desc->opened, sequence + 1);
	ring->packet = packet;
	ring->next = (struct trace_record *)(packet + 1);
	ring->end = ring->next + (trace_desc.packet_bytes - sizeof(struct trace_packet_header)) /
				     sizeof(struct trace_record);
}

/* Flight mode overwrites what the facts were recorded in; a packet of any size has room for all of them. */
static void repeat_facts(const struct trace_ring *ring)
{
	if (ring != &trace_rings[0] || trace_desc.mode != TRACE_FLIGHT ||
	    ring->packet->sequence % trace_desc.nr_packets || !trace_on(TRACE_CATEGORY_ALWAYS))
		return;
	for (u32 i = 0; i < nr_facts; i++)
		trace_record_words(facts[i].head, facts[i].payload[0], facts[i].payload[1]);
}

void trace_record_fact(enum trace_event event, const union trace_payload *payload)
{
	u64 head = trace_record_head(event, 0, 0, 0);

	if (nr_facts == FACTS_MAX)
		panic("trace_record_fact: no room for event %u", event);
	facts[nr_facts].head = head;
	memcpy(facts[nr_facts].payload, payload->words, sizeof(payload->words));
	nr_facts++;
	if (trace_on(TRACE_CATEGORY_ALWAYS))
		trace_record_words(head, payload->words[0], payload->words[1]);
}

/* The open packet is full: the rest of trace_record_words' work, kept apart so that the usual way stays short. */
static __attribute__((noinline)) void record_in_next_packet(u64 head, u64 payload0, u64 payload1)
{
	bool irqs = arch_irq_save();
	struct trace_ring *ring = &trace_rings[hart_index()];
	bool room = true;

	if (ring->next == ring->end) { /* else an interrupt handler was here first */
		room = ring->base && (trace_desc.mode != TRACE_STREAM || wait_for_consumer(ring));
		if (room) {
			open_packet(ring);
			repeat_facts(ring);
		} else if (ring->base) {
			discard_one(ring);
		}
	}
	if (room)
		trace_record_words(head, payload0, payload1);
	arch_irq_restore(irqs);
}

static inline __attribute__((always_inline)) void record_fill(struct trace_record *record, u64 time, u64 head,
							      u64 payload0, u64 payload1)
{
	u64 *words = (u64 *)record;

	words[0] = time;
	words[1] = head;
	words[2] = payload0;
	words[3] = payload1;
}

/* The ring's records up to `end`, nr of them new, are whole (RING-1). */
static inline __attribute__((always_inline)) void records_publish(struct trace_ring *ring,
								  struct trace_record *end, u32 nr, u64 time)
{
	struct trace_packet_header *packet = ring->packet;

	STORE(packet->end_time, time);
	STORE_RELEASE(packet->content_size_bits, ((u64)end - (u64)packet) * 8);
	ring->next = end;
	ring->desc->recorded += nr;
}

/* Interrupts are off. False: the packet is full. */
static inline __attribute__((always_inline)) bool record_here(u64 head, u64 payload0, u64 payload1)
{
	struct trace_ring *ring = this_hart()->trace_ring;
	struct trace_record *record = ring->next;
	u64 time;

	if (UNLIKELY(record == ring->end))
		return false;
	time = arch_time();
	record_fill(record, time, head, payload0, payload1);
	records_publish(ring, record + 1, 1, time);
	return true;
}

void trace_record_words(u64 head, u64 payload0, u64 payload1)
{
	bool irqs = this_hart()->irq_off_depth == 0 && arch_irq_save();
	bool done = record_here(head, payload0, payload1);

	arch_irq_restore(irqs);
	if (UNLIKELY(!done))
		record_in_next_packet(head, payload0, payload1);
}

void trace_record_locked(u64 head, u64 payload0, u64 payload1)
{
	if (UNLIKELY(!record_here(head, payload0, payload1)))
		record_in_next_packet(head, payload0, payload1);
}

/* The packet has room for one of the two, or none. */
static __attribute__((noinline)) void record_one_by_one(u64 head, u64 next_head, u64 payload0, u64 payload1,
							u64 next_payload1)
{
	trace_record_locked(head, payload0, payload1);
	trace_record_locked(next_head, payload0, next_payload1);
}

void trace_record_two(u64 head, u64 next_head, u64 payload0, u64 payload1, u64 next_payload1)
{
	struct trace_ring *ring = this_hart()->trace_ring;
	struct trace_record *record = ring->next;
	u64 time;

	if (UNLIKELY((u64)record + sizeof(*record) >= (u64)ring->end)) {
		record_one_by_one(head, next_head, payload0, payload1, next_payload1);
		return;
	}
	time = arch_time();
	record_fill(record, time, head, payload0, payload1);
	record_fill(record + 1, time, next_head, payload0, next_payload1);
	records_publish(ring, record + 2, 2, time);
}
STATIC_ASSERT(offsetof(struct trace_record, event) == 8 && offsetof(struct trace_record, flags) == 10 &&
		  offsetof(struct trace_record, kind) == 11 && offsetof(struct trace_record, stack) == 12 &&
		  offsetof(struct trace_record, payload) == 16,
	      "trace_record_head and trace_record_words write whole words");

/* ---- memory ---- */

struct layout {
	u32 packet_bytes, nr_packets, nr_stacks, nr_cached;
	size_t depot_bytes, index_bytes, ring_stride, total_bytes;
};

static void layout_compute(struct layout *layout, u32 packet_bytes, u32 nr_packets, u32 nr_stacks,
			   u32 nr_harts_)
{
	layout->packet_bytes = packet_bytes;
	layout->nr_packets = nr_packets;
	layout->nr_stacks = nr_stacks;
	/* nr_stacks * 64 bytes, of which the first 64 are the packet header */
	layout->depot_bytes = nr_stacks * sizeof(struct trace_stack);
	/* twice as many slots as stacks: a search for a stack that is not there stays short */
	layout->index_bytes = 2UL * nr_stacks * sizeof(u32);
	/* one page more than the ring: rings a power of two apart would alias in the translation caches */
	layout->ring_stride = (size_t)nr_packets * packet_bytes + PAGE_SIZE;
	/* a working set of stacks is an eighth of all, so a larger depot wants more of them remembered */
	layout->nr_cached = nr_stacks >= 4096 ? 512 : 128;
	layout->total_bytes = layout->depot_bytes + layout->index_bytes +
			      nr_harts_ * (layout->ring_stride + STACK_CACHE_BYTES(layout->nr_cached));
}

/* trace.rings=KIB: so much for each hart, in at least RING_PACKETS packets, and a depot to match. */
static void layout_asked_for(struct layout *layout, u64 ring_kib, u32 nr_harts_)
{
	u64 ring_bytes = MIN(MAX(ring_kib * 1024, RING_PACKETS * PAGE_SIZE), 64UL << 20);
	u32 packet_bytes = PACKET_BYTES_MAX;

	while (packet_bytes * (u64)RING_PACKETS > ring_bytes)
		packet_bytes /= 2;
	layout_compute(layout, packet_bytes, (u32)(ring_bytes / packet_bytes),
		       ring_bytes >= (128UL << 10) ? 8192 : 2048, nr_harts_);
}

/* The best layout that fits; given the total_bytes of a layout it finds that layout again. */
static void layout_choose(struct layout *layout, size_t budget_bytes, size_t asked_max_bytes, u32 nr_harts_)
{
	/* In order of preference: rings and depot shrink by turns. */
	static const struct {
		u16 packet_kib, nr_stacks;
	} choices[] = {{64, 8192}, {64, 4096}, {32, 4096}, {32, 2048}, {16, 2048},
		       {8, 2048},  {8, 1024},  {4, 1024},  {4, 512}};
	char text[24];
	u64 ring_kib;

	if (bootarg("trace.rings", text, sizeof(text)) && str_to_u64(text, &ring_kib)) {
		do
			layout_asked_for(layout, ring_kib, nr_harts_);
		while (layout->total_bytes > asked_max_bytes && (ring_kib /= 2));
		return;
	}
	for (u32 i = 0; i < ARRAY_SIZE(choices); i++) {
		layout_compute(layout, choices[i].packet_kib * 1024U, RING_PACKETS, choices[i].nr_stacks,
			       nr_harts_);
		if (layout->total_bytes <= budget_bytes)
			return;
	}
}

size_t trace_memory_wanted(u64 ram_bytes, u32 nr_harts_)
{
	u64 nr_pages = ram_bytes / PAGE_SIZE;
	u64 nr_managed = nr_pages - (KERNEL_PA - RAM_BASE) / PAGE_SIZE;
	/* What tracking needs (struct page, rings, depot) is at most 6 % of what the kernel manages. */
	u64 tracking_bytes = nr_managed * 6 / 100 * PAGE_SIZE;
	u64 array_bytes = PAGE_ALIGN_UP(nr_pages * 32);
	struct layout layout;

	/* Who asks for more by trace.rings gets it, but not the memory that the machine runs in. */
	layout_choose(&layout, tracking_bytes - array_bytes, ram_bytes / 4, nr_harts_);
	return PAGE_ALIGN_UP(layout.total_bytes);
}

static enum trace_mode mode_from_bootargs(void)
{
	char text[16];
	u64 mask;

	mask_wanted = TRACE_MASK_ALL;
	if (bootarg("trace.mask", text, sizeof(text)) && str_to_u64(text, &mask))
		mask_wanted = (u32)mask & TRACE_MASK_ALL;
	if (!bootarg("trace", text, sizeof(text)))
		return TRACE_FLIGHT;
	if (!strcmp(text, "off"))
		return TRACE_OFF;
	return strcmp(text, "stream") ? TRACE_FLIGHT : TRACE_STREAM;
}

static void ring_init(struct trace_ring *ring, struct trace_ring_desc *desc, u8 *base, u32 cpu)
{
	*ring = (struct trace_ring){.desc = desc, .base = base};
	harts[cpu].trace_ring = ring;
	*desc = (struct trace_ring_desc){.base_pa = va_to_pa(base)};
	/* Every slot is a valid, empty packet from the start: the host may look at any time. */
	for (u32 i = 0; i < trace_desc.nr_packets; i++) {
		struct trace_packet_header *packet = ring_slot(ring, i);

		*packet = (struct trace_packet_header){
		    .magic = TRACE_MAGIC,
		    .stream = TRACE_STREAM_EVENTS,
		    .instance = (u16)cpu,
		    .packet_size_bits = trace_desc.packet_bytes * 8UL,
		    .content_size_bits = HEADER_BITS,
		    .begin_time = trace_desc.boot_time,
		    .end_time = trace_desc.boot_time,
		    .sequence = i,
		    .cpu = cpu,
		    .boot_id = boot_id,
		};
	}
	open_packet(ring);
}

void trace_init(void *memory, size_t size_bytes, u32 nr_harts_)
{
	struct layout layout;
	u8 *at = memory;

	layout_choose(&layout, size_bytes, size_bytes, nr_harts_);
	if (layout.total_bytes > size_bytes || nr_harts_ > NR_HARTS_MAX)
		panic("trace_init: %lu bytes are too few for %u rings", (unsigned long)size_bytes, nr_harts_);
	trace_desc.version = TRACE_DESC_VERSION;
	trace_desc.boot_time = arch_time();
	boot_id = (u32)trace_desc.boot_time;
	consumer_seen = false;
	nr_facts = 0;
	trace_desc.packet_bytes = layout.packet_bytes;
	trace_desc.nr_packets = layout.nr_packets;
	trace_desc.depot_pa = va_to_pa(at);
	trace_desc.depot_bytes = layout.depot_bytes;
	depot_init(at, layout.depot_bytes, (u32 *)(at + layout.depot_bytes), 2 * layout.nr_stacks, boot_id);
	at += layout.depot_bytes + layout.index_bytes;
	for (u32 i = 0; i < nr_harts_; i++, at += layout.ring_stride)
		ring_init(&trace_rings[i], &trace_desc.rings[i], at, i);
	for (u32 i = 0; i < nr_harts_; i++, at += STACK_CACHE_BYTES(layout.nr_cached))
		stack_cache_init(i, at, layout.nr_cached);
	trace_desc.nr_rings = nr_harts_;
	trace_set_mode(mode_from_bootargs());
	STORE_RELEASE(trace_desc.magic, TRACE_DESC_MAGIC);
}

/* ---- modes ---- */

enum trace_mode trace_mode(void)
{
	return trace_desc.mode;
}

void trace_set_mask(u32 mask)
{
	mask_wanted = mask & TRACE_MASK_ALL;
	trace_mask = trace_desc.mode == TRACE_OFF ? 0 : mask_wanted;
}

int trace_set_mode(enum trace_mode mode)
{
	if (mode > TRACE_FLIGHT)
		return -1;
	/* What flight mode overwrote is not owed to a consumer that comes later. */
	if (mode == TRACE_STREAM && !trace_desc.consumer) {
		for (u32 i = 0; i < trace_desc.nr_rings; i++) {
			struct trace_ring_desc *ring = &trace_desc.rings[i];

			if (ring->opened - ring->consumed > trace_desc.nr_packets)
				ring->consumed = ring->opened - trace_desc.nr_packets;
		}
	}
	trace_desc.mode = mode;
	depot_enable(mode != TRACE_OFF);
	trace_set_mask(mask_wanted);
	return 0;
}
