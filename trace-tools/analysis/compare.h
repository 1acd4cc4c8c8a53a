/* SPDX-License-Identifier: MIT */
/*
 * compare: what two instants hold, of one run or of two, side by side.
 *
 * Stacks of the two sides are the same where their keys are (stack_table.h): first those with offsets; what is then left
 * on one side only is matched by the names of the functions, since a changed function moves the calls in it. Kinds
 * and slab caches are the same where their names are.
 *
 * COMPARE-1  the stacks' sides add up to what the two instants hold.
 */
#ifndef TOOLS_ANALYSIS_COMPARE_H
#define TOOLS_ANALYSIS_COMPARE_H

#include "replay/live_set.h"
#include "target/stack_table.h"

enum { SIDE_A, SIDE_B, NR_SIDES };

struct compare_amount {
	uint64_t pages, objects, object_bytes;
};

struct compare_row {
	const char *name; /* of a kind or a slab cache; NULL: a stack */
	struct compare_amount amounts[NR_SIDES];
	uint64_t kinds[NR_SIDES][PK_NR]; /* pages; of stacks */
	uint32_t stacks[NR_SIDES];       /* one of each side, 0: none or no stack */
	bool present[NR_SIDES];
	bool by_names; /* offsets differ */
};

struct compare {
	struct compare_row *rows,
	    *stacks; /* kinds and caches; stacks. The largest change first, then the largest */
	size_t nr_rows, rows_capacity, nr_stacks, stacks_capacity;
	struct compare_amount totals[NR_SIDES];
};

void compare_make(struct compare *compare, const struct model *const models[NR_SIDES],
		  struct stack_table *const books[NR_SIDES]);
void compare_free(struct compare *compare);
/* B minus A in bytes, pages and objects together. */
int64_t compare_change(const struct compare_row *row);
bool compare_differs(const struct compare_row *row);

#endif
