/* SPDX-License-Identifier: MIT */
/* packet: see packet.h. */
#include "packet.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* How far a header is looked for behind damage. */
#define FIND_BYTES (4 * PACKET_BYTES_MAX)

const char *packet_fault(const struct trace_packet_header *header, uint32_t classes)
{
	uint64_t size = packet_bytes(header), content = packet_content(header);
	bool events = header->stream == TRACE_STREAM_EVENTS;

	if (header->magic != TRACE_MAGIC)
		return "no packet begins here (wrong magic)";
	if (header->stream > TRACE_STREAM_STACKS || !(classes >> header->stream & 1))
		return "packet of another stream class";
	if (header->packet_size_bits % 64 || size < HEADER_BYTES ||
	    size > (events ? PACKET_BYTES_MAX : STACKS_BYTES_MAX))
		return "impossible packet size";
	if (header->content_size_bits % 8 || content < HEADER_BYTES || content > size)
		return "impossible content size";
	if ((content - HEADER_BYTES) % (events ? sizeof(struct trace_record) : sizeof(struct trace_stack)))
		return "content is not a whole number of records";
	if (header->begin_time > header->end_time)
		return "packet ends before it begins";
	return NULL;
}

uint64_t packet_find(const uint8_t *map, uint64_t offset, uint64_t bytes, uint32_t classes)
{
	struct trace_packet_header header;
	uint64_t limit = bytes - offset > FIND_BYTES ? offset + FIND_BYTES : bytes;

	for (offset = (offset + 7) & ~7ULL; offset + HEADER_BYTES <= limit; offset += 8) {
		memcpy(&header, map + offset, sizeof(header));
		if (!packet_fault(&header, classes))
			return offset;
	}
	return bytes;
}

bool packet_chain_fits(const struct packet_chain *chain, const struct trace_packet_header *header,
		       uint32_t hart, uint32_t boot_id, char what[128])
{
	if (header->boot_id != boot_id)
		snprintf(what, 128, "packet of another boot");
	else if (header->instance != hart)
		snprintf(what, 128, "packet of another hart");
	else if (header->cpu != header->instance)
		snprintf(what, 128, "packet whose two hart numbers differ");
	else if (chain->nr_packets &&
		 (header->sequence < chain->next_sequence || header->begin_time < chain->end_time))
		snprintf(what, 128, "packet number %llu comes after number %llu or goes back in time",
			 (unsigned long long)header->sequence, (unsigned long long)chain->next_sequence - 1);
	else if (header->events_discarded < chain->discarded)
		snprintf(what, 128, "packet whose count of discarded events goes back");
	else
		return true;
	return false;
}

void packet_chain_take(struct packet_chain *chain, const struct trace_packet_header *header,
		       uint32_t nr_records)
{
	if (chain->nr_packets == 0) {
		chain->starts_late = header->sequence != 0;
		chain->begin_time = header->begin_time;
	} else {
		chain->missing += header->sequence - chain->next_sequence;
	}
	chain->nr_packets++;
	chain->nr_records += nr_records;
	chain->end_time = header->end_time;
	chain->discarded = header->events_discarded;
	chain->next_sequence = header->sequence + 1;
	chain->headers_crc =
	    (uint32_t)crc32(chain->headers_crc, (const unsigned char *)header, sizeof(*header));
}
