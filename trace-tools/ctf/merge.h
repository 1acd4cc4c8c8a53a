/* SPDX-License-Identifier: MIT */
/*
 * merge: the records of all harts in one order.
 *
 * By time; where several harts have the same time, the record whose count before fits what the page's count is
 * now goes first (the caller's `fits`), else the lower hart. Records are handed out in batches of one hart, straight
 * from the mapped file, each checked first: a known event, a time that does not go back and is not after
 * its packet's end. What fails is noted as damage and left out.
 *
 * MERGE-1  times handed out never go backwards.
 */
#ifndef TOOLS_CTF_MERGE_H
#define TOOLS_CTF_MERGE_H

#include "run.h"

struct merge_head {
	const struct trace_record *next, *end; /* of the current packet */
	uint64_t packet_end_time;
	uint64_t time;      /* of next; UINT64_MAX: the stream is at its end */
	uint64_t last;      /* time handed out last */
	size_t packet;      /* number of the packet behind the current one */
	uint64_t forgotten; /* bytes, see run_forget */
};

struct merge {
	struct run *run;
	bool (*fits)(void *arg, const struct trace_record *record);
	void *arg;
	struct merge_head heads[STREAMS_MAX];
	size_t nr_packets, nr_begun; /* for the progress line */
};

void merge_begin(struct merge *merge, struct run *run, bool (*fits)(void *, const struct trace_record *),
		 void *arg);
/* The next batch: how many records at *records, all of one hart's stream (its position in run->streams). 0: the end. */
size_t merge_batch(struct merge *merge, const struct trace_record **records, uint32_t *stream);

/*
 * A further look at a trace that somebody has read, or will read, for its verdict: that reader notes what is damaged, this one notes
 * nothing. `visit` gets each batch, with the hart whose it is; arg is its own and that of `fits`, which may be NULL.
 */
typedef void merge_visitor(void *arg, const struct trace_record *records, size_t nr, uint32_t hart);
void merge_visit(struct run *run, bool (*fits)(void *, const struct trace_record *), merge_visitor *visit,
		 void *arg);

#endif
