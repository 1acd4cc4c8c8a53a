/* SPDX-License-Identifier: MIT */
/*
 * run_scan: from the bytes of a file to packets and stacks, by the headers alone. See run.h.
 *
 * A file of a run folder holds packets of one class and one hart; a capture of /proc/ktrace holds all of them, so each
 * packet goes where its header says.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "run_priv.h"

/*
 * The header at *offset or behind it, where bytes that cannot be one are left out and told as damage. False: the file
 * has no more.
 */
static bool next_header(struct run *run, const char *path, const uint8_t *map, uint64_t bytes,
			uint32_t classes, uint64_t *offset, struct trace_packet_header *header)
{
	while (*offset < bytes) {
		if (bytes - *offset < HEADER_BYTES) {
			run_damage(run, path, *offset, "cut off: %llu byte%s of a packet header",
				   (unsigned long long)(bytes - *offset),
				   plural_s((unsigned long long)(bytes - *offset)));
			return false;
		}
		memcpy(header, map + *offset, sizeof(*header));
		const char *fault = packet_fault(header, classes);
		if (!fault)
			return true;
		uint64_t next = packet_find(map, *offset + 8, bytes, classes);
		run_damage(run, path, *offset, "%s; %llu byte%s left out", fault,
			   (unsigned long long)(next - *offset),
			   plural_s((unsigned long long)(next - *offset)));
		*offset = next;
	}
	return false;
}

/* The offset behind a packet that may be cut off by the end of the file. */
static uint64_t packet_end(const struct trace_packet_header *header, uint64_t offset, uint64_t bytes)
{
	uint64_t size = header->packet_size_bits / 8;

	return offset + (size < bytes - offset ? size : bytes - offset);
}

/* ---- packets of events ---- */

/* The end time is that of the last record in a file; of a capture it may be later, since the hart went on meanwhile. */
static bool ends_with_last_record(const struct run *run, const struct stream *stream,
				  const struct trace_packet_header *header, uint64_t offset,
				  uint32_t nr_records)
{
	const struct trace_record *records = (const void *)(stream->map + offset + HEADER_BYTES);

	return run->is_capture || !nr_records || records[nr_records - 1].time == header->end_time;
}

/* Takes one believable packet into the stream, unless it is misplaced. */
static void take_packet(struct run *run, struct stream *stream, uint64_t offset,
			const struct trace_packet_header *header)
{
	uint64_t content = packet_content(header), there = stream->bytes - offset;
	char what[128];

	if (!run->boot_known) {
		run->boot_known = true;
		run->boot_id = header->boot_id;
	}
	if (!packet_chain_fits(&stream->chain, header, stream->hart, run->boot_id, what)) {
		run_damage(run, stream->path, offset, "%s; left out", what);
		run->is_other = run->is_other || header->boot_id != run->boot_id;
		return;
	}
	if (there < packet_bytes(header)) {
		run_damage(run, stream->path, offset,
			   "packet number %llu is cut off: %llu of %llu bytes are there",
			   (unsigned long long)header->sequence, (unsigned long long)there,
			   (unsigned long long)packet_bytes(header));
		content = content < there ? content : there;
	} else if (!ends_with_last_record(run, stream, header, offset, packet_records(content))) {
		run_damage(run, stream->path, offset, "packet number %llu does not end with its last record",
			   (unsigned long long)header->sequence);
	}
	struct packet packet = {
	    .offset = offset,
	    .end_time = header->end_time,
	    .nr_records = packet_records(content),
	};
	ARRAY_PUSH(stream->packets, stream->nr_packets, stream->packets_capacity) = packet;
	packet_chain_take(&stream->chain, header, packet.nr_records);
}

void run_scan_hart(struct run *run, struct stream *stream)
{
	struct trace_packet_header header;
	uint64_t forgotten = 0;

	for (uint64_t offset = 0;
	     next_header(run, stream->path, stream->map, stream->bytes, CLASS_EVENTS, &offset, &header);
	     offset = packet_end(&header, offset, stream->bytes)) {
		take_packet(run, stream, offset, &header);
		run_forget(stream, &forgotten, offset);
	}
}

/* ---- stacks ---- */

/* `nr` definitions from offset `at` of the stacks' file on. */
static void take_stacks(struct run *run, uint64_t at, uint64_t nr)
{
	run->stacks = (const struct trace_stack *)(run->stacks_map + at);
	run->nr_stacks = (uint32_t)nr;
	for (uint32_t i = 0; i < run->nr_stacks; i++) {
		const struct trace_stack *stack = &run->stacks[i];
		if (stack->event != TRACE_STACK_EVENT || stack->stack != i + 1 ||
		    stack->nr_frames > TRACE_STACK_FRAMES)
			run_damage(run, run->stacks_path, at + i * sizeof(*stack),
				   "stack %u is not one (event %u, stack %u, %u frame%s)", i + 1,
				   stack->event, stack->stack, stack->nr_frames, plural_s(stack->nr_frames));
	}
}

/* How many definitions a believable packet of stacks at `offset` has. */
static uint64_t count_stacks(struct run *run, uint64_t offset, const struct trace_packet_header *header)
{
	uint64_t there = (run->stacks_bytes - offset - HEADER_BYTES) / sizeof(struct trace_stack);
	uint64_t nr = (header->content_size_bits / 8 - HEADER_BYTES) / sizeof(struct trace_stack);

	if (nr <= there)
		return nr;
	run_damage(run, run->stacks_path, run->stacks_bytes, "cut off: %llu of %llu stacks are there",
		   (unsigned long long)there, (unsigned long long)nr);
	return there;
}

void run_scan_stacks(struct run *run)
{
	struct trace_packet_header header;

	if (run->stacks_bytes < HEADER_BYTES) {
		run_damage(run, run->stacks_path, 0, "no stacks: the file has %zu byte%s", run->stacks_bytes,
			   plural_s(run->stacks_bytes));
		return;
	}
	memcpy(&header, run->stacks_map, sizeof(header));
	const char *fault = packet_fault(&header, CLASS_STACKS);
	uint64_t nr = (run->stacks_bytes - HEADER_BYTES) / sizeof(struct trace_stack);
	if (fault)
		run_damage(run, run->stacks_path, 0, "%s; its %llu possible stacks are taken as they are",
			   fault, (unsigned long long)nr);
	else if (run->boot_known && header.boot_id != run->boot_id)
		run_damage(run, run->stacks_path, 0, "stacks of another boot");
	take_stacks(run, HEADER_BYTES, fault ? nr : count_stacks(run, 0, &header));
}

/* ---- captures ---- */

static struct stream *stream_of(struct run *run, uint32_t hart)
{
	for (uint32_t i = 0; i < run->nr_streams; i++) {
		if (run->streams[i].hart == hart)
			return &run->streams[i];
	}
	if (run->nr_streams == STREAMS_MAX)
		return NULL;
	struct stream *stream = &run->streams[run->nr_streams++];
	*stream = (struct stream){.path = xstrdup(run->stacks_path),
				  .hart = hart,
				  .map = run->stacks_map,
				  .bytes = run->stacks_bytes};
	return stream;
}

/* Captures may stand behind each other in a file: the depot only grows, so its longest packet has all stacks. */
void run_scan_capture(struct run *run)
{
	struct trace_packet_header header;
	uint64_t depot = 0, nr_stacks = 0, end;
	bool any = false;

	for (uint64_t offset = 0; next_header(run, run->stacks_path, run->stacks_map, run->stacks_bytes,
					      CLASS_EVENTS | CLASS_STACKS, &offset, &header);
	     offset = end) {
		end = packet_end(&header, offset, run->stacks_bytes);
		if (header.stream == TRACE_STREAM_STACKS) {
			uint64_t nr = count_stacks(run, offset, &header);
			if (!any || nr > nr_stacks) {
				depot = offset;
				nr_stacks = nr;
			}
			any = true;
			continue;
		}
		struct stream *stream = stream_of(run, header.instance);
		if (stream)
			take_packet(run, stream, offset, &header);
		else
			run_damage(run, run->stacks_path, offset,
				   "packet of hart %u, when %u others are there; left out", header.instance,
				   STREAMS_MAX);
	}
	if (any)
		take_stacks(run, depot + HEADER_BYTES, nr_stacks);
	else
		run_damage(run, run->stacks_path, run->stacks_bytes, "no stacks");
}
