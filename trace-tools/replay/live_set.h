/* SPDX-License-Identifier: MIT */
/*
 * live_set: who held what at the instant to which a model was replayed: live pages and objects by kind, by the stack
 * that took them, or by the processes that hold them.
 *
 * Objects lie in slab pages: they are counted beside the pages, never added to them. By pid, a page counts once for
 * each process that has a reference (through its address space, its kernel stack, a copy under way, ...), and as
 * `alone` where nobody else has one; so the pages of all rows add up to more than there are. References of nobody's
 * process (the page cache's, pipes', slab caches', boot's) make rows of their own. An object counts for who made it.
 *
 * HOLDINGS-1  by kind and by stack, the rows' pages add up to `pages`.
 */
#ifndef TOOLS_REPLAY_LIVE_SET_H
#define TOOLS_REPLAY_LIVE_SET_H

#include "model.h"

enum live_set_by { BY_KIND, BY_STACK, BY_PID };

struct live_row {
	/* BY_KIND: page kind, or HOLDING_CACHE + slab cache; BY_STACK: stack; BY_PID: pid, or HOLDING_REF + ref kind */
	uint32_t key;
	uint64_t pages, alone; /* alone: BY_PID only */
	uint64_t objects, object_bytes;
	uint64_t oldest; /* when it was taken, ticks */
	uint64_t kinds[PK_NR];
};
#define HOLDING_CACHE 0x10000U
#define HOLDING_REF 0x10000U

struct live_set {
	enum live_set_by by;
	struct live_row *rows; /* most pages first, then most bytes of objects */
	size_t nr, capacity;
	uint64_t pages, objects, object_bytes;
	uint32_t *row_of; /* by key: position + 1 */
	size_t nr_keys;
};

void live_set_make(struct live_set *set, const struct model *model, enum live_set_by by);
void live_set_free(struct live_set *set);

#endif
