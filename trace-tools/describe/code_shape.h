/* SPDX-License-Identifier: MIT */
/*
 * code_shape: what the code of each function is like, so that two builds can be compared function by function.
 *
 * A release that is only sometimes skipped leaves all calls where they were: what is new is a branch around one. So of each function
 * of the source it is counted how many branches it has, and what its other instructions do is added up; whatever was inlined into
 * what. Addresses, registers and the stack are left out: they change with what stands beside.
 *
 *     int f(...) { ...; if (rare) put(page); }      f: 1 branch more than in the build before
 *
 * SHAPE-1  A function that did not change has the same number of branches a copy in both builds, but where the compiler took
 *          another decision about what stands around it. Its sum also changes with what is inlined into it.
 * SHAPE-2  On how many lines of a function there is a branch changes with its source, and hardly with anything else: copies have the
 *          same lines.
 * SHAPE-3  The order of instructions is the compiler's: it changes with the function, and often with what is around it. But what is
 *          around it is in the same body.
 * SHAPE-4  Without debug information there are no shapes.
 */
#ifndef TOOLS_DESCRIBE_CODE_SHAPE_H
#define TOOLS_DESCRIBE_CODE_SHAPE_H

#include "target/symbols.h"
#include "target/types.h"

struct code_shape {
	const char *function;
	uint32_t copies;   /* that the compiler made of it: inlined ones, clones */
	uint32_t branches; /* of all copies together */
	uint32_t lines;    /* of the source on which there is one */
	uint64_t sum;      /* of what the other instructions do */
	uint64_t sequence; /* the same, and in which order they and the branches stand */
	uint64_t
	    body; /* the sequence of the function that is there under this name, with all that is inlined into it; 0: none is */
	uint32_t hosts;   /* in how many functions it is, its own among them */
	const char *host; /* one of them */
};

struct code_shapes {
	struct code_shape *all; /* by name */
	size_t nr, capacity;
};

struct code_shapes *code_shapes_open(const struct types *types, struct symbols *symbols);
void code_shapes_close(struct code_shapes *shapes);
/* NULL: no code is of this function. */
const struct code_shape *code_shapes_find(const struct code_shapes *shapes, const char *function);

#endif
