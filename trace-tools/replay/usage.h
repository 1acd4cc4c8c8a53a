/* SPDX-License-Identifier: MIT */
/*
 * usage: what each call site, and each process, allocated and freed in each step of time, gathered while the model replays.
 *
 * A report lets its reader pick a span of time and asks for that span what a run asks for the whole: who allocated, what was held at
 * its end, what was held when most was. All of it is sums over steps. A step is a fixed part of the run, cut where a test begins
 * or ends, so that a test is made of whole steps.
 *
 * Most call sites do nothing in most steps, so a site has entries only for those in which it did something.
 *
 *     steps      0      1      2      3
 *     lookup     +5     -      +2-4   -       two entries
 *
 * What each site held when all of them held most is known exactly, not by steps: the first change of a site after that instant puts
 * aside what it held.
 *
 * USAGE-1  The steps of a series ascend, and allocated minus freed over all of them is what the site holds.
 * USAGE-2  There are at most USAGE_STEPS + USAGE_CUTS steps; a cut is the time of a mark.
 */
#ifndef TOOLS_REPLAY_USAGE_H
#define TOOLS_REPLAY_USAGE_H

#include "model.h"

#define USAGE_STEPS 256U
#define USAGE_CUTS 640U

struct usage_entry {
	uint32_t step, allocated, freed; /* pages */
};

struct usage_series {
	struct usage_entry *entries;
	size_t nr, capacity;
	int64_t live;
	int64_t at_most; /* held when all held most */
	uint32_t epoch;  /* of the last change */
};

struct usage {
	uint64_t begin, span, next; /* ticks; next: where the next even step begins */
	uint32_t nr_even, nr_cuts;
	uint64_t *starts; /* when each step began */
	size_t nr_steps, capacity;
	struct usage_series *sites; /* by stack id */
	uint32_t nr_sites;
	struct usage_series *pids; /* by pid; what it freed is not known: others free, too */
	uint32_t nr_pids;          /* no larger one did anything */
	int64_t live, most;
	uint64_t most_time;
	uint32_t epoch; /* how often most grew */
};

void usage_begin(struct usage *usage, const struct run *run);
/* A watch of model_replay; arg is the usage. */
void usage_event(void *arg, const struct model *model, const struct trace_record *record, uint32_t stream);
/* After the replay: what no site changed since most was held. */
void usage_end(struct usage *usage);
void usage_free(struct usage *usage);

#endif
