/* SPDX-License-Identifier: MIT */
/*
 * The page cache: pages of one file (or of the block device) by index, and dirty records.
 *
 * Problem: the disk is slow, and memory is wanted back at any time by whoever has none. Idea: pages stay after use, found by (file, index); a
 * changed page is noted in a record that also says where on the disk it belongs, so that write-back, and with it reclaim, needs neither
 * memory nor an inode's lock. A write of one byte to an uncached page:
 *
 *     pagecache_get: not in the tree; a new page, LOCKED, enters it; read_page fills it; UPTODATE, with an IO reference
 *     the byte is copied; pagecache_mark_dirty(block 812): a record on mapping->dirty, with a DIRTY reference
 *     pagecache_release: the IO reference goes. Five seconds later: WRITEBACK, stored in block 812, the record is freed
 *
 * Why a record and not just a bit: the bit does not say in which order pages became dirty, nor which block is meant, and both would have to be
 * looked up when memory is short.
 *
 * States of a cached page (page->state, under `mapping`): LOCKED (being filled) -> UPTODATE -> DIRTY ->
 * WRITEBACK -> UPTODATE ... -> evicted.
 *
 * PC-1  a page in a mapping's tree has owner = (inode, index) and one CACHE reference for it.
 * PC-2  PAGE_DIRTY iff exactly one dirty record for (inode, index) is on mapping->dirty; the record holds
 *       one DIRTY reference on the page.
 * PC-3  a lookup returns with one IO reference for the caller, which pagecache_release returns.
 * PC-4  only a clean page with no reference but CACHE is evicted.
 * PC-5  a mapping with a pin is not destroyed: reclaim and write-back find mappings by the owner of a page or
 *       by the list of all, and know nothing that keeps the inode.
 * PC-6  a page that can be written through a mapping is dirty; before it is stored, its leaves are made read-only.
 *
 * While a page is in WRITEBACK the writer has the dirty record in hand, off the list; a page that is written to
 * meanwhile gets a new one. Every record is freed by write-back, or by truncation, and nowhere else.
 *
 * Usual sequence:  page = pagecache_get(m, index, flags); copy; pagecache_mark_dirty(m, page, block); pagecache_release(page);
 * The mark comes after the change: a mark made before it could be used up by write-back in between. A page may change
 * while it is being written; what reaches the disk is then neither old nor new, and the mark has it written again.
 *
 * Locks: `mapping` (radix, dirty list, state bits), `lru` inside it. Functions sleep unless they say otherwise.
 * None of them takes an inode's sleep lock, so they can be called from reclaim, whoever holds what.
 */
#ifndef KERNEL_PAGECACHE_H
#define KERNEL_PAGECACHE_H

#include <kernel/addrspace.h>
#include <kernel/claims.h>
#include <kernel/radix.h>
#include <kernel/waitqueue.h>

struct mapping;
struct block_device;

struct mapping_ops {
	/* Fills / stores one page; 0 or negative errno; -EFAULT: the file ends before it. Called without `mapping`. */
	int (*read_page)(struct mapping *mapping, u32 index, void *kernel_va);
	/* block is what pagecache_mark_dirty was told: write-back looks nothing up and needs no memory. */
	int (*write_page)(struct mapping *mapping, u32 index, u32 block, const void *kernel_va);
	/*
	 * For read-ahead, under the inode's lock; NULL: there is none. The device; where page index is stored, and how many of
	 * its bytes are the file's. NULL: nowhere, or the device reads nothing by itself.
	 */
	struct block_device *(*locate)(struct mapping *mapping, u32 index, u32 *block, u32 *valid_bytes);
};

/*
 * Read-ahead (readahead.c): what is known of one sequential reader. All zero: one who has not begun. Guarded by whoever
 * has the reader, as the position of a file is.
 */
struct readahead {
	u32 next;   /* page after the one read last */
	u32 end;    /* pages below this have been begun */
	u32 window; /* pages begun at once; 0: he is not known to be sequential */
};

struct dirty_record {     /* slab cache "dirty"; holder (inode, index) */
	struct list link; /* mapping->dirty, oldest first */
	struct page *page;
	u32 index;
	u32 block; /* where the page is stored */
	u64 since; /* time */
};

struct mapping {
	struct spinlock lock;
	struct waitqueue wait; /* for LOCKED and WRITEBACK */
	struct radix tree;
	struct list dirty;
	u32 nr_pages;
	u32 nr_dirty;
	u32 nr_writeback;     /* pages in WRITEBACK */
	u32 nr_pins;          /* lru */
	struct vma_set users; /* who maps the file */
	u16 inode;            /* holder id: inode number; 0 is the block device */
	const struct mapping_ops *ops;
	struct list all;     /* lru: list of mappings, for write-back and claims */
	struct list id_link; /* lru: mappings by inode, for reclaim */
};

void pagecache_init(void);
void mapping_init(struct mapping *mapping, u16 inode, const struct mapping_ops *ops);
void mapping_destroy(struct mapping *mapping); /* no pages remain: drop them first; panics otherwise */

#define PAGECACHE_READ 0
#define PAGECACHE_OVERWRITE 1 /* the caller writes the whole page: do not read it; it comes zeroed */
#define PAGECACHE_CACHED 2    /* only if already there */
/* The page with an IO reference, up to date; or ERR_PTR (-ENOMEM, -EIO; -ENOENT with CACHED). */
struct page *pagecache_get(struct mapping *mapping, u32 index, u32 flags);
void pagecache_release(struct page *page);
/*
 * The page was changed and belongs in `block` of the device. Idempotent. Without memory for a record the page is
 * written at once, so that no caller has to undo its change: 0, or -EIO from that writing.
 */
int pagecache_mark_dirty(struct mapping *mapping, struct page *page, u32 block);
/* The same for a page that is about to be changed, through a mapping. Without memory for a record: -ENOMEM. */
int pagecache_try_mark_dirty(struct mapping *mapping, struct page *page, u32 block);
/* Writes all dirty pages of one mapping / of all; the first error, or 0. */
int pagecache_sync(struct mapping *mapping);
int pagecache_sync_all(void);
/* Drops pages with index >= first, dirty or not, without writing (truncate, unlink). Waits for transfers. */
void pagecache_truncate(struct mapping *mapping, u32 first);
/* The same for one page. */
void pagecache_forget(struct mapping *mapping, u32 index);
/* Evicts up to nr clean unused pages; returns how many. Does not write. May be called from reclaim. */
u32 pagecache_shrink(u32 nr);

struct pagecache_totals {
	u64 nr_pages, nr_dirty, nr_hits, nr_misses, nr_evicted, nr_written;
	u64 nr_ahead, nr_ahead_used; /* pages read ahead; of these, looked up since */
};
void pagecache_totals(struct pagecache_totals *totals);
void mapping_claim(struct claims *claims, const struct mapping *mapping); /* its inode's, or its device's */
const char *mapping_check(struct mapping *mapping);

/*
 * Page index is about to be looked up by a reader who will go on to `last`: begins to read what he will want next. The
 * inode's lock is held, for its size and blocks. Never fails, and makes no memory free; sleeps only to find a block.
 */
void readahead_advance(struct readahead *ahead, struct mapping *mapping, u32 index, u32 last);
/* Returns when nothing that was begun before is under way. */
void readahead_wait(void);

/* Write-back thread: starts after the root file system is mounted. */
void writeback_init(void);
/*
 * Waits until the thread has nothing in its hands, if it is at work. Only for those who hold no lock at all: the
 * thread may wait for any inode's.
 */
void writeback_wait(void);
/* For writers of file data, holding no spinlock: writes old dirty pages itself when there are too many. */
void writeback_throttle(void);
/* Reclaim for page_set_reclaim: evict clean, write back dirty, shrink slabs. */
u32 pagecache_reclaim(u32 nr_wanted);

/* ---- upcalls: the cache lies below files, and inodes in core keep pages and what is still to be stored ---- */

u32 upcall_shrink_inodes(
    void); /* drops unused ones; returns how many. Called from reclaim: takes no inode's lock */
void upcall_store_inodes(
    void); /* frees those without links whose freeing failed, and stores the changed ones */

#endif
