/* SPDX-License-Identifier: MIT */
/*
 * page_lives: the lives of pages that a picture of RAM can show, and their events.
 *
 * A run has millions of lives; most last for some microseconds and are in no picture. The machine is looked at at even instants, and a
 * page that is live then has its life noted, once: when it began and ended, what the page was for, who allocated it. The events
 * of those lives that somebody chooses are read in a second look at the trace (ledger.h pairs them).
 *
 *     instants    |        |        |
 *     page 7    ----  --  -----------------       the first and the last are noted, the second is not
 *
 * Memory is bounded: where more are noted than LIVES_MAX, the ones that lasted less than two instants go, and from then on every
 * other instant is looked at.
 *
 * LIVES-1  Every life that is live at the end of the run is noted, as is each that leaked.
 * LIVES-2  A page has one life at a time: those of one page frame do not overlap.
 */
#ifndef TOOLS_REPLAY_PAGE_LIVES_H
#define TOOLS_REPLAY_PAGE_LIVES_H

#include "model.h"

#define LIVES_MAX 32768U
/* Of one life; what is more is counted. */
#define LIFE_RECORDS_MAX 128U

struct page_life_span {
	uint64_t begin, end; /* end 0: it lives on */
	uint32_t pfn, stack, index;
	uint16_t holder, pid;
	uint8_t order, kind, ref; /* ref: of the reference that it began with */
	/* of those that were chosen */
	struct trace_record *records;
	size_t nr, capacity;
	uint64_t nr_left_out;
};

struct page_lives {
	uint64_t first, step, next; /* ticks: when to look */
	uint32_t nr_instants;
	bool begun;
	uint32_t *current; /* by page: number + 1 of its noted life; DIRTY: it changed since the last look */
	uint32_t *dirty;
	size_t nr_dirty, dirty_capacity;
	struct page_life_span *all; /* after page_lives_end: by page frame, then by time */
	size_t nr, capacity;
};

void page_lives_begin(struct page_lives *lives, const struct run *run, uint32_t nr_instants);
/* A watch of model_replay; arg is the lives. */
void page_lives_event(void *arg, const struct model *model, const struct trace_record *record,
		      uint32_t stream);
/* After the replay: those that live on; puts all in order. */
void page_lives_end(struct page_lives *lives, const struct model *model);
void page_lives_free(struct page_lives *lives);
/* The life of a page frame at a time, NULL: none was noted. Of a block any page of it may be asked for. */
struct page_life_span *page_lives_find(const struct page_lives *lives, uint32_t pfn, uint64_t time);
/* Reads the events of the lives for which chosen[i] is true, at most `most` of them in all. */
void page_lives_read(struct page_lives *lives, struct run *run, const struct model *model, const bool *chosen,
		     size_t most);

#endif
