/* SPDX-License-Identifier: MIT
 *
 * freed: pages that were freed too early: who freed them first, who still pointed to them then, and who used them after that.
 *
 * A double free, a write to a free page or a mapping of one is found long after the mistake: the second free is right, the first
 * was too early. In a run that is repeated it is known which page it will be. So of the pages that the hooks file names
 * (`follow freed=N`) this keeps, at each free, the stack, and the locations that lead to the page still, each with who stored it:
 *
 *	munmap: page_put(page)		freed; the tree of the page cache still leads to it, stored by radix_insert
 *	drop_one: page_put(page)	again
 *
 * and until the page is handed out again every store into it, and every further put. What an allocator fills free pages with is no
 * use: it says so by its pattern.
 *
 * FREED-1  One record a page. A free replaces it, but not one after which the page was used or freed again: the first mistake counts.
 */
#ifndef PLUGIN_FREED_H
#define PLUGIN_FREED_H

#include <stdio.h>

#include "follow_priv.h"

/* False: out of memory. */
bool freed_init(void);
/* Is this page one of them? */
bool freed_wanted(uint64_t index);
/* A put begins that may free the page: what it stores from here on counts if it does. */
void freed_put_begins(uint64_t index);
/* The page is free now, and its lives not ended yet. */
void freed_now(const struct moment *moment, uint64_t index, uint64_t nth);
/* A put of the page, or a free. */
void freed_again(const struct moment *moment, uint64_t index);
void freed_handed_out(uint64_t index);
/* A store of `value` into memory; pc lies behind it. */
void freed_stored(const struct moment *moment, uint64_t va, uint64_t value, uint64_t pc);
void freed_write(FILE *out);

#endif
