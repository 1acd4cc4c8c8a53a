/* SPDX-License-Identifier: MIT */
/*
 * Reclaim: how the page cache gives memory back.
 *
 * Order: clean pages, then dirty ones (written first), then unused inodes and empty slabs.
 *
 * RECLAIM-1  whoever is in reclaim waits for the disk, and for nothing that a task in need of memory could hold:
 *            it takes no inode's sleep lock, skips pages that are used or being filled, and drops only inodes
 *            that nobody has and that need no writing.
 * RECLAIM-2  one task at a time; an allocation made inside reclaim fails rather than reclaims.
 */
#include "pagecache_priv.h"
#include <kernel/sleeplock.h>

#define WRITE_BATCH 32 /* pages written before looking again for clean ones */

static bool page_evictable(const struct page *page)
{
	return !(page->state & (PAGE_DIRTY | PAGE_WRITEBACK | PAGE_LOCKED)) && page_count(page) == 1;
}

/* PC-4: under mapping->lock nobody can take a new reference, as lookups need the lock. */
static bool evict_if_unused(struct mapping *mapping, struct page *page, u32 index)
{
	bool evicted = false;

	spin_lock(&mapping->lock);
	if (radix_lookup(&mapping->tree, index) == page) {
		if (page->state & PAGE_RECENT) {
			page->state &= ~PAGE_RECENT;
		} else if (page_evictable(page)) {
			page_detach_locked(mapping, page);
			evicted = true;
		}
	}
	spin_unlock(&mapping->lock);
	if (evicted) {
		counter_add(&pagecache.nr_evicted, 1);
		page_put(page, REF_CACHE, cache_holder(mapping, index));
	}
	return evicted;
}

u32 pagecache_shrink(u32 nr)
{
	u32 evicted = 0;
	/* Every page is seen twice at most: once to forget that it was used, once to go. */
	u32 left = 2 * __atomic_load_n(&pagecache.nr_lru, __ATOMIC_RELAXED);

	for (; evicted < nr && left > 0; left--) {
		struct mapping *mapping;
		struct page *page;
		u32 index;

		spin_lock(&pagecache.lock);
		page = lru_rotate_locked();
		if (!page) {
			spin_unlock(&pagecache.lock);
			break;
		}
		index = page->owner.index;
		mapping = mapping_find_locked(page->owner.id);
		if (!mapping)
			panic_about(
			    page, "page cache: pfn 0x%x on the LRU belongs to inode %u, which has no mapping",
			    page_to_pfn(page), page->owner.id);
		mapping->nr_pins++;
		spin_unlock(&pagecache.lock);
		evicted += evict_if_unused(mapping, page, index);
		mapping_unpin(mapping);
	}
	return evicted;
}

static struct sleeplock reclaim_lock;

void reclaim_init(void)
{
	sleeplock_init(&reclaim_lock, "reclaim");
}

u32 pagecache_reclaim(u32 nr_wanted)
{
	u32 freed;

	if (sleeplock_held(&reclaim_lock))
		return 0;
	sleeplock_acquire(&reclaim_lock);
	freed = pagecache_shrink(nr_wanted);
	while (freed < nr_wanted && writeback_some(WRITE_BATCH) > 0)
		freed += pagecache_shrink(nr_wanted - freed);
	if (freed < nr_wanted) {
		readahead_wait(); /* its pages cannot be taken before, and are wanted less than ours */
		freed += pagecache_shrink(nr_wanted - freed);
	}
	if (freed < nr_wanted) {
		u32 before = __atomic_load_n(&pagecache.nr_lru, __ATOMIC_RELAXED), after;

		upcall_shrink_inodes();
		after = __atomic_load_n(&pagecache.nr_lru, __ATOMIC_RELAXED);
		freed += after < before ? before - after : 0;
		freed += kmem_cache_shrink_all();
	}
	sleeplock_release(&reclaim_lock);
	return freed;
}
