/* SPDX-License-Identifier: MIT */
/*
 * call_sites: who calls whom in a kernel's code, as its source says it.
 *
 * Where a release is missing in one build and was there in another, the code itself tells: the function has one call less.
 * The instructions are decoded, and each call is given to the function in whose source lines it stands, whatever was
 * inlined into what:
 *
 *     free_table, inlined into pt_destroy, calls page_put   ->   free_table calls page_put, pt_destroy calls free_table
 *
 * EDGE-1  A call is counted once for each line on which it stands: compilers copy and merge calls.
 * EDGE-2  A jump to the beginning of another function is a call, too: a tail call, which is on no stack.
 * EDGE-3  Calls through pointers are not seen, and an inlined function without a call is not.
 */
#ifndef TOOLS_DESCRIBE_CALL_SITES_H
#define TOOLS_DESCRIBE_CALL_SITES_H

#include "target/symbols.h"
#include "target/types.h"

struct call_sites;

/* `base` is what symbols takes off an address. */
struct call_sites *call_sites_open(const struct types *types, struct symbols *symbols, uint64_t base);
void call_sites_close(struct call_sites *sites);
/* On how many lines the one calls the other. */
uint32_t call_sites_nr(const struct call_sites *sites, const char *caller, const char *callee);
/* Whether there is a call of this function in the code. */
bool call_sites_called(const struct call_sites *sites, const char *function);
/* Of the calls of a function, by line: the same as long as it calls the same in the same order. 0: it calls nothing. */
uint64_t call_sites_order(const struct call_sites *sites, const char *caller);
/* Each pair once, in order: *at is 0 at first; returns on how many lines, 0 ends. */
uint32_t call_sites_next(const struct call_sites *sites, size_t *at, const char **caller,
			 const char **callee);

#endif
