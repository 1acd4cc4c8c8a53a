/* SPDX-License-Identifier: MIT */
/* merge: see merge.h. */
#include "merge.h"

#include "base/progress.h"
#include "run_priv.h"

/* Why a record cannot be one, or NULL. */
static inline const char *record_fault(const struct merge_head *head, const struct trace_record *record)
{
	if (__builtin_expect(record->time < head->last, 0))
		return "goes back in time";
	if (__builtin_expect(record->time > head->packet_end_time, 0))
		return "is later than its packet's end";
	if (__builtin_expect(!event_known(record->event), 0))
		return "is of an unknown event";
	return NULL;
}

static void note_fault(struct merge *merge, uint32_t number, const struct trace_record *record,
		       const char *fault)
{
	struct stream *stream = &merge->run->streams[number];
	uint64_t offset = (uint64_t)((const uint8_t *)record - stream->map);

	run_damage(merge->run, stream->path, offset, "record %s (time %llu, event %u); left out", fault,
		   (unsigned long long)record->time, record->event);
}

/* Steps over bad records and packet ends until head->next is a good record or the stream ends. */
static void head_load(struct merge *merge, uint32_t number)
{
	struct stream *stream = &merge->run->streams[number];
	struct merge_head *head = &merge->heads[number];

	for (;;) {
		while (head->next < head->end) {
			const char *fault = record_fault(head, head->next);
			if (!fault) {
				head->time = head->next->time;
				return;
			}
			note_fault(merge, number, head->next++, fault);
		}
		if (head->packet == stream->nr_packets) {
			head->time = UINT64_MAX;
			return;
		}
		const struct packet *packet = &stream->packets[head->packet++];
		progress_show(merge->nr_begun++, merge->nr_packets);
		run_forget(stream, &head->forgotten, packet->offset);
		head->next = stream_records(stream, packet);
		head->end = head->next + packet->nr_records;
		head->packet_end_time = packet->end_time;
	}
}

void merge_begin(struct merge *merge, struct run *run, bool (*fits)(void *, const struct trace_record *),
		 void *arg)
{
	*merge = (struct merge){.run = run, .fits = fits, .arg = arg};
	for (uint32_t i = 0; i < run->nr_streams; i++)
		merge->nr_packets += run->streams[i].nr_packets;
	for (uint32_t i = 0; i < run->nr_streams; i++)
		head_load(merge, i);
}

size_t merge_batch(struct merge *merge, const struct trace_record **records, uint32_t *stream)
{
	uint32_t nr = merge->run->nr_streams, first = 0;
	uint64_t limit = UINT64_MAX; /* the earliest of the others */

	for (uint32_t i = 1; i < nr; i++) {
		if (merge->heads[i].time < merge->heads[first].time) {
			limit = merge->heads[first].time;
			first = i;
		} else if (merge->heads[i].time < limit) {
			limit = merge->heads[i].time;
		}
	}
	struct merge_head *head = &merge->heads[first];
	if (nr == 0 || head->time == UINT64_MAX) {
		progress_erase();
		return 0;
	}
	if (limit == head->time && merge->fits) {
		for (uint32_t i = first; i < nr; i++) {
			if (merge->heads[i].time == limit && merge->fits(merge->arg, merge->heads[i].next)) {
				first = i;
				break;
			}
		}
		head = &merge->heads[first];
	}

	const struct trace_record *record = head->next;
	*records = record;
	*stream = first;
	head->last = record->time;
	record++;
	/* A record equal in time to another hart's next goes out alone: the next choice may be another. */
	while (record < head->end && record->time < limit && !record_fault(head, record)) {
		head->last = record->time;
		record++;
	}
	head->next = record;
	size_t batch = (size_t)(record - *records);
	head_load(merge, first);
	return batch;
}

void merge_visit(struct run *run, bool (*fits)(void *, const struct trace_record *), merge_visitor *visit,
		 void *arg)
{
	size_t nr_damages = run->nr_damages, nr;
	const struct trace_record *records;
	struct merge merge;
	uint32_t stream;

	merge_begin(&merge, run, fits, arg);
	while ((nr = merge_batch(&merge, &records, &stream)) != 0)
		visit(arg, records, nr, run->streams[stream].hart);
	run_forget_damages(run, nr_damages);
}
