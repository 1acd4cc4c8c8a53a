/* SPDX-License-Identifier: MIT
 *
 * page_tables: which page is mapped where, from the stores of the code that writes page tables.
 *
 * A store shows the slot and the entry, not the virtual address. That follows from the tables above: a store of a non-leaf
 * entry says "table C hangs in slot s of table P", so a leaf's address is the sum of the slots on the way from the root.
 * What stood in a slot before is kept in a shadow of each table, made when the first entry is stored to it.
 *
 *	root[2] = table A;  A[5] = table B;  B[7] = leaf of page p   ->   p is mapped at 2<<30 | 5<<21 | 7<<12
 *
 * TABLES-1  The shadow of a table is void once its page has been allocated anew (kept beside it: when that was).
 * TABLES-2  Leaves that are one of the kernel's linear mappings are not told: they map all of RAM.
 * TABLES-3  A leaf whose way to a root is not known over all levels is told with index UINT32_MAX and holder 0.
 */
#ifndef PLUGIN_PAGE_TABLES_H
#define PLUGIN_PAGE_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "pages.h"

struct table_change {
	uint64_t unmapped, mapped; /* physical addresses; NONE */
	uint32_t va_page;
	uint16_t root;
};

/* False: no memory. */
bool page_tables_init(uint64_t ram_bytes);
/* Takes note of a store of 8 bytes at va; true: pages were mapped or unmapped by it. */
bool page_tables_store(unsigned hart, uint64_t va, uint64_t entry, struct table_change *change);

#endif
