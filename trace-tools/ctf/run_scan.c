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

#define HEADER_BYTES sizeof(struct trace_packet_header)
/* Which packets a file may hold. */
#define EVENTS (1U << TRACE_STREAM_EVENTS)
#define STACKS (1U << TRACE_STREAM_STACKS)

/* NULL, or why the header cannot be one of a packet of `classes`. */
static const char *header_fault(const struct trace_packet_header *header, uint32_t classes)
{
	uint64_t size = header->packet_size_bits / 8, content = header->content_size_bits / 8;

	if (header->magic != TRACE_MAGIC)
		return "no packet begins here (wrong magic)";
	if (header->stream > TRACE_STREAM_STACKS || !(classes >> header->stream & 1))
		return "packet of another stream class";
	if (header->packet_size_bits % 64 || size < HEADER_BYTES)
		return "impossible packet size";
	if (header->content_size_bits % 8 || content < HEADER_BYTES || content > size)
		return "impossible content size";
	if ((content - HEADER_BYTES) % (header->stream == TRACE_STREAM_EVENTS ? sizeof(struct trace_record)
									      : sizeof(struct trace_stack)))
		return "content is not a whole number of records";
	if (header->begin_time > header->end_time)
		return "packet ends before it begins";
	return NULL;
}

/* The next offset from `offset` on, in steps of 8, where a believable header stands, or bytes. */
static uint64_t find_header(const uint8_t *map, uint64_t offset, uint64_t bytes, uint32_t classes)
{
	struct trace_packet_header header;

	for (offset = (offset + 7) & ~7ULL; offset + HEADER_BYTES <= bytes; offset += 8) {
		memcpy(&header, map + offset, sizeof(header));
		if (!header_fault(&header, classes))
			return offset;
	}
	return bytes;
}

/*
 * The header at *offset or behind it, where bytes that cannot be one are left out and told as damage. False: the file
 * has no more.
 */
static bool next_header(struct run *run, const char *path, const uint8_t *map, uint64_t bytes,
			uint32_t classes, uint64_t *offset, struct trace_packet_header *header)
{
	while (*offset < bytes) {
		if (bytes - *offset < HEADER_BYTES) {
			run_damage(run, path, *offset, "cut off: %llu bytes of a packet header",
				   (unsigned long long)(bytes - *offset));
			return false;
		}
		memcpy(header, map + *offset, sizeof(*header));
		const char *fault = header_fault(header, classes);
		if (!fault)
			return true;
		uint64_t next = find_header(map, *offset + 8, bytes, classes);
		run_damage(run, path, *offset, "%s; %llu bytes left out", fault,
			   (unsigned long long)(next - *offset));
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

/* Why a believable packet cannot stand where it stands in the stream; false: it can. */
static bool misplaced(struct run *run, const struct stream *stream, uint64_t offset,
		      const struct trace_packet_header *header)
{
	if (header->boot_id != run->boot_id || header->instance != stream->hart) {
		run_damage(run, stream->path, offset, "packet of another %s; left out",
			   header->boot_id != run->boot_id ? "boot" : "hart");
		return true;
	}
	if (stream->nr_packets &&
	    (header->sequence < stream->next_sequence || header->begin_time < stream->end_time)) {
		run_damage(run, stream->path, offset,
			   "packet number %llu comes after number %llu or goes back in time; left out",
			   (unsigned long long)header->sequence,
			   (unsigned long long)stream->next_sequence - 1);
		return true;
	}
	return false;
}

/* Takes one believable packet into the stream, unless it is misplaced. */
static void take_packet(struct run *run, struct stream *stream, uint64_t offset,
			const struct trace_packet_header *header)
{
	uint64_t content = header->content_size_bits / 8, there = stream->bytes - offset;

	if (stream->nr_packets == 0 && run->boot_id == 0)
		run->boot_id = header->boot_id;
	if (misplaced(run, stream, offset, header))
		return;
	if (stream->nr_packets == 0)
		stream->starts_late = header->sequence != 0;
	else
		stream->missing_packets += header->sequence - stream->next_sequence;
	if (there < content) {
		run_damage(run, stream->path, offset,
			   "packet number %llu is cut off: %llu of %llu bytes are there",
			   (unsigned long long)header->sequence, (unsigned long long)there,
			   (unsigned long long)content);
		content = there;
	}
	struct packet packet = {
	    .offset = offset,
	    .end_time = header->end_time,
	    .nr_records = (uint32_t)((content - HEADER_BYTES) / sizeof(struct trace_record)),
	};
	if (stream->nr_packets == 0)
		stream->begin_time = header->begin_time;
	ARRAY_PUSH(stream->packets, stream->nr_packets, stream->packets_capacity) = packet;
	stream->nr_records += packet.nr_records;
	stream->end_time = header->end_time;
	stream->discarded = header->events_discarded;
	stream->next_sequence = header->sequence + 1;
}

void run_scan_hart(struct run *run, struct stream *stream)
{
	struct trace_packet_header header;
	uint64_t forgotten = 0;

	for (uint64_t offset = 0;
	     next_header(run, stream->path, stream->map, stream->bytes, EVENTS, &offset, &header);
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
				   "stack %u is not one (event %u, stack %u, %u frames)", i + 1, stack->event,
				   stack->stack, stack->nr_frames);
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
		run_damage(run, run->stacks_path, 0, "no stacks: the file has %zu bytes", run->stacks_bytes);
		return;
	}
	memcpy(&header, run->stacks_map, sizeof(header));
	const char *fault = header_fault(&header, STACKS);
	uint64_t nr = (run->stacks_bytes - HEADER_BYTES) / sizeof(struct trace_stack);
	if (fault)
		run_damage(run, run->stacks_path, 0, "%s; its %llu possible stacks are taken as they are",
			   fault, (unsigned long long)nr);
	else if (run->boot_id && header.boot_id != run->boot_id)
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
					      EVENTS | STACKS, &offset, &header);
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
