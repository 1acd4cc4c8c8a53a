/* SPDX-License-Identifier: MIT */
/*
 * packet: what a packet of the trace is, for everybody who reads or writes one.
 *
 * Files, growing folders, captures and the rings in a guest's memory hold the same packets (docs/TRACE-FORMAT.md). Each of
 * them may be damaged, and each is read by the same two questions:
 *
 *   can these 64 bytes be a header at all?     packet_fault
 *   can this packet come next in its stream?   packet_chain_fault, then packet_chain_take
 *
 * A chain is what is known of one stream after some packets: where its numbers and times are, what is missing, and a checksum
 * of the headers. The writer keeps a chain of what it writes and puts it into run.json (manifest.h); a reader builds the same
 * chain from the file. The two are equal exactly if the file is the one that was written.
 *
 * PACKET-1  the packets taken into a chain ascend in number and do not go back in time.
 */
#ifndef TOOLS_CTF_PACKET_H
#define TOOLS_CTF_PACKET_H

#include "format.h"

#define HEADER_BYTES sizeof(struct trace_packet_header)
/* No ring has larger packets, and no depot. */
#define PACKET_BYTES_MAX (16UL << 20)
#define STACKS_BYTES_MAX (1UL << 30)

/* Sets of stream classes. */
#define CLASS_EVENTS (1U << TRACE_STREAM_EVENTS)
#define CLASS_STACKS (1U << TRACE_STREAM_STACKS)

/* NULL, or why it cannot be the header of a packet of one of `classes`. */
const char *packet_fault(const struct trace_packet_header *header, uint32_t classes);
/*
 * The next offset from `offset` on, in steps of 8, where a header can stand. `bytes` when there is none within the
 * length of some packets: damage of that size is the end of a file.
 */
uint64_t packet_find(const uint8_t *map, uint64_t offset, uint64_t bytes, uint32_t classes);

static inline uint64_t packet_bytes(const struct trace_packet_header *header)
{
	return header->packet_size_bits / 8;
}
/* The header included. */
static inline uint64_t packet_content(const struct trace_packet_header *header)
{
	return header->content_size_bits / 8;
}
/* Events of a packet with `content` bytes, header included. */
static inline uint32_t packet_records(uint64_t content)
{
	return (uint32_t)((content - HEADER_BYTES) / sizeof(struct trace_record));
}

struct packet_chain {
	uint64_t nr_packets, nr_records;
	uint64_t begin_time, end_time;
	uint64_t next_sequence;
	uint64_t missing;     /* packets, by gaps in their numbers */
	uint64_t discarded;   /* events, said by the last header */
	uint32_t headers_crc; /* CRC-32 of all headers, one behind the other */
	bool starts_late;     /* the first packet is not number 0: older ones were overwritten */
};

/*
 * Of a header without fault: false, and why in `what`, if the packet cannot come next in the stream of `hart` of the boot
 * `boot_id`.
 */
bool packet_chain_fits(const struct packet_chain *chain, const struct trace_packet_header *header,
		       uint32_t hart, uint32_t boot_id, char what[128]);
/* nr_records: as many as there are, which a cut-off packet has fewer of than its header says. */
void packet_chain_take(struct packet_chain *chain, const struct trace_packet_header *header,
		       uint32_t nr_records);

#endif
