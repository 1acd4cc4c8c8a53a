/* SPDX-License-Identifier: MIT
 *
 * page_tables: see page_tables.h. The bits of an entry: RISC-V privileged ISA manual, Sv39.
 */
#include "page_tables.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "guest.h"
#include "hooks.h"
#include "spin.h"

#define ENTRIES 512
#define LEVELS_MAX 5
#define PTE_VALID 1
#define PTE_LEAF 0xe /* readable, writable or executable */

struct table {
	uint64_t born;            /* when its page was allocated */
	uint64_t parent;          /* physical address of the table above; NONE: unknown, or a root */
	uint16_t slot;            /* in it */
	uint32_t leaves[ENTRIES]; /* page numbers; 0: none */
};

static struct table **tables; /* by page of RAM */
static uint64_t nr_pages;
static spin_t lock;

bool page_tables_init(uint64_t ram_bytes)
{
	nr_pages = ram_bytes >> PAGE_SHIFT;
	tables = calloc(nr_pages, sizeof(struct table *));
	return tables != NULL;
}

/* The shadow of the table at pa, empty if its page has a new life; NULL: not RAM, or no memory. */
static struct table *table_at(uint64_t pa)
{
	uint64_t index = (pa - guest_ram_base()) >> PAGE_SHIFT, born = pages_allocated_at(pa);

	if (index >= nr_pages)
		return NULL;
	struct table *table = tables[index];
	if (table && table->born == born)
		return table;
	if (!table)
		table = malloc(sizeof(*table));
	if (!table)
		return NULL;
	memset(table, 0, sizeof(*table));
	table->born = born;
	table->parent = NONE;
	tables[index] = table;
	return table;
}

/* The page number that a slot of the table at pa maps; UINT32_MAX: unknown. *root is that of the topmost table. */
static uint32_t va_page_of(uint64_t pa, unsigned slot, uint16_t *root)
{
	const struct table *table = table_at(pa);
	uint64_t va_page = slot;
	unsigned levels = 1;

	while (table && table->parent != NONE && levels < LEVELS_MAX) {
		va_page |= (uint64_t)table->slot << 9 * levels++;
		pa = table->parent;
		table = table_at(pa);
	}
	*root = levels == hooks.pte_levels ? (uint16_t)(pa >> PAGE_SHIFT) : 0;
	return levels == hooks.pte_levels ? (uint32_t)va_page : UINT32_MAX;
}

/* With the lock held. */
static bool note(uint64_t table_pa, unsigned slot, uint64_t entry, struct table_change *change)
{
	uint64_t target = (entry >> 10 & 0xfffffffffffULL) << PAGE_SHIFT;
	struct table *table = table_at(table_pa);
	bool valid = entry & PTE_VALID && pages_managed(target), leaf = valid && (entry & PTE_LEAF);
	uint32_t was, is = leaf ? (uint32_t)(target >> PAGE_SHIFT) : 0;

	if (!table)
		return false;
	was = table->leaves[slot];
	table->leaves[slot] = is;
	if (valid && !leaf) {
		struct table *child = table_at(target);
		if (child) {
			child->parent = table_pa;
			child->slot = (uint16_t)slot;
		}
	}
	if (was == is)
		return false;
	change->va_page = va_page_of(table_pa, slot, &change->root);
	change->unmapped = was ? (uint64_t)was << PAGE_SHIFT : NONE;
	change->mapped = is ? target : NONE;
	return change->va_page == UINT32_MAX || !is ||
	       guest_linear((uint64_t)change->va_page << PAGE_SHIFT) != target;
}

bool page_tables_store(unsigned hart, uint64_t va, uint64_t entry, struct table_change *change)
{
	uint64_t pa = va & 7 ? NONE : guest_va_to_pa(hart, va);

	if (pa == NONE || !pages_managed(pa))
		return false;
	spin_lock(&lock);
	bool told = note(pa & ~(PAGE_BYTES - 1), (unsigned)(pa & (PAGE_BYTES - 1)) / 8, entry, change);
	spin_unlock(&lock);
	return told;
}
