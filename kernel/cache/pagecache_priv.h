/* SPDX-License-Identifier: MIT */
/* Shared by the files of the page cache: pagecache.c, mapping.c, reclaim.c, writeback.c. */
#ifndef KERNEL_FS_PAGECACHE_PRIV_H
#define KERNEL_FS_PAGECACHE_PRIV_H

#include <kernel/errno.h>
#include <kernel/lib.h>
#include <kernel/pagecache.h>
#include <kernel/slab.h>

#define MAPPING_BUCKETS 64

struct pagecache {
	struct spinlock lock; /* rank `lru` */
	/* Pages by last use, as far as reclaim has looked; linked by page->next and page->prev. Guarded by lock. */
	pfn_t lru_newest, lru_oldest;
	u32 nr_lru;
	struct list mappings;                  /* lock */
	struct list by_inode[MAPPING_BUCKETS]; /* lock */
	struct waitqueue unpinned;             /* lock: some nr_pins became 0 */
	struct kmem_cache *dirty_cache, *node_cache;
	/* Atomic. */
	u64 nr_dirty, nr_hits, nr_misses, nr_evicted, nr_written, nr_ahead, nr_ahead_used;
};
extern struct pagecache pagecache;

static inline void counter_add(u64 *counter, s64 delta)
{
	__atomic_fetch_add(counter, (u64)delta, __ATOMIC_RELAXED);
}
static inline u64 counter_read(const u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* The holder of an IO reference that the current task has on page `index`. */
static inline struct holder io_holder(u32 index)
{
	return HOLDER(trace_current_pid(), index);
}
static inline struct holder cache_holder(const struct mapping *mapping, u32 index)
{
	return HOLDER(mapping->inode, index);
}

/* ---- pagecache.c ---- */

const struct radix_ops *pagecache_radix_ops(void);

void lru_add(struct page *page); /* takes pagecache.lock */
void lru_remove(struct page *page);
/* Moves the oldest page to the newest end and returns it; pagecache.lock held. NULL: no pages. */
struct page *lru_rotate_locked(void);
bool page_is_cached(struct mapping *mapping, u32 index); /* now */
/* A new page, LOCKED, with its CACHE reference, for read-ahead. NULL: somebody was faster, or there is no memory. */
struct page *page_begin_ahead(struct mapping *mapping, u32 index);
/* Ends the filling of a LOCKED page: up to date, or out of the tree and gone; the mapping may be gone, too. In any context. */
void page_fill_end(struct mapping *mapping, struct page *page, int err);
/* Takes the page out of tree and LRU; the CACHE reference is now the caller's. mapping->lock held. */
void page_detach_locked(struct mapping *mapping, struct page *page);

/* ---- mapping.c ---- */

struct mapping *mapping_find_locked(u32 inode); /* pagecache.lock held */
void mapping_unpin(struct mapping *mapping);
/* The mapping after `last` (NULL: the first) that passes `want`, pinned; unpins `last`. NULL at the end. */
struct mapping *mapping_next(struct mapping *last, bool (*want)(const struct mapping *));

/* ---- writeback.c ---- */

/* The page's record off the list, to be freed with record_free. mapping->lock held. */
struct dirty_record *record_take_locked(struct mapping *mapping, struct page *page);
void record_free(struct mapping *mapping, struct dirty_record *record);
bool mapping_has_dirty(const struct mapping *mapping);
/* Writes up to nr dirty pages that nobody else is writing, oldest first in each file; returns how many. */
u32 writeback_some(u32 nr);

/* ---- flusher.c ---- */

void writeback_wake(void); /* something became dirty */

/* ---- reclaim.c ---- */

void reclaim_init(void);

/* ---- readahead.c ---- */

void readahead_init(void);

#endif
