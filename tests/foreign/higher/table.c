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

struct page *kernel_root;

static u32 index_of(u64 va, u32 level)
{
	return va >> (PAGE_SHIFT + 9 * level) & (ENTRIES - 1);
}

static struct page *new_table(void)
{
	struct page *table = page_alloc_zeroed();

	if (table)
		table->flags |= PG_TABLE;
	return table;
}

/* The entry for va at the given level; NULL if a table is missing and not to be made, or without memory. */
static pte_t *entry_at(struct page *root, u64 va, u32 last_level, bool make)
{
	struct page *table = root;

	for (u32 level = LEVELS - 1; level > last_level; level--) {
		pte_t *pte = (pte_t *)page_va(table) + index_of(va, level);

		if (*pte & PTE_V) {
			table = pte_page(*pte);
			continue;
		}
		table = make ? new_table() : NULL;
		if (!table)
			return NULL;
		*pte = pte_make(table, 0);
	}
	return (pte_t *)page_va(table) + index_of(va, last_level);
}

pte_t *table_entry(struct page *root, u64 va, bool make)
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
		*pte = pte_make(page_of_pa(pa), flags | PTE_A | PTE_D);
	}
}

struct page *table_create(void)
{
	struct page *root = new_table();

	if (root)
		memcpy((pte_t *)page_va(root) + LOWER_HALF, (pte_t *)page_va(kernel_root) + LOWER_HALF,
		       LOWER_HALF * sizeof(pte_t));
	return root;
}

/* Frees what the first nr entries of a table lead to, then the table. */
static void destroy(struct page *table, u32 level, u32 nr)
{
	pte_t *entries = page_va(table);

	for (u32 i = 0; i < nr; i++) {
		if (!(entries[i] & PTE_V))
			continue;
		if (level == 0 || (entries[i] & PTE_LEAF))
			panic("a table is freed with a leaf in it");
		if (MISTAKEN(last_tables_stay) && level == 1)
			truth_of("leak", page_pa(pte_page(entries[i])), "table_destroy");
		else
			destroy(pte_page(entries[i]), level - 1, ENTRIES);
	}
	page_put(table);
}

void table_destroy(struct page *root)
{
	destroy(root, LEVELS - 1, LOWER_HALF);
}

void table_use(const struct page *root)
{
	csr_write(satp, (u64)SATP_MODE << 60 | page_pa(root) >> PAGE_SHIFT);
	asm volatile("sfence.vma" : : : "memory");
}
