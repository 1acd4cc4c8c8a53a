/* SPDX-License-Identifier: MIT */
/*
 * ram_audit_tables: page tables, walked exactly. See ram_audit.h.
 *
 * A leaf holds its page, unless it is the kernel's view of all of RAM: without PTE_U, at the page's address in a linear
 * mapping. A table that one walk meets twice is not walked again, so that a damaged tree ends; all walks together have a
 * budget, so that many of them end in time.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ram_audit_priv.h"

#define ENTRIES 512

struct table_walk {
	struct ram_audit *audit;
	const char *name;
	bool ghost;
};

static struct page_holder holder_of(const struct table_walk *walk, enum hold_kind kind, uint64_t va)
{
	return (struct page_holder){.kind = (uint8_t)kind, .name = walk->name, .where = va};
}

static void reach(struct table_walk *walk, uint32_t page, struct page_holder holder)
{
	struct audited_page *state = &walk->audit->pages[page];

	if (!walk->ghost)
		audit_hold(walk->audit, page, holder);
	else if (!state->ghost.kind)
		state->ghost = holder;
}

static void leaf_page(struct table_walk *walk, uint32_t number, uint64_t va, bool user)
{
	struct ram_audit *audit = walk->audit;
	struct audited_page *page = &audit->pages[number];
	struct page_holder holder = holder_of(walk, HOLD_LEAF, va);
	char text[96];

	reach(walk, number, holder);
	if (walk->ghost)
		return;
	page->user_leaves += user;
	page->kernel_leaves += !user;
	if (page->listed && !page->holder.kind) {
		page->holder = holder;
		audit_note(audit, FAULT_MAPPED_FREE, ram_audit_pa(audit, number),
			   "it is on a free list, and mapped: %s",
			   ram_audit_holder(&holder, text, sizeof(text)));
	}
}

static void leaf(struct table_walk *walk, uint64_t pte, uint64_t va, int level)
{
	const struct ram_audit *audit = walk->audit;
	uint64_t pa = PTE_PPN(pte) << PAGE_SHIFT, bytes = 1ULL << PT_LEVEL_SHIFT((unsigned)level),
		 end = audit->base + ((uint64_t)audit->nr_pages << PAGE_SHIFT);

	if (!(pte & PTE_U) && memory_is_linear(audit, va, pa))
		return;
	uint64_t from = pa > audit->base ? pa : audit->base, to = pa + bytes < end ? pa + bytes : end;
	for (; from < to; from += PAGE_BYTES)
		leaf_page(walk, memory_page(audit, from), va + (from - pa), (pte & PTE_U) != 0);
}

/* False: this table is not to be walked. */
static bool enter(struct table_walk *walk, uint64_t pa, uint64_t va, int level)
{
	struct ram_audit *audit = walk->audit;
	uint32_t number = memory_page(audit, pa);
	struct page_holder holder =
	    holder_of(walk, level == walk->audit->inside->levels - 1 ? HOLD_ROOT : HOLD_TABLE, va);
	char text[96];

	if (number == NO_PAGE) {
		if (!walk->ghost)
			ram_audit_reason(audit, "%s goes to a table at 0x%" PRIx64 ", which is not in RAM",
					 ram_audit_holder(&holder, text, sizeof(text)), pa);
		return false;
	}
	if (audit->inside->stamps[number] == audit->inside->epoch) {
		if (!walk->ghost)
			audit_note(audit, FAULT_TABLE_TWICE, pa, "%s is a table of the same tree already",
				   ram_audit_holder(&holder, text, sizeof(text)));
		return false;
	}
	if (audit->inside->entries_left < ENTRIES)
		return false;
	audit->inside->entries_left -= ENTRIES;
	audit->inside->stamps[number] = audit->inside->epoch;
	if (!walk->ghost && audit->pages[number].listed && !audit->pages[number].table)
		audit_note(audit, FAULT_TABLE_FREE, pa, "it is on a free list, and a page table in use: %s",
			   ram_audit_holder(&holder, text, sizeof(text)));
	reach(walk, number, holder);
	audit->pages[number].table |= !walk->ghost;
	return true;
}

static void walk_table(struct table_walk *walk, uint64_t pa, uint64_t va, int level)
{
	uint64_t pte;

	if (!enter(walk, pa, va, level))
		return;
	for (uint64_t i = 0; i < ENTRIES; i++) {
		uint64_t at = va | i << PT_LEVEL_SHIFT((unsigned)level);
		if (level == walk->audit->inside->levels - 1 && i >= ENTRIES / 2)
			at |= ~0ULL << PT_LEVEL_SHIFT((unsigned)level + 1);
		if (!memory_read(walk->audit, pa + i * 8, 8, &pte) || !(pte & PTE_V))
			continue;
		if (pte & PTE_LEAF_BITS)
			leaf(walk, pte, at, level);
		else if (level > 0)
			walk_table(walk, PTE_PPN(pte) << PAGE_SHIFT, at, level - 1);
	}
}

void tables_walk(struct ram_audit *audit, const char *name, uint64_t pa, bool ghost)
{
	struct table_walk walk = {audit, name, ghost};

	audit->inside->epoch++;
	audit->inside->nr_trees += !ghost && pa != audit->inside->root;
	walk_table(&walk, pa, 0, audit->inside->levels - 1);
	if (audit->inside->entries_left < ENTRIES)
		ram_audit_reason(audit,
				 "the page tables are larger than any kernel's: %s was not walked to its end",
				 name);
}

/* One entry of a table at this level; false: no page table has it. */
static bool entry_fits(const struct ram_audit *audit, uint64_t pte, int level)
{
	uint64_t pa = PTE_PPN(pte) << PAGE_SHIFT;
	uint32_t page = memory_page(audit, pa);

	if (!(pte & PTE_V) || pte >> 54)
		return false;
	if (pte & PTE_LEAF_BITS)
		return !(pa & ((1ULL << PT_LEVEL_SHIFT((unsigned)level)) - 1)) &&
		       ((pte & PTE_R) || !(pte & PTE_W)) && (level == 0 || !(pte & PTE_U));
	return level > 0 && page != NO_PAGE && audit->pages[page].managed && !audit->pages[page].listed;
}

bool tables_may_be_root(const struct ram_audit *audit, uint64_t pa)
{
	int level = audit->inside->levels - 1;
	uint64_t pte, nr_below = 0;

	for (uint64_t i = 0; i < ENTRIES; i++) {
		if (!memory_read(audit, pa + i * 8, 8, &pte))
			return false;
		if (!(pte & PTE_V))
			continue;
		uint64_t to = PTE_PPN(pte) << PAGE_SHIFT;
		bool is_leaf = (pte & PTE_LEAF_BITS) != 0;
		if (is_leaf ? ((pte & PTE_W) && !(pte & PTE_R)) ||
				  (to & ((1ULL << PT_LEVEL_SHIFT((unsigned)level)) - 1))
			    : memory_page(audit, to) == NO_PAGE)
			return false;
		nr_below += !is_leaf;
	}
	return nr_below != 0;
}

/* Looks below its first entry only: a table that is one all the way down has that, too. */
static bool looks_like(const struct ram_audit *audit, uint64_t pa, int level, uint64_t *nr_below)
{
	uint64_t pte, below = 0, nr = 0;

	for (uint64_t i = 0; i < ENTRIES; i++) {
		if (!memory_read(audit, pa + i * 8, 8, &pte))
			return false;
		if (!pte)
			continue;
		if (!entry_fits(audit, pte, level))
			return false;
		if (!(pte & PTE_LEAF_BITS) && nr++ == 0)
			below = PTE_PPN(pte) << PAGE_SHIFT;
	}
	*nr_below = nr;
	return nr == 0 || looks_like(audit, below, level - 1, &nr);
}

bool tables_look_like(const struct ram_audit *audit, uint64_t pa)
{
	uint64_t nr_below;

	return looks_like(audit, pa, audit->inside->levels - 1, &nr_below) && nr_below;
}
