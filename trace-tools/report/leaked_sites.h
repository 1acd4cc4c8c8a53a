/* SPDX-License-Identifier: MIT */
/*
 * leaked_sites: how many pages leaked at which call site, for a sentence about two runs of one machine.
 *
 * `why` runs a watched machine again, and the second run is one like the first: timing decides which process is killed where, so it may
 * leak fewer pages, or at another call site. Who reads its answer as one about the first run must know that:
 *
 *     The two runs did not leak the same: cow_fault() (vm.c:249) 208 pages recorded, 201 now; pipealloc() (pipe.c:30) 1 page recorded,
 *     none now.
 *
 * A call site is the function that asked for the page and its line; all ways to it are one.
 */
#ifndef TOOLS_REPORT_LEAKED_SITES_H
#define TOOLS_REPORT_LEAKED_SITES_H

#include "analysis/leaks.h"

struct leaked_site {
	char *name; /* "cow_fault() (vm.c:249)" */
	uint64_t nr_pages;
};

/* Its own copy of what it says: the run may be closed. */
struct leaked_sites {
	struct leaked_site *all;
	size_t nr, capacity;
};

struct leaked_sites leaked_sites_take(const struct leaks *leaks);
void leaked_sites_free(struct leaked_sites *sites);
/* The sentence, without a full stop; NULL: both leaked the same. Caller frees. */
char *leaked_sites_differ(const struct leaked_sites *recorded, const struct leaked_sites *now);

#endif
