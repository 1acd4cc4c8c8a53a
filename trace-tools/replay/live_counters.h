/* SPDX-License-Identifier: MIT */
/*
 * counters: how a machine is doing, counted so that the order of records does not matter: free pages, pages by kind, and
 * what each call site took since the last beat.
 *
 * A hart that does little fills its packets late, so the free of a page may be seen long before its allocation, which
 * another hart recorded. Sums of allocations and frees would then go below zero. So what is kept is the newest known state
 * of each page, by the time of its record: an older record that comes later changes nothing.
 *
 *   seen first   t=9 hart0 page_free  pfn 5   ->  5 is free
 *   seen later   t=7 hart1 page_alloc pfn 5   ->  5 is free still
 *
 * Free pages are those of the earliest sample, plus those that are free now, minus those that were free at its time.
 * Until a sample is known they are not.
 *
 * PULSE-1  the numbers after a step are those of all records handed out so far, whatever their order was.
 * PULSE-2  no number of pages is below zero, and each page is counted once.
 */
#ifndef TOOLS_REPLAY_LIVE_COUNTERS_H
#define TOOLS_REPLAY_LIVE_COUNTERS_H

#include "ctf/follow.h"

struct live_counters_site {
	uint64_t pages, objects;               /* taken so far */
	uint64_t pages_before, objects_before; /* at the last beat */
};

/* What a page is used for, as the newest record up to some time says. */
struct live_counters_page {
	uint64_t time; /* 0: no record of it */
	uint64_t first_time;
	uint8_t kind, hart;
	bool first_takes; /* the oldest record is an allocation: before it the page was free */
};

struct live_counters {
	uint64_t nr_events, events_before;
	uint64_t first_time, last_time, time_before;
	bool sampled;
	uint64_t sample_time;
	int64_t sample_free;
	struct live_counters_page *pages;      /* by pfn from RAM_BASE on: now */
	struct live_counters_page *pages_then; /* and at sample_time */
	uint32_t pages_capacity;
	int64_t free_then;                  /* pages of kind PK_FREE in pages_then */
	struct trace_payload_sample newest; /* the latest sample */
	uint64_t newest_time;
	int64_t kinds[PK_NR], kinds_before[PK_NR];
	struct live_counters_site *sites; /* by stack */
	size_t nr_sites, capacity;
	char mark[17];
	uint64_t mark_time;
	bool mark_open;
	uint64_t audit_time;
	uint32_t audit_findings;
	uint64_t ooms;
	char panic[PANIC_TEXT_BYTES];
};

void live_counters_free(struct live_counters *counters);
/* Takes what is new; how many records. Files that were replaced begin anew. */
uint64_t live_counters_step(struct live_counters *counters, struct follow *follow);
/* What was taken so far is no longer new. */
void live_counters_beat(struct live_counters *counters);
/* -1: not known. */
int64_t live_counters_free_pages(const struct live_counters *counters);
/* Ticks of the machine since the last beat. */
uint64_t live_counters_ticks(const struct live_counters *counters);

#endif
