/* history: all records of a few pages, and what became of the pages of lost objects. A second look at the trace. */
#ifndef TOOLS_HISTORY_H
#define TOOLS_HISTORY_H

#include "run.h"

/* One page of interest. */
struct page_history {
	uint32_t pfn;
	uint64_t since; /* records before this time are not kept */
	struct trace_record *records;
	size_t nr, capacity;
	uint16_t count; /* after the last record; for the order of equal times */
};

/*
 * One lost object whose holder is (inode, page index): the next page_put of that holder's DIRTY reference after the
 * object was made, and the last record of any kind in that holder's name. 0: there was none.
 */
struct companion {
	uint16_t holder;
	uint32_t index;
	uint64_t since;
	uint32_t put_stack;
	uint64_t put_time;
	uint32_t put_pfn;
	uint32_t last_stack;
};

/* Fills both arrays in one pass. Damage was noted by the first reading and is not noted again. */
void history_collect(struct run *run, struct page_history *pages, size_t nr_pages,
		     struct companion *companions, size_t nr_companions);

#endif
