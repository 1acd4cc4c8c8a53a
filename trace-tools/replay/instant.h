/* SPDX-License-Identifier: MIT */
/*
 * instant: an instant of a run as people write it.
 *
 *   1.25, 1.25s    seconds since power-on, not after the trace's end
 *   start, end     of the trace
 *   NAME           a mark: "a test begins", "a test ends" (a name that a test has wins over the forms above)
 *   NAME:begin, NAME:end, NAME#2, NAME#2:end
 *                  one of its two instants; the second time that the name occurs
 *
 * A NAME without :begin or :end is its beginning, or its end where a span is to end.
 */
#ifndef TOOLS_REPLAY_INSTANT_H
#define TOOLS_REPLAY_INSTANT_H

#include "model.h"

struct timeline {
	const struct test_mark *tests;
	size_t nr_tests, capacity;
	uint64_t first, last; /* ticks, of the trace */
	bool owned;           /* tests came from timeline_read */
};

enum instant_edge { EDGE_BEGIN, EDGE_END };

/* Looks through the whole trace for its marks; damage was or will be noted by the replay, not here. */
void timeline_read(struct timeline *timeline, struct run *run);
/* Of a trace that was replayed to its end. */
void timeline_of_model(struct timeline *timeline, const struct model *model);
void timeline_free(struct timeline *timeline);

/* False with *error (caller frees) when the run has no such instant. */
bool instant_find(const struct timeline *timeline, const char *text, enum instant_edge edge, uint64_t *time,
		  char **error);
/* "no mark x: the marks are a, b, ...". Caller frees. */
char *instant_unknown_mark(const struct timeline *timeline, const char *text);

#endif
