/* SPDX-License-Identifier: MIT */
/*
 * same_trace: are two runs the same, record by record? For runs that were repeated (run/again.h).
 *
 * Compared are the harts' streams as bytes of whole records, and the stacks. Records name stacks by their numbers, so two
 * runs with the same records but other stacks differ in the stacks.
 */
#ifndef TOOLS_ANALYSIS_SAME_TRACE_H
#define TOOLS_ANALYSIS_SAME_TRACE_H

#include "ctf/run.h"

enum trace_difference {
	TRACE_SAME,
	TRACE_HARTS_DIFFER,   /* another number of streams */
	TRACE_RECORDS_DIFFER, /* the first one by time */
	TRACE_STACKS_DIFFER,
};

struct same_trace {
	enum trace_difference what;
	uint32_t hart;
	uint64_t number;                  /* of the record in its stream, or of the stack */
	const struct trace_record *a, *b; /* NULL: that stream has ended; valid until the runs are closed */
	uint64_t nr_same; /* records of all streams before it; all of them if nothing differs */
};

struct same_trace trace_compare(const struct run *a, const struct run *b);

#endif
