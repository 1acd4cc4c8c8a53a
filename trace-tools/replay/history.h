/* SPDX-License-Identifier: MIT */
/* history: all records of a few pages, and what became of the pages of lost objects. A second look at the trace. */
#ifndef TOOLS_REPLAY_HISTORY_H
#define TOOLS_REPLAY_HISTORY_H

#include "ctf/run.h"

/* One page of interest; records of blocks of which it is a part are its own, too. */
struct page_history {
	uint32_t pfn;
	uint64_t since, until; /* records of other times are not kept; until 0: to the end */
	struct trace_record *records;
	size_t nr, capacity;
	uint16_t count; /* after the last record; for the order of equal times */
};

/*
 * What happened in the name of a holder after one of its things was taken, and before the holder ended.
 *
 * For a lost object made for (inode, page index): the next page_put of that holder's DIRTY reference.
 * For a lost reference that fills a place (a page-table entry, a stack's slot): the next other page that
 * was taken for the same place. A place holds one page, so the old one lost its reference there without a put.
 */
struct later_event {
	uint8_t ref; /* DIRTY for objects */
	bool object;
	uint16_t holder;
	uint32_t index;
	uint32_t pfn;          /* the lost page; 0 for objects */
	uint64_t since, until; /* until 0: to the end */
	uint32_t stack;        /* of the record found, 0: none was */
	uint64_t time;
	uint32_t found_pfn;
};

/* Fills both arrays in one pass. Damage was noted by the first reading and is not noted again. */
void history_collect(struct run *run, struct page_history *pages, size_t nr_pages, struct later_event *later,
		     size_t nr_later);

#endif
