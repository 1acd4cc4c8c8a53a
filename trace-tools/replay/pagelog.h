/* SPDX-License-Identifier: MIT */
/*
 * pagelog: what each page of RAM is used for, at a fixed number of instants, gathered while the model replays.
 *
 * The first instant is that of the first allocation (before it the kernel only gives its memory to the free lists). Where
 * nothing changed between two instants they share one snapshot. A snapshot has a cell for each page; of a machine with
 * more than PAGELOG_CELLS pages, for each 2^shift pages: the kind of the first that is used.
 *
 * RAM is known by the pages that were told of, so it may grow during the replay: a snapshot has the cells of its time.
 * Of one instant to the next most of RAM stays as it is: a snapshot shares the blocks of cells that did not change with
 * the one before.
 */
#ifndef TOOLS_REPLAY_PAGELOG_H
#define TOOLS_REPLAY_PAGELOG_H

#include "model.h"

#define PAGELOG_CELLS 32768U
#define PAGELOG_BLOCK 256U /* cells */

struct pagelog_snapshot {
	uint8_t **blocks; /* of kinds; PK_FREE also for pages that nobody ever told of */
	uint32_t nr;      /* cells */
	uint32_t shift;
};

struct pagelog {
	uint64_t begin, end; /* ticks; begin 0: no page was allocated yet */
	uint8_t *kinds;      /* of each page now */
	uint32_t nr_pages;
	uint32_t nr;        /* instants */
	uint32_t at;        /* the next one to be taken */
	uint64_t next;      /* no instant comes before it; 0: not known */
	bool changed;       /* since the snapshot taken last */
	uint32_t *snapshot; /* number of each instant's */
	struct pagelog_snapshot *snapshots;
	uint32_t nr_snapshots;
	uint32_t nr_cells,
	    shift; /* of the last snapshot: of all RAM; cell 0 begins at model_first_pfn(model) */
};

void pagelog_begin(struct pagelog *log, const struct run *run, uint32_t nr);
/* A watch of model_replay; arg is the log. */
void pagelog_event(void *arg, const struct model *model, const struct trace_record *record, uint32_t stream);
/* After the replay: the instants that are left. */
void pagelog_end(struct pagelog *log);
void pagelog_free(struct pagelog *log);
/* The kinds of log->nr_cells cells in a snapshot. */
void pagelog_read(const struct pagelog *log, uint32_t snapshot, uint8_t *kinds);
/* The block of cells is the same in a snapshot and the one before it: nothing in it changed. False: not known. */
bool pagelog_block_same(const struct pagelog *log, uint32_t snapshot, uint32_t block);
/* The instant at or before a time. */
uint32_t pagelog_instant(const struct pagelog *log, uint64_t time);

#endif
