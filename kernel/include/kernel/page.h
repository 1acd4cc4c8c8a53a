/* SPDX-License-Identifier: MIT */
/*
 * Physical pages: struct page, the buddy allocator, references with a kind and a holder.
 *
 * Problem: a count says how many references a page has, not whose. When it is one too high, nothing tells which of a hundred
 * callers forgot its put. Idea: every reference is acquired and released with a reason (its kind) and a holder, so that the trace
 * can pair gets with puts, and the auditor can ask every subsystem whether it holds what it is said to hold.
 *
 * A page's life: FREE -> page_alloc -> count 1 .. n by page_get -> .. by page_put -> 0 -> FREE. An example, a page of a file that
 * a process reads while write-back stores it:
 *
 *     page_alloc(0, PK_PAGECACHE, REF_CACHE, {inode 12, index 3}, 0)    1   the tree of the file has it
 *     page_get(page, REF_DIRTY, {inode 12, index 3})                    2   a dirty record
 *     page_get(page, REF_IO, {pid 4, index 3})                          3   the reader, while it copies
 *     page_put(page, REF_IO, {pid 4, index 3})                          2
 *     page_put(page, REF_DIRTY, {inode 12, index 3})                    1   stored
 *     page_put(page, REF_CACHE, {inode 12, index 3})                    0   evicted: free
 *
 * Why kind and holder are arguments and not kept in the page: a page may have thousands of references, and a list of them
 * would itself need pages. The claims, made anew at each audit, and the events hold what the page need not.
 *
 * Two choke points and no others: page_reached_zero() in page.c and buddy_insert() in buddy.c.
 *
 * PAGE-1   kind == PK_FREE  iff  the page is the head or body of a block on a buddy list.
 * PAGE-2   count > 0  iff  kind is neither FREE nor PCP nor BAD.
 * PAGE-3   count == number of (ref kind, holder) pairs that the claims walk finds, at any quiescent point.
 * PAGE-4   a free page holds POISON_FREE in every word.
 * BUDDY-1  blocks on list k are aligned to 2^k pages, their head has order k.
 * BUDDY-2  no block has its buddy free at the same order.
 * BUDDY-3  nr_free[k] is the length of list k; the lists' links are consistent both ways.
 *
 * Only a block's head counts; body pages have order PAGE_BODY and owner.index = pfn of the head.
 * Locks: `buddy`. Counts are atomic. All functions may be called with interrupts off.
 */
#ifndef KERNEL_PAGE_H
#define KERNEL_PAGE_H

#include <kernel/lib.h>
#include <kernel/spinlock.h>
#include <kernel/trace.h>
#include <kernel/types.h>

#define POISON_FREE 0x6b6b6b6b6b6b6b6bUL

struct page {
	u8 kind;     /* enum page_kind */
	u8 order;    /* of the block, in its head */
	u8 state;    /* PAGE_* bits; guarded by the user of the kind (page cache: `mapping`) */
	u8 free_ref; /* ref kind of the put that freed it */
	s32 count;
	u32 stack;  /* depot id: who allocated it; once free, who freed it */
	u16 pid;    /* of the same */
	u16 claims; /* scratch of the auditor, world stopped */
	pfn_t next; /* list links, PFN_NONE ends. Buddy list, slab list, LRU: by kind */
	pfn_t prev;
	union {
		struct holder owner; /* page cache: inode number and page index; body: index = head's pfn */
		void *private;       /* slab: the cache; pipe: the pipe */
	};
};
STATIC_ASSERT(sizeof(struct page) <= 32, "DESIGN: at most 32 bytes of bookkeeping a page");

/* page->state: PAGE_* bits. */
enum page_state {
#define STATE(st_name, st_bit, st_text) PAGE_##st_name = 1 << st_bit,
#include <kernel/page_states.def>
#undef STATE
};
enum {
#define STATE(st_name, st_bit, st_text) +PAGE_##st_name
	PAGE_STATES_SUM = 0
#include <kernel/page_states.def>
	,
#undef STATE
#define STATE(st_name, st_bit, st_text) | PAGE_##st_name
	PAGE_STATES_ALL = 0
#include <kernel/page_states.def>
#undef STATE
};
STATIC_ASSERT(PAGE_STATES_SUM == PAGE_STATES_ALL && PAGE_STATES_ALL <= 0xff,
	      "no two of the bits are the same");

struct claims;

extern struct page *pages; /* pages[pfn - first_pfn] */
extern u64 page_zero;      /* where the struct of page number 0 would be */
extern pfn_t first_pfn;    /* of RAM */
extern u32 nr_pages;       /* in RAM, firmware's included */
extern pfn_t managed_pfn;  /* first page that is not the firmware's */

/*
 * When a page was allocated and last freed, by arch_time, where its stacks are kept, too. struct page has no room for it: there is an
 * array beside, with the boot argument page_owner=on (as in Linux), else NULL.
 */
struct page_times {
	u64 allocated, freed; /* 0: never since boot */
};
extern struct page_times *page_times; /* page_times[pfn - first_pfn] */

static inline bool pfn_valid(pfn_t pfn)
{
	return pfn - first_pfn < nr_pages;
}
static inline struct page *pfn_to_page(pfn_t pfn)
{
	return (struct page *)(page_zero + (u64)pfn * sizeof(struct page));
}
static inline pfn_t page_to_pfn(const struct page *page)
{
	return (pfn_t)(((u64)page - page_zero) / sizeof(*page));
}
static inline paddr_t page_to_pa(const struct page *page)
{
	return (paddr_t)page_to_pfn(page) << PAGE_SHIFT;
}
static inline void *page_to_va(const struct page *page)
{
	return pa_to_va(page_to_pa(page));
}
static inline struct page *pa_to_page(paddr_t pa)
{
	return pfn_to_page((pfn_t)(pa >> PAGE_SHIFT));
}
static inline struct page *va_to_page(const void *va)
{
	return pa_to_page(va_to_pa(va));
}

/*
 * A block of 2^order pages with count 1: the first reference is (ref, holder). Contents undefined.
 * NULL when memory is out even after reclaim (see page_set_reclaim) or fail-nth says so.
 *
 * Reclaim writes to the disk and so sleeps. Whoever holds a spinlock, or can do without the page, says ALLOC_NORECLAIM; with a
 * spinlock held and without it the kernel panics when memory is short.
 */
#define ALLOC_NORECLAIM 1U /* only what is free */
#define ALLOC_ZEROED 2U
struct page *page_alloc_reclaiming(u32 order, enum page_kind kind, enum ref_kind ref, struct holder holder);
struct page *page_alloc_noreclaim(u32 order, enum page_kind kind, enum ref_kind ref, struct holder holder);
/*
 * A macro, as the flags are constants nearly everywhere and then cost nothing; and not an inline function, which would be the innermost
 * frame of every allocator's stack.
 */
#define page_alloc(order, kind, ref, holder, flags)                                                          \
	({                                                                                                   \
		u32 order_ = (order);                                                                        \
		struct page *page_ = (flags)&ALLOC_NORECLAIM                                                 \
					 ? page_alloc_noreclaim(order_, kind, ref, holder)                   \
					 : page_alloc_reclaiming(order_, kind, ref, holder);                 \
		if ((flags)&ALLOC_ZEROED && page_)                                                           \
			mem_fill_words(page_to_va(page_), 0, PAGE_SIZE << order_);                           \
		page_;                                                                                       \
	})
void page_get(struct page *page, enum ref_kind ref, struct holder holder);
/*
 * The same for a reference that a program can take any number of times, by mapping one page again and again: false, and
 * nothing is changed, when the page has PAGE_REFS_MAX. The caller's answer is -ENOMEM.
 */
bool page_try_get(struct page *page, enum ref_kind ref, struct holder holder);
/* The auditor counts claims in 15 bits; the rest is for references that are bounded by the number of tasks. */
#define PAGE_REFS_MAX (0x7fff - 2048)
/* Returns a reference; at zero the block goes back to the free lists. True if it did. */
bool page_put(struct page *page, enum ref_kind ref, struct holder holder);
/* Count now; a hint unless the caller excludes others. */
static inline s32 page_count(const struct page *page)
{
	return __atomic_load_n(&page->count, __ATOMIC_ACQUIRE);
}
/* As the trace's 16 bits say it. */
static inline u16 count_for_event(s32 count)
{
	return count < 0 ? 0 : (u16)(count < 0xffff ? count : 0xffff);
}

/* ---- accounting ---- */

struct page_totals {
	u64 nr_managed;                      /* pages from the kernel's start to the end of RAM */
	u64 nr_firmware;                     /* pages below it */
	u64 nr_free;                         /* on buddy lists */
	u64 nr_by_order[PAGE_MAX_ORDER + 1]; /* blocks */
	u64 nr_by_kind[PK_NR]; /* pages; [PK_FREE] equals nr_free, [PK_PCP] the per-hart caches */
	u64 nr_pcp[NR_HARTS_MAX];
	u64 nr_allocs, nr_frees, nr_failed;
};
/* Exact when the world is stopped or quiescent; otherwise each number is right at some instant. */
void page_totals(struct page_totals *totals);
u32 page_nr_free(void);   /* buddy and per-hart caches; no lock, so a moment old */
u32 page_nr_parked(void); /* per-hart caches alone; likewise */
/* Gives what waits in per-hart caches back to the buddy; returns pages. No lock held. */
u32 page_drain_caches(void);
const char *page_kind_name(enum page_kind kind);
const char *ref_kind_name(enum ref_kind ref);

/* ---- boot ---- */

/*
 * Takes over RAM [start, end). array: memory for struct page[(end - start) / 4096]. All pages begin as
 * IMAGE/BOOT-held "reserved"; page_boot_claim names ranges, page_boot_free gives ranges to the buddy.
 */
void page_init(paddr_t start, paddr_t end, paddr_t managed_from, struct page *array);
void page_boot_claim(paddr_t start, paddr_t end, enum page_kind kind);
void page_boot_free(paddr_t start, paddr_t end);

/*
 * Called when the buddy is empty, with no lock held and only from contexts that may sleep; returns pages freed. Any number
 * of tasks may be in it, and what it allocates itself comes back to it, where it must free nothing and return 0.
 */
void page_set_reclaim(u32 (*reclaim)(u32 nr_wanted));
/* Asked before every page_alloc and kmem_cache_alloc; true means: refuse this one (fail-nth). */
void page_set_fail_hook(bool (*fail)(u32 order));

/* ---- checks ---- */

/* NULL, or which invariant is broken and where (static text buffer). Takes `buddy`. */
const char *page_check(void);
/* Reads every free page; reports POISON incidents. Returns how many. World stopped. */
u32 page_check_poison(void);

void page_claims(struct claims *claims); /* what boot keeps for ever */

/* Calls visit(head, order) for every block on the free lists, under `buddy`. */
void buddy_for_each(void (*visit)(struct page *head, u32 order, void *arg), void *arg);

#endif
