/* SPDX-License-Identifier: MIT */
/*
 * curve: free pages and pages by kind over time, in a fixed number of steps, gathered while the model replays.
 *
 * Each step keeps the least and the most free pages in it and how things stood at its end, so that a dip shorter than
 * a step still shows.
 */
#ifndef TOOLS_REPLAY_CURVE_H
#define TOOLS_REPLAY_CURVE_H

#include "model.h"

struct curve_step {
	bool any;                /* false: no page changed hands; the numbers are those of the step before */
	uint64_t time;           /* of the last event in it */
	int64_t low, high, last; /* free pages */
	int32_t kinds[PK_NR];    /* pages, at the end */
};

struct curve {
	uint64_t begin, span; /* ticks */
	uint32_t nr;
	uint32_t booted; /* the step of the first allocation: before it RAM is given to the free lists */
	bool allocated;  /* there was one */
	struct curve_step *steps;
	uint32_t at;         /* the step of the last event */
	uint64_t now, next;  /* when that step begins, and the one behind it; 0: no event yet */
	int64_t last_net;    /* freed minus allocated, after the last event */
	int64_t most[PK_NR]; /* pages of each kind at any event since the first allocation */
};

void curve_begin(struct curve *curve, const struct run *run, uint32_t nr_steps);
/* A watch of model_replay; arg is the curve. */
void curve_event(void *arg, const struct model *model, const struct trace_record *record, uint32_t stream);
/* After the replay: fills the empty steps and fixes the height. Where free pages are not known they count from the end. */
void curve_end(struct curve *curve, const struct model *model);
void curve_free(struct curve *curve);

#endif
