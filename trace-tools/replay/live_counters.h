/*
 * counters: how a machine is doing, counted so that the order of records does not matter: free pages, pages by kind, and
 * what each call site took since the last beat.
 *
 * Free pages are those of the earliest sample, plus and minus what was freed and taken after it; each record says its
 * time. Until a sample is known they are not.
 *
 * PULSE-1  the numbers after a step are those of all records handed out so far, whatever their order was.
 */
#ifndef TOOLS_REPLAY_LIVE_COUNTERS_H
#define TOOLS_REPLAY_LIVE_COUNTERS_H

#include "ctf/follow.h"

struct live_counters_site {
	uint64_t pages, objects;               /* taken so far */
	uint64_t pages_before, objects_before; /* at the last beat */
};

struct live_counters {
	uint64_t nr_events, events_before;
	uint64_t first_time, last_time, time_before;
	bool sampled;
	uint64_t sample_time;
	int64_t sample_free;
	int64_t net_since;                  /* pages freed minus taken after sample_time */
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
