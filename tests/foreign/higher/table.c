/* SPDX-License-Identifier: MIT */
/*
 * Page tables. The upper half of every root is the kernel's: the linear map, in leaves of 2 MiB. The lower half is one
 * address space.
 *
 * TABLE-1  a table's page has PG_TABLE and one reference, which its parent's entry holds (a root: its space).
 * TABLE-2  table_destroy() frees the tables of the lower half; the leaves are gone before.
 */
#include "kernel.h"

#define ENTRIES 512
#define LOWER_HALF (ENTRIES / 2)

pte_t *kernel_root;

/* The one place where entries are written: a walk on another hart sees the old or the new one. */
void pte_set(pte_t *pte, pte_t value)
{
	__atomic_store_n(pte, value, __ATOMIC_RELAXED);
}

static u32 index_of(u64 va, u32 level)
{
	return va >> (PAGE_SHIFT + 9 * level) & (ENTRIES - 1);
}

static pte_t *new_table(void)
{
	struct page *page = page_alloc_zeroed();

	if (!page)
		return NULL;
	page->flags |= PG_TABLE;
	return page_va(page);
}

static pte_t *table_below(pte_t pte)
{
	return page_va(pte_page(pte));
}

/* The entry for va at the given level; NULL if a table is missing and not to be made, or without memory. */
static pte_t *entry_at(pte_t *table, u64 va, u32 last_level, bool make)
{
	for (u32 level = LEVELS - 1; level > last_level; level--) {
		pte_t *pte = &table[index_of(va, level)];

		if (*pte & PTE_V) {
			table = table_below(*pte);
			continue;
		}
		table = make ? new_table() : NULL;
		if (!table)
			return NULL;
		pte_set(pte, pte_make(page_of_va(table), 0));
	}
	return &table[index_of(va, last_level)];
}

pte_t *table_entry(pte_t *root, u64 va, bool make)
{
	return entry_at(root, va, 0, make);
}

/* The kernel's table: all of RAM but the firmware's part. */
void table_init(void)
{
	extern char text_end[];

	kernel_root = new_table();
	for (u64 pa = RAM_BASE + (2UL << 20); pa < RAM_END; pa += 2UL << 20) {
		pte_t *pte = entry_at(kernel_root, pa + LINEAR_OFFSET, 1, true);
		u64 flags = pa + LINEAR_OFFSET < (u64)text_end ? PTE_R | PTE_X : PTE_R | PTE_W;

		if (!pte)
			panic("no memory for the kernel's table");
		pte_set(pte, pte_make(page_of_pa(pa), flags | PTE_A | PTE_D));
	}
}

pte_t *table_create(void)
{
	pte_t *root = new_table();

	if (root)
		memcpy(root + LOWER_HALF, kernel_root + LOWER_HALF, LOWER_HALF * sizeof(pte_t));
	return root;
}

/* Frees what the first nr entries of a table lead to, then the table. */
static void destroy(pte_t *table, u32 level, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		if (!(table[i] & PTE_V))
			continue;
		if (level == 0 || (table[i] & PTE_LEAF))
			panic("a table is freed with a leaf in it");
		if (MISTAKEN(last_tables_stay) && level == 1)
			truth_of("leak", page_pa(pte_page(table[i])), "table_destroy");
		else
			destroy(table_below(table[i]), level - 1, ENTRIES);
	}
	page_put(page_of_va(table));
}

void table_destroy(pte_t *root)
{
	destroy(root, LEVELS - 1, LOWER_HALF);
}

void table_use(const pte_t *root)
{
	csr_write(satp, (u64)SATP_MODE << 60 | page_pa(page_of_va(root)) >> PAGE_SHIFT);
	asm volatile("sfence.vma" : : : "memory");
}
