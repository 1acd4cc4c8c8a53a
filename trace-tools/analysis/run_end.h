/* SPDX-License-Identifier: MIT */
/*
 * run_end: what a run ended in that is no leak, and which functions that leads to.
 *
 * A leak has a get without a put. A panic, a page that was freed twice, a machine that does not end have none: what was not released
 * is noticed later, elsewhere, by somebody else. What there is are stacks, near and far:
 *
 *     panic    page cache: inode 27 page 0 is not in its mapping
 *     near     its stack                       page_detach_locked < drop_one < pagecache_truncate < inode_free
 *              the history of the page         page_begin_ahead < request_add, lookup < ..., pagecache_release
 *     far      all other functions that the run executed, and what these call
 *
 * A guest whose command failed, with nothing wrong in the books, has no stack at all: a test read what is not so, a program was killed.
 * Then there is only what is far.
 *
 * Where one of the near ones has other code than in a build that is well, that is a suspect (suspect_end.c).
 *
 * TRAIL-1  The panicking stack, and what the panic is about, stand in the copy of RAM that a panic leaves in the run's folder. Where it is
 *          gone, or is of another kernel, they are not known.
 */
#ifndef TOOLS_ANALYSIS_RUN_END_H
#define TOOLS_ANALYSIS_RUN_END_H

#include "leaks.h"
#include "panic_context.h"

struct end_steps {
	struct end_step *all; /* each function once, by its nearest trail */
	size_t nr, capacity;
};

/* What the run ended in; RUN_END_NONE: none of these. Leaks do not count, and where there are some the guest's status does not. */
enum run_end_how run_end_of(const struct leaks *leaks);
/* The near functions, but for what is on every stack (traps, the table of system calls). */
void run_end_steps(const struct leaks *leaks, struct end_steps *steps);
/* FINDING of a page that was in use and free: the stack of the free before it; 0: not known. */
uint32_t run_end_freed(const struct leaks *leaks);
void run_end_steps_free(struct end_steps *steps);
/* Tells of each page and object that the panicking kernel had in its hands; of none where there was no panic, or TRAIL-1. */
void run_end_contexts(const struct leaks *leaks, void (*tell)(const struct panic_context *, void *),
		      void *data);

#endif
