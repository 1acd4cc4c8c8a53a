/* SPDX-License-Identifier: MIT */
/*
 * Sv39 page tables of user address spaces: three levels of 512 entries, 9 bits of the address each, 12 bits within the page.
 *
 *     address 0x0000_0000_1234_5678:   level 2: 0   level 1: 145   level 0: 325   offset 0x678
 *
 * Why each table page is counted, although it has one holder for all its life: page-table pages are what a wrong
 * munmap or a failed fork loses first, and a reference TABLE that names the address space and the span finds it. The tables themselves are pages of kind PAGETABLE, each held
 * by one reference TABLE (mm id, level << 27 | first user page number it spans); the root is level 2.
 *
 * PT-1  a valid leaf in the user's half holds one PTE reference (mm id, page number) on its page.
 * PT-2  PTE_COW is set only on read-only leaves; a writable leaf's page has one PTE reference
 *       (shared file mappings excepted).
 * PT-3  freeing a tree requires that no leaf remains; one that does is reported and panics.
 *
 * Locks: none; only the owner of the mm, or somebody with the world stopped, touches a table.
 */
#ifndef KERNEL_PAGETABLE_H
#define KERNEL_PAGETABLE_H

#include <kernel/page.h>

typedef u64 pte_t;
#define PTE_PA(pte) (((pte) >> 10) << PAGE_SHIFT)
#define PA_PTE(pa) (((u64)(pa) >> PAGE_SHIFT) << 10)
#define PT_INDEX(ua, level) (((u64)(ua) >> PT_LEVEL_SHIFT(level)) & 511)
#define TABLE_HOLDER_INDEX(level, ua) ((u32)(level) << 27 | (u32)((ua) >> PAGE_SHIFT))

/* New root with the kernel's upper half, or NULL. */
struct page *pt_create(u16 mm_id);
/* Frees the tree of the user's half and the root (PT-3). */
void pt_destroy(struct page *root, u16 mm_id);
/* The entry for ua at level 0; with create, makes the tables on the way. NULL: not there / no memory. */
pte_t *pt_walk(struct page *root, uaddr_t ua, u16 mm_id, bool create);
/* Visits each valid leaf of [start, end) in order; a visit may change the entry. Stops on nonzero and returns it. */
int pt_for_each_leaf(struct page *root, uaddr_t start, uaddr_t end,
		     int (*visit)(pte_t *pte, uaddr_t ua, void *arg), void *arg);
/* Visits every table page of the user's half, root included (for claims). */
void pt_for_each_table(struct page *root, void (*visit)(struct page *table, u32 level, uaddr_t ua, void *arg),
		       void *arg);

#endif
