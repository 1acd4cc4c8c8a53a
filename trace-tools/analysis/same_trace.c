/* SPDX-License-Identifier: MIT */
/* same_trace: see same_trace.h. */
#include "same_trace.h"

#include <string.h>

/* A place in a stream, in order. */
struct cursor {
	const struct stream *stream;
	size_t packet;
	uint32_t record;
};

static const struct trace_record *cursor_next(struct cursor *cursor)
{
	while (cursor->packet < cursor->stream->nr_packets) {
		const struct packet *packet = &cursor->stream->packets[cursor->packet];
		if (cursor->record < packet->nr_records)
			return &stream_records(cursor->stream, packet)[cursor->record++];
		cursor->packet++;
		cursor->record = 0;
	}
	return NULL;
}

static uint64_t time_of(const struct same_trace *found)
{
	return found->a && (!found->b || found->a->time < found->b->time) ? found->a->time : found->b->time;
}

/* False: they are the same, and found->number is how many records they have. */
static bool streams_differ(const struct stream *a, const struct stream *b, struct same_trace *found)
{
	struct cursor left = {.stream = a}, right = {.stream = b};

	*found = (struct same_trace){.what = TRACE_RECORDS_DIFFER, .hart = a->hart};
	for (;; found->number++) {
		found->a = cursor_next(&left);
		found->b = cursor_next(&right);
		if (!found->a && !found->b)
			return false;
		if (!found->a || !found->b || memcmp(found->a, found->b, sizeof(*found->a)))
			return true;
	}
}

struct same_trace trace_compare(const struct run *a, const struct run *b)
{
	struct same_trace first = {.what = TRACE_SAME}, found;
	uint64_t nr_same = 0;

	if (a->nr_streams != b->nr_streams)
		return (struct same_trace){.what = TRACE_HARTS_DIFFER};
	for (uint32_t i = 0; i < a->nr_streams; i++) {
		if (a->streams[i].hart != b->streams[i].hart)
			return (struct same_trace){.what = TRACE_HARTS_DIFFER};
		bool differ = streams_differ(&a->streams[i], &b->streams[i], &found);
		nr_same += found.number;
		if (differ && (first.what == TRACE_SAME || time_of(&found) < time_of(&first)))
			first = found;
	}
	for (uint32_t i = 0; first.what == TRACE_SAME && (i < a->nr_stacks || i < b->nr_stacks); i++) {
		if (i >= a->nr_stacks || i >= b->nr_stacks ||
		    memcmp(&a->stacks[i], &b->stacks[i], sizeof(a->stacks[i])))
			first = (struct same_trace){.what = TRACE_STACKS_DIFFER, .number = i + 1};
	}
	first.nr_same = nr_same;
	return first;
}
