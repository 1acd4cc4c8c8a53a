/* SPDX-License-Identifier: MIT
 *
 * stores: what the kernel's stores to memory mean: list links, counts, page-table entries, console bytes, stray writes.
 *
 * A callback on every store of a kernel costs half of its speed, and nearly all of them mean nothing. So only stores in
 * the code that the hooks file names get one: 70 thousand callbacks in a session instead of a thousand million.
 *
 *	free push=…	a link (0 or a page's address, 8 bytes) stored to the head of a page: the page is free now
 *	count, state	a store or atomic into an array (or struct page): the count of that page changed
 *	pte		a store of 8 bytes whose value, now or before, is a valid leaf (page_tables.h)
 *	console uart	the byte
 *	check-writes	all stores of all kernel text, against a bitmap of free pages
 *
 * STORES-1  The callback runs after the store. What was stored is the source register, which another hart cannot change; for
 *           atomics other than additions it is read back from memory.
 * STORES-2  What stood there before is known from a shadow of each array, kept under the page's lock: an addition is
 *           applied to the shadow, so that two harts that add at once give a chain, too.
 */
#ifndef PLUGIN_STORES_H
#define PLUGIN_STORES_H

#include <stdbool.h>
#include <stdint.h>

struct qemu_plugin_insn;

/* Once RAM is known. False: no memory for the shadows. */
bool stores_init(bool check_writes);
void stores_translate(struct qemu_plugin_insn *insn, uint64_t va, uint32_t bits, unsigned size);

/* By follow, which sees stores through the linear mapping. Tells what check_writes would have told, unless that does it. */
void stores_free_page_written(unsigned hart, uint64_t after_pc, uint64_t pa, uint64_t va, unsigned bytes);

struct array_counters {
	uint64_t stores, changes, misses;
};
struct array_counters stores_counters(unsigned array);
uint64_t stores_unwatched(void); /* for want of room in a table: their events are missing */
uint64_t stores_checked(void);   /* writes into free pages that were found */

#endif
