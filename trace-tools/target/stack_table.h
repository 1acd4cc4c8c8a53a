/* SPDX-License-Identifier: MIT */
/* stack_table: the stacks of one run with their symbols, each expanded once. */
#ifndef TOOLS_TARGET_STACK_TABLE_H
#define TOOLS_TARGET_STACK_TABLE_H

#include <stdio.h>

#include "ctf/run.h"
#include "symbols.h"

struct stack_view {
	struct symbol_frame *frames; /* innermost first */
	uint32_t nr;
	uint32_t site; /* first frame that is not the books' machinery; nr: none */
	bool known;
};

struct stack_table {
	const struct run *run;
	struct symbols *symbols;
	struct stack_view *views; /* by stack id */
};

/* Says on stderr why addresses stay numbers, if they do. */
struct stack_table *stack_table_open(const struct run *run);
void stack_table_close(struct stack_table *stacks);
/* Never NULL; an unknown id gives 0 frames. */
const struct stack_view *stack_table_get(struct stack_table *stacks, uint32_t id);
/* "pagecache_get" of the frame that asked for the page; "(no stack)" */
const char *stack_table_function(struct stack_table *stacks, uint32_t id);
/* Same functions, in the same order, whatever the addresses and lines. */
bool stack_views_alike(const struct stack_view *a, const struct stack_view *b);
/*
 * What tells stacks of different kernels apart and alike, from the site outward, one line a function: "mm_fork+0x1c",
 * or "mm_fork" without offsets. Offsets survive a rebuilt kernel wherever the function itself did not change. What the
 * compiler appends to names of its own clones (".part.0") is left out. Caller frees.
 */
char *stack_table_key(struct stack_table *stacks, uint32_t id, bool offsets);
/* One line a frame, from the site outward: "<indent>function  file:line". */
void stack_table_print(struct stack_table *stacks, uint32_t id, const char *indent, FILE *out);
/* "file:line" or "" into buf. */
const char *frame_place(const struct symbol_frame *frame, char *buf, size_t bytes);

#endif
