/* SPDX-License-Identifier: MIT */
/*
 * Reading the trace from inside the guest: totals, the newest records, whole packets.
 *
 * Readers take no lock and stop nobody; what they copied is checked afterwards (RING-3) and thrown away if
 * the packet was reused meanwhile.
 */
#include <kernel/lib.h>

#include "trace_priv.h"

void trace_totals(struct trace_totals *totals)
{
	*totals = (struct trace_totals){.stacks_dropped = depot_nr_dropped()};
	for (u32 i = 0; i < trace_desc.nr_rings; i++) {
		totals->recorded += trace_desc.rings[i].recorded;
		totals->discarded += trace_desc.rings[i].discarded;
		totals->overwritten += trace_rings[i].overwritten;
	}
}

/* Copies [from, from + size) of packet number `sequence`; false if it was reused before the copy was done. */
static bool copy_checked(const struct trace_packet_header *packet, u64 sequence, u64 content_bits, void *buf,
			 const void *from, size_t size_bytes)
{
	memcpy(buf, from, size_bytes);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&packet->sequence, __ATOMIC_RELAXED) == sequence &&
	       __atomic_load_n(&packet->content_size_bits, __ATOMIC_RELAXED) >= content_bits;
}

/* Oldest packet of the ring that still stands in it. */
static u64 oldest_sequence(u64 opened)
{
	return opened > trace_desc.nr_packets ? opened - trace_desc.nr_packets : 0;
}

/* Up to max of one hart's newest records, oldest first. Returns how many. */
static u32 newest_of_ring(const struct trace_ring *ring, struct trace_record *out, u32 max)
{
	u64 opened = __atomic_load_n(&ring->desc->opened, __ATOMIC_ACQUIRE);
	u64 first = opened;
	u32 found = 0, done = 0;

	while (found < max && first > oldest_sequence(opened)) {
		const struct trace_packet_header *packet = ring_slot(ring, --first);
		u64 bits = __atomic_load_n(&packet->content_size_bits, __ATOMIC_ACQUIRE);

		found += (u32)((bits / 8 - sizeof(*packet)) / sizeof(struct trace_record));
	}
	for (u64 sequence = first; sequence < opened && done < max; sequence++) {
		const struct trace_packet_header *packet = ring_slot(ring, sequence);
		u64 bits = __atomic_load_n(&packet->content_size_bits, __ATOMIC_ACQUIRE);
		u32 have = (u32)((bits / 8 - sizeof(*packet)) / sizeof(struct trace_record));
		u32 skip = MIN(found > max ? found - max : 0, have);
		u32 take = MIN(have - skip, max - done);
		const struct trace_record *from = (const struct trace_record *)(packet + 1) + skip;

		found -= skip;
		if (copy_checked(packet, sequence, bits, out + done, from, take * sizeof(*out)))
			done += take;
	}
	return done;
}

size_t trace_newest(void *buf, size_t size_bytes)
{
	struct trace_record *out = buf;
	u32 left = (u32)(size_bytes / sizeof(*out)), done = 0;

	for (u32 i = 0; i < trace_desc.nr_rings; i++) {
		u32 share = left / (trace_desc.nr_rings - i);
		u32 got = newest_of_ring(&trace_rings[i], out + done, share);

		done += got;
		left -= got;
	}
	return done * sizeof(*out);
}

static size_t read_depot(u64 *cursor, void *buf, size_t size_bytes)
{
	const struct trace_packet_header *packet = depot_packet();
	u64 left_bytes = *cursor < trace_desc.depot_bytes ? trace_desc.depot_bytes - *cursor : 0;
	size_t take = MIN(size_bytes, left_bytes);

	memcpy(buf, (const u8 *)packet + *cursor, take);
	*cursor += take;
	return take;
}

size_t trace_read_packet(u32 hart, u64 *cursor, void *buf, size_t size_bytes)
{
	u32 packet_bytes = trace_desc.packet_bytes;
	struct trace_ring *ring;

	if (hart == trace_desc.nr_rings && trace_desc.nr_rings)
		return read_depot(cursor, buf, size_bytes);
	if (hart >= trace_desc.nr_rings || size_bytes < packet_bytes)
		return 0;
	ring = &trace_rings[hart];
	for (;;) {
		u64 opened = __atomic_load_n(&ring->desc->opened, __ATOMIC_ACQUIRE);
		u64 sequence = MAX(*cursor, oldest_sequence(opened));
		const struct trace_packet_header *packet;
		u64 bits;

		if (sequence >= opened)
			return 0;
		packet = ring_slot(ring, sequence);
		bits = __atomic_load_n(&packet->content_size_bits, __ATOMIC_ACQUIRE);
		if (sequence == opened - 1 && bits == sizeof(*packet) * 8)
			return 0;
		if (!copy_checked(packet, sequence, bits, buf, packet, packet_bytes))
			continue;
		/* The copy's header is older than some of its records; it must speak for itself. */
		((struct trace_packet_header *)buf)->content_size_bits = bits;
		*cursor = sequence + 1;
		if (sequence < opened - 1 && trace_desc.mode == TRACE_STREAM && !trace_desc.consumer &&
		    ring->desc->consumed <= sequence)
			STORE_RELEASE(ring->desc->consumed, sequence + 1);
		return packet_bytes;
	}
}
