/* SPDX-License-Identifier: MIT */
/*
 * mm, inside: what the files of this folder share.
 */
#ifndef MM_PRIV_H
#define MM_PRIV_H

#include <kernel/claims.h>
#include <kernel/lib.h>
#include <kernel/page.h>

/* ---- buddy.c: free lists; the only owner of `kind` changes between FREE and the rest ---- */

struct buddy_list {
	pfn_t first; /* heads of free blocks, linked by page->next / prev; PFN_NONE: empty */
	u32 nr_blocks;
};

/* All of it guarded by lock, so that the kinds always add up to nr_pages. */
struct buddy {
	struct spinlock lock;
	struct buddy_list lists[PAGE_MAX_ORDER + 1];
	u32 kind_pages[PK_NR]; /* managed pages by kind; [PK_FREE] are those on the lists */
	u64 nr_allocs, nr_frees, nr_failed;
};
extern struct buddy buddy;

/* A block with count 1 and kind set in all its pages, poison not checked; NULL when there is none. */
struct page *buddy_take(u32 order, enum page_kind kind);
/* Puts a retired block on the lists. */
void buddy_give(struct page *page, u32 order);
/* A block whose count is 0 gets its last freer and its poison; of one page the former alone. */
static inline void page_retire(struct page *page, u32 stack, u16 pid)
{
	page->stack = stack;
	page->pid = pid;
	page->state = 0;
	page->private = NULL;
}
void block_retire(struct page *page, u32 order, u32 stack, u16 pid);
static inline bool block_intact(const struct page *page, u32 order)
{
	size_t size_bytes = PAGE_SIZE << order;

	return mem_find_difference(page_to_va(page), POISON_FREE, size_bytes) == size_bytes;
}
/* A block just taken whose poison is broken: reports and keeps the bad pages, gives the others back. */
void block_quarantine(struct page *page, u32 order);
/* Changes the kind of a page that somebody holds. */
void buddy_set_kind(struct page *page, enum page_kind kind);
void buddy_count_failed(void);
/* Single pages between the lists and a per-hart cache: kind FREE <-> PCP. take: how many there were, at most nr. */
u32 buddy_take_parked(struct page **batch, u32 nr);
void buddy_give_parked(struct page **batch, u32 nr);

/* ---- pcp.c: single pages, one cache a hart; page.c takes and gives by way of pcp_priv.h ---- */

struct pcp { /* all of it guarded by lock */
	struct spinlock lock;
	pfn_t first;           /* linked by page->next; PFN_NONE: empty */
	s32 kind_pages[PK_NR]; /* PCP-3. Of PCP itself: pages freed here less those allocated */
	u32 nr;                /* apart from first: two stores are cheaper than one of both */
	u64 nr_allocs;
} __attribute__((aligned(128)));
STATIC_ASSERT(sizeof(struct pcp) == 128, "indexed by a shift, no two harts on one cache line");
extern struct pcp pcps[NR_HARTS_MAX];
extern u32 pcp_high; /* PCP-2 */

/* This hart's cache was empty: refills it, or steals from another's. NULL: there is no page. */
struct page *pcp_refill_and_take(enum page_kind kind);
void pcp_drain_batch_locked(struct pcp *pcp);
/* A larger block, or another page in place of one whose poison is broken (NULL: none is). */
struct page *block_take_slow(struct page *broken, u32 order, enum page_kind kind);
void pcp_init(void);
void pcp_lock_all(void);
void pcp_unlock_all(void);
u32 pcp_nr_pages(void); /* without locks */
static inline u64 pcp_nr_frees(const struct pcp *pcp)
{
	return pcp->nr_allocs + (u64)(s64)pcp->kind_pages[PK_PCP];
}
/* NULL or the invariant broken. All locks held. */
const char *pcp_check_locked(void);

/* ---- page.c ---- */

/* The head of the block that page is in, free or not; page itself if that cannot be told. */
struct page *page_head(struct page *page);
void page_record(enum trace_event event, u8 kind, u32 stack, const struct page *page, u32 order,
		 struct holder holder, s32 before, s32 after);
bool page_injected_failure(u32 order); /* asks the fail hook; records the refusal */

/* ---- page_totals.c ---- */

void page_totals_lock(void); /* every lock that a page's kind changes under */
void page_totals_unlock(void);
/* Of the buddy and of all per-hart caches together; page_totals_lock held. */
u32 page_kind_total_locked(u32 kind);

/* ---- kstack.c ---- */
bool kstack_page_in_use(const struct page *page); /* some hart stands on it */

#endif
