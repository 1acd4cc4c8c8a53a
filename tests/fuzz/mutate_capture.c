/* SPDX-License-Identifier: MIT */
/*
 * mutate_capture: changes a capture in ways that leave most of it believable, so that the fuzzer comes past the packet
 * headers: fields of records get values that other records have, records and packets are removed, doubled and moved.
 * Every fourth change is libFuzzer's own, anywhere.
 */
#include <stdlib.h>
#include <string.h>

#include "ctf/format.h"
#include "fuzz.h"

#define HEADER_BYTES sizeof(struct trace_packet_header)
#define PACKETS_MAX 64

struct capture {
	uint8_t *data;
	size_t size, max_size;
	uint32_t random;
	size_t packets[PACKETS_MAX]; /* offsets */
	size_t nr_packets;
};

static uint32_t pick(struct capture *capture, uint32_t below)
{
	capture->random = capture->random * 1664525 + 1013904223;
	return below ? (uint32_t)((uint64_t)capture->random * below >> 32) : 0;
}

static struct trace_packet_header *header_at(struct capture *capture, size_t number)
{
	return (struct trace_packet_header *)(capture->data + capture->packets[number]);
}

static size_t packet_bytes(const struct trace_packet_header *header)
{
	return header->packet_size_bits / 8;
}

static void find_packets(struct capture *capture)
{
	size_t at = 0;

	while (capture->nr_packets < PACKETS_MAX && at + HEADER_BYTES <= capture->size) {
		const struct trace_packet_header *header = (void *)(capture->data + at);
		if (header->magic != TRACE_MAGIC || packet_bytes(header) < HEADER_BYTES ||
		    packet_bytes(header) % 8 || packet_bytes(header) > capture->size - at)
			return;
		capture->packets[capture->nr_packets++] = at;
		at += packet_bytes(header);
	}
}

/* Some record of some packet of events, or NULL. */
static struct trace_record *some_record(struct capture *capture)
{
	for (int tries = 0; tries < 8; tries++) {
		struct trace_packet_header *header = header_at(capture, pick(capture, capture->nr_packets));
		size_t content = header->content_size_bits / 8;
		if (header->stream != TRACE_STREAM_EVENTS || content > packet_bytes(header) ||
		    content < HEADER_BYTES + sizeof(struct trace_record))
			continue;
		size_t nr = (content - HEADER_BYTES) / sizeof(struct trace_record);
		return (struct trace_record *)(header + 1) + pick(capture, (uint32_t)nr);
	}
	return NULL;
}

static uint32_t some_event(struct capture *capture)
{
	uint32_t id = pick(capture, EVENT_ID_MAX);

	while (!event_known(id))
		id = (id + 1) % EVENT_ID_MAX;
	return id;
}

static uint32_t extreme(struct capture *capture)
{
	static const uint32_t values[] = {0,       1,       2,          0x7f,       0xff,
					  0x7fff,  0xffff,  0x80000,    0x80001,    0x801ff,
					  0x80200, 0x87fff, 0x7fffffff, 0x80000000, 0xffffffff};

	return values[pick(capture, sizeof(values) / sizeof(values[0]))];
}

/* ---- changes; each leaves whole packets ---- */

static void change_record(struct capture *capture)
{
	struct trace_record *record = some_record(capture), *other = some_record(capture);
	uint32_t value = extreme(capture);

	if (!record || !other)
		return;
	switch (pick(capture, 7)) {
	case 0:
		record->event = (uint16_t)some_event(capture);
		break;
	case 1:
		record->kind = (uint8_t)pick(capture, 16);
		break;
	case 2:
		record->flags = (uint8_t)pick(capture, 256);
		break;
	case 3:
		record->stack = other->stack;
		break;
	case 4: /* a field of the payload from another record */
		memcpy(record->payload.bytes + 4 * pick(capture, 4),
		       other->payload.bytes + 4 * pick(capture, 4), 4);
		break;
	case 5:
		memcpy(record->payload.bytes + 2 * pick(capture, 7), &value, pick(capture, 2) ? 4 : 2);
		break;
	case 6: /* everything but the time */
		memcpy(&record->event, &other->event, sizeof(*record) - sizeof(record->time));
		break;
	}
}

static void remove_record(struct capture *capture)
{
	size_t number = pick(capture, capture->nr_packets);
	struct trace_packet_header *header = header_at(capture, number);
	size_t bytes =
	    header->stream == TRACE_STREAM_EVENTS ? sizeof(struct trace_record) : sizeof(struct trace_stack);
	size_t content = header->content_size_bits / 8;

	if (content > packet_bytes(header) || content < HEADER_BYTES + bytes)
		return;
	size_t nr = (content - HEADER_BYTES) / bytes, at = HEADER_BYTES + bytes * pick(capture, (uint32_t)nr);
	uint8_t *packet = (uint8_t *)header;
	memmove(packet + at, packet + at + bytes, content - at - bytes);
	header->content_size_bits = (content - bytes) * 8;
}

static void change_header(struct capture *capture)
{
	struct trace_packet_header *header = header_at(capture, pick(capture, capture->nr_packets)),
				   *other = header_at(capture, pick(capture, capture->nr_packets));

	switch (pick(capture, 6)) {
	case 0:
		header->instance = pick(capture, 4) ? other->instance : (uint16_t)extreme(capture);
		header->cpu = pick(capture, 4) ? header->instance : header->cpu;
		break;
	case 1:
		header->sequence += pick(capture, 3);
		break;
	case 2:
		header->events_discarded = extreme(capture);
		break;
	case 3:
		header->begin_time = other->end_time;
		break;
	case 4:
		header->end_time = pick(capture, 2) ? other->begin_time : UINT64_MAX;
		break;
	case 5:
		header->packet_size_bits = header->content_size_bits;
		break;
	}
}

static void remove_packet(struct capture *capture)
{
	size_t number = pick(capture, capture->nr_packets), at = capture->packets[number];
	size_t bytes = packet_bytes(header_at(capture, number));

	if (capture->nr_packets < 2)
		return;
	memmove(capture->data + at, capture->data + at + bytes, capture->size - at - bytes);
	capture->size -= bytes;
}

/* A packet again, at the end: as the next of its hart, or as the first of another, whose beginning is not missing then. */
static void double_packet(struct capture *capture)
{
	size_t number = pick(capture, capture->nr_packets);
	const struct trace_packet_header *header = header_at(capture, number);
	size_t bytes = packet_bytes(header);

	if (bytes > capture->max_size - capture->size)
		return;
	memcpy(capture->data + capture->size, header, bytes);
	struct trace_packet_header *copy = (void *)(capture->data + capture->size);
	if (capture->size % 8 == 0) {
		copy->sequence += 1 + pick(capture, 3);
		if (!pick(capture, 4)) {
			copy->cpu = copy->instance = (uint16_t)pick(capture, 5);
			copy->sequence = pick(capture, 2);
		}
	}
	capture->size += bytes;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	static void (*const changes[])(struct capture *) = {change_record, change_record, change_record,
							    change_record, remove_record, change_header,
							    remove_packet, double_packet};
	struct capture capture = {.data = data, .size = size, .max_size = max_size, .random = seed};

	find_packets(&capture);
	if (!capture.nr_packets || pick(&capture, 4) == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	for (uint32_t nr = 1 + pick(&capture, 4); nr; nr--) {
		changes[pick(&capture, sizeof(changes) / sizeof(changes[0]))](&capture);
		capture.nr_packets = 0;
		find_packets(&capture);
		if (!capture.nr_packets)
			break;
	}
	return capture.size;
}
