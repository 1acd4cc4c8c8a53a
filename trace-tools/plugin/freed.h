/* SPDX-License-Identifier: MIT
 *
 * freed: memory that was freed too early: who freed it first, who still pointed to it then, and who used it after that.
 *
 * A double free, a write to a free page or a mapping of one is found long after the mistake: the second free is right, the first
 * was too early. So of a *range*, a page or an object, this keeps, at its free, the stack, and the locations that lead to it still,
 * each with who stored it:
 *
 *	munmap: page_put(page)		freed; the tree of the page cache still leads to it, stored by radix_insert
 *	drop_one: page_put(page)	again
 *
 * and until it is handed out again every store into it, every further put, and every get. In a run that is repeated it is known
 * which ranges these will be (`follow freed=N`, `freedobj=N`); where everything is followed from the start (`all=1`) each free is kept,
 * and at the end only those are told that were used or freed again, or are free and pointed to.
 *
 * What an allocator does with free memory is no use: its own code (`check writers=`), its patterns, and what a call that
 * allocates writes to what it is about to hand out. Stores are seen through the linear mapping.
 *
 * Where it was handed out again before anybody noticed, the second free looks like the first one. So a free is kept beyond the next
 * while a word that led to the range then leads to it still, and was not stored since: by that word its old owner may free it again.
 *
 * FREED-1  One record a range. A free replaces it, but not one after which the range was used or freed again: the first
 *          mistake counts.
 * FREED-2  freed_watched of a page is the number of its ranges that are free, or in a put that may free them.
 */
#ifndef PLUGIN_FREED_H
#define PLUGIN_FREED_H

#include <stdio.h>

#include "follow_priv.h"

/* False: out of memory. */
bool freed_init(void);
/* Is anything watched like this? */
bool freed_any(void);
/* Is this page (physical address) or object (virtual address)? */
bool freed_wanted(enum life_kind kind, uint64_t address);
/* A put begins that may free the page: what it stores from here on counts if it does. */
void freed_put_begins(uint64_t pa);
/* The page, or the object, is free now, and its lives not ended yet. bytes 0: of an object that is not known. */
void freed_now(const struct moment *moment, enum life_kind kind, uint64_t pa, uint64_t bytes, uint64_t nth);
/* A put of it, or a free. */
void freed_again(const struct moment *moment, enum life_kind kind, uint64_t pa);
/* A get of it. */
void freed_got(const struct moment *moment, enum life_kind kind, uint64_t pa);
/* Of a page: with all that lies in it. */
void freed_handed_out(enum life_kind kind, uint64_t pa);

extern uint16_t *freed_watched; /* by page */
/* May a store to va be one into a free range? */
static inline bool freed_any_at(uint64_t va)
{
	uint64_t offset = va - alias_map.linear_va;

	return offset < alias_map.linear_bytes && freed_watched[offset >> PAGE_SHIFT];
}
/* A store of `value` into memory; pc lies behind it. */
void freed_stored(const struct moment *moment, uint64_t va, unsigned bytes, uint64_t value, uint64_t pc);
void freed_write(FILE *out);

#endif
