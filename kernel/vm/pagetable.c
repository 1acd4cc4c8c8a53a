/* SPDX-License-Identifier: MIT */
/*
 * Sv39 tables of user address spaces (interface and PT-1 to PT-3: pagetable.h).
 *
 * Only the lower 256 entries of a root are the user's; the upper 256 are copied from the kernel's root when
 * the table is made and lead to tables that all address spaces share and none frees.
 *
 * A leaf holds its page's reference, but this file neither takes nor returns those: addrspace.c, fault.c and
 * fork.c do, where they know the holder and the reason. The tables' own references are acquired and released
 * here and nowhere else.
 */
#include <kernel/arch.h>

#include <kernel/lib.h>
#include <kernel/page.h>
#include <kernel/pagetable.h>

#define ENTRIES 512
#define USER_ROOT_ENTRIES 256
#define ROOT_LEVEL 2

static inline struct page *entry_page(pte_t pte)
{
	return pa_to_page(PTE_PA(pte));
}

static inline struct holder table_holder(u16 mm_id, u32 level, uaddr_t ua)
{
	/* a table of level L spans one entry of level L + 1 */
	uaddr_t first = level == ROOT_LEVEL ? 0 : ua & ~((1UL << PT_LEVEL_SHIFT(level + 1)) - 1);

	return HOLDER(mm_id, TABLE_HOLDER_INDEX(level, first));
}

struct page *pt_create(u16 mm_id)
{
	struct page *root =
	    page_alloc(0, PK_PAGETABLE, REF_TABLE, table_holder(mm_id, ROOT_LEVEL, 0), ALLOC_ZEROED);
	const pte_t *kernel;
	pte_t *table;

	if (!root)
		return NULL;
	kernel = pa_to_va(kernel_root_pa);
	table = page_to_va(root);
	memcpy(table + USER_ROOT_ENTRIES, kernel + USER_ROOT_ENTRIES, USER_ROOT_ENTRIES * sizeof(pte_t));
	return root;
}

/* PT-3: the page behind the leaf would leak without a trace; better to stop with its name. */
static void __attribute__((noreturn)) leaf_remains(pte_t pte, uaddr_t ua, u16 mm_id)
{
	const struct page *page = pfn_valid((pfn_t)(PTE_PA(pte) >> PAGE_SHIFT)) ? entry_page(pte) : NULL;

	panic_about(page, "pt_destroy: mm %u still maps 0x%lx to 0x%lx, kind %s, count %d, owner %u/%u",
		    mm_id, (unsigned long)ua, (unsigned long)PTE_PA(pte),
		    page ? page_kind_name(page->kind) : "not RAM", page ? page->count : 0,
		    page ? page->owner.id : 0, page ? page->owner.index : 0);
}

static void free_table(struct page *page, u32 level, uaddr_t ua, u16 mm_id)
{
	const pte_t *table = page_to_va(page);
	u32 nr = level == ROOT_LEVEL ? USER_ROOT_ENTRIES : ENTRIES;

	for (u32 i = 0; i < nr; i++) {
		uaddr_t at = ua + ((u64)i << PT_LEVEL_SHIFT(level));

		if (!(table[i] & PTE_V))
			continue;
		if (level == 0 || (table[i] & PTE_LEAF_BITS))
			leaf_remains(table[i], at, mm_id);
		free_table(entry_page(table[i]), level - 1, at, mm_id);
	}
	page_put(page, REF_TABLE, table_holder(mm_id, level, ua));
}

void pt_destroy(struct page *root, u16 mm_id)
{
	free_table(root, ROOT_LEVEL, 0, mm_id);
}

pte_t *pt_walk(struct page *root, uaddr_t ua, u16 mm_id, bool create)
{
	pte_t *table = page_to_va(root);

	if (ua >= USER_END)
		return NULL;
	for (u32 level = ROOT_LEVEL; level > 0; level--) {
		pte_t *entry = &table[PT_INDEX(ua, level)];

		if (!(*entry & PTE_V)) {
			struct page *page;

			if (!create)
				return NULL;
			page = page_alloc(0, PK_PAGETABLE, REF_TABLE, table_holder(mm_id, level - 1, ua),
					  ALLOC_ZEROED);
			if (!page)
				return NULL;
			/* Zeros first: who comes from an object (vma_set.c) may walk here on another hart. */
			__atomic_store_n(entry, PA_PTE(page_to_pa(page)) | PTE_V, __ATOMIC_RELEASE);
		}
		table = pa_to_va(PTE_PA(*entry));
	}
	return &table[PT_INDEX(ua, 0)];
}

struct leaf_walk {
	uaddr_t start, end;
	int (*visit)(pte_t *pte, uaddr_t ua, void *arg);
	void *arg;
};

static int walk_leaves(pte_t *table, u32 level, uaddr_t ua, const struct leaf_walk *walk)
{
	u64 span = 1UL << PT_LEVEL_SHIFT(level);
	u32 first = walk->start > ua ? (u32)((walk->start - ua) / span) : 0;
	u32 nr = level == ROOT_LEVEL ? USER_ROOT_ENTRIES : ENTRIES;

	for (u32 i = first; i < nr && ua + i * span < walk->end; i++) {
		int err;

		if (!(table[i] & PTE_V))
			continue;
		if (level == 0)
			err = walk->visit(&table[i], ua + i * span, walk->arg);
		else
			err = walk_leaves(pa_to_va(PTE_PA(table[i])), level - 1, ua + i * span, walk);
		if (err)
			return err;
	}
	return 0;
}

int pt_for_each_leaf(struct page *root, uaddr_t start, uaddr_t end,
		     int (*visit)(pte_t *pte, uaddr_t ua, void *arg), void *arg)
{
	struct leaf_walk walk = {start, end, visit, arg};

	return walk_leaves(page_to_va(root), ROOT_LEVEL, 0, &walk);
}

struct table_walk {
	void (*visit)(struct page *table, u32 level, uaddr_t ua, void *arg);
	void *arg;
};

static void walk_tables(struct page *page, u32 level, uaddr_t ua, const struct table_walk *walk)
{
	const pte_t *table = page_to_va(page);
	u32 nr = level == ROOT_LEVEL ? USER_ROOT_ENTRIES : ENTRIES;

	walk->visit(page, level, ua, walk->arg);
	for (u32 i = 0; i < nr && level > 0; i++) {
		bool inner = (table[i] & (PTE_V | PTE_LEAF_BITS)) == PTE_V;

		/* the auditor comes here with a table that may be broken: do not leave RAM */
		if (inner && pfn_valid((pfn_t)(PTE_PA(table[i]) >> PAGE_SHIFT)))
			walk_tables(entry_page(table[i]), level - 1, ua + ((u64)i << PT_LEVEL_SHIFT(level)),
				    walk);
	}
}

void pt_for_each_table(struct page *root, void (*visit)(struct page *table, u32 level, uaddr_t ua, void *arg),
		       void *arg)
{
	struct table_walk walk = {visit, arg};

	walk_tables(root, ROOT_LEVEL, 0, &walk);
}
