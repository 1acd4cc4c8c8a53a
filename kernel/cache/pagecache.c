/* SPDX-License-Identifier: MIT */
/*
 * Page cache: lookup, filling, LRU, dropping. Invariants and states stand in pagecache.h.
 *
 * The task that inserts a page fills it; everybody else who wants it waits for PAGE_LOCKED to go. If filling
 * fails the page leaves the tree, and the waiters try for themselves.
 */
#include "pagecache_priv.h"

struct pagecache pagecache = {.lock = SPINLOCK_INIT_NAMED(lru, "lru")};

static struct radix_node *node_alloc(u32 flags)
{
	return kmem_cache_alloc(pagecache.node_cache, HOLDER_NONE, flags);
}
static void node_free(struct radix_node *node)
{
	kmem_cache_free(pagecache.node_cache, node, HOLDER_NONE);
}
static const struct radix_ops node_ops = {.alloc_node = node_alloc, .free_node = node_free};

void pagecache_init(void)
{
	list_init(&pagecache.mappings);
	for (u32 i = 0; i < MAPPING_BUCKETS; i++)
		list_init(&pagecache.by_inode[i]);
	wait_init(&pagecache.unpinned);
	pagecache.dirty_cache = kmem_cache_create("dirty", sizeof(struct dirty_record));
	pagecache.node_cache = kmem_cache_create("radix_node", sizeof(struct radix_node));
	reclaim_init();
	readahead_init();
	page_set_reclaim(pagecache_reclaim);
}

const struct radix_ops *pagecache_radix_ops(void)
{
	return &node_ops;
}

/* ---- LRU ---- */

static struct page *lru_page(pfn_t pfn)
{
	return pfn == PFN_NONE ? NULL : pfn_to_page(pfn);
}

static void lru_add_locked(struct page *page)
{
	struct page *newest = lru_page(pagecache.lru_newest);

	page->prev = PFN_NONE;
	page->next = pagecache.lru_newest;
	if (newest)
		newest->prev = page_to_pfn(page);
	else
		pagecache.lru_oldest = page_to_pfn(page);
	pagecache.lru_newest = page_to_pfn(page);
	pagecache.nr_lru++;
}

static void lru_remove_locked(struct page *page)
{
	struct page *newer = lru_page(page->prev), *older = lru_page(page->next);

	if (newer)
		newer->next = page->next;
	else
		pagecache.lru_newest = page->next;
	if (older)
		older->prev = page->prev;
	else
		pagecache.lru_oldest = page->prev;
	page->next = page->prev = PFN_NONE;
	pagecache.nr_lru--;
}

void lru_add(struct page *page)
{
	spin_lock(&pagecache.lock);
	lru_add_locked(page);
	spin_unlock(&pagecache.lock);
}

void lru_remove(struct page *page)
{
	spin_lock(&pagecache.lock);
	lru_remove_locked(page);
	spin_unlock(&pagecache.lock);
}

struct page *lru_rotate_locked(void)
{
	struct page *page = lru_page(pagecache.lru_oldest);

	if (page && pagecache.lru_newest != pagecache.lru_oldest) {
		lru_remove_locked(page);
		lru_add_locked(page);
	}
	return page;
}

/* ---- into the tree and out of it ---- */

static int attach_from(struct mapping *mapping, struct page *page, u32 index, u8 state,
		       struct radix_node **stock)
{
	int err;

	spin_lock(&mapping->lock);
	err = radix_insert(&mapping->tree, index, page, stock);
	if (!err) {
		page->state = state | PAGE_ON_LRU;
		mapping->nr_pages++;
		lru_add(page);
	}
	spin_unlock(&mapping->lock);
	return err;
}

/* flags: how the tree's nodes may be got, ALLOC_*. */
static int page_attach(struct mapping *mapping, struct page *page, u32 index, u8 state, u32 flags)
{
	struct radix_node *stock = NULL;
	int err;

	do
		err = attach_from(mapping, page, index, state, &stock);
	while (err == -ENOMEM && radix_stock_add(&mapping->tree, &stock, flags));
	radix_stock_free(&mapping->tree, stock);
	return err;
}

void page_detach_locked(struct mapping *mapping, struct page *page)
{
	void *item = radix_remove(&mapping->tree, page->owner.index);

	if (item != page)
		panic_about(page, "page cache: inode %u page %u is not in its mapping", mapping->inode,
			    page->owner.index);
	mapping->nr_pages--;
	lru_remove(page);
	page->state = 0;
}

/* ---- lookup ---- */

/* The page if it is there and up to date, with an IO reference. *gone: it was there, but its filling failed. */
static struct page *lookup(struct mapping *mapping, u32 index, bool *gone)
{
	struct page *page;

	*gone = false;
	spin_lock(&mapping->lock);
	page = radix_lookup(&mapping->tree, index);
	if (!page) {
		spin_unlock(&mapping->lock);
		return NULL;
	}
	page_get(page, REF_IO, io_holder(index));
	while (page->state & PAGE_LOCKED)
		wait_sleep(&mapping->wait, &mapping->lock, 0);
	*gone = !(page->state & PAGE_UPTODATE);
	if (!*gone && (page->state & PAGE_AHEAD))
		counter_add(&pagecache.nr_ahead_used, 1);
	page->state = (page->state & ~PAGE_AHEAD) | (*gone ? 0 : PAGE_RECENT);
	spin_unlock(&mapping->lock);
	if (*gone) {
		page_put(page, REF_IO, io_holder(index));
		return NULL;
	}
	return page;
}

void page_fill_end(struct mapping *mapping, struct page *page, int err)
{
	struct holder holder = cache_holder(mapping, page->owner.index);

	spin_lock(&mapping->lock);
	if (err)
		page_detach_locked(mapping, page);
	else
		page->state = (page->state & ~PAGE_LOCKED) | PAGE_UPTODATE;
	wait_wake_all(&mapping->wait);
	spin_unlock(&mapping->lock);
	if (err)
		page_put(page, REF_CACHE, holder);
}

/* A new page for index with CACHE and IO references; -EEXIST: somebody else was faster. */
static struct page *insert_new(struct mapping *mapping, u32 index, bool overwrite)
{
	struct holder holder = cache_holder(mapping, index);
	struct page *page = page_alloc(0, PK_PAGECACHE, REF_CACHE, holder, overwrite ? ALLOC_ZEROED : 0);
	int err;

	if (!page)
		return ERR_PTR(-ENOMEM);
	page->owner.id = mapping->inode;
	page->owner.index = index;
	page_get(page, REF_IO, io_holder(index));
	err = page_attach(mapping, page, index, overwrite ? PAGE_UPTODATE : PAGE_LOCKED, 0);
	if (err) {
		page_put(page, REF_IO, io_holder(index));
		page_put(page, REF_CACHE, holder);
		return ERR_PTR(err);
	}
	return page;
}

bool page_is_cached(struct mapping *mapping, u32 index)
{
	bool cached;

	spin_lock(&mapping->lock);
	cached = radix_lookup(&mapping->tree, index) != NULL;
	spin_unlock(&mapping->lock);
	return cached;
}

/* For what nobody has asked for yet nothing is reclaimed. */
struct page *page_begin_ahead(struct mapping *mapping, u32 index)
{
	struct page *page =
	    page_alloc(0, PK_PAGECACHE, REF_CACHE, cache_holder(mapping, index), ALLOC_NORECLAIM);
	int err;

	if (!page)
		return NULL;
	page->owner.id = mapping->inode;
	page->owner.index = index;
	err = page_attach(mapping, page, index, PAGE_LOCKED | PAGE_AHEAD, ALLOC_NORECLAIM);
	if (err) {
		page_put(page, REF_CACHE, cache_holder(mapping, index));
		return NULL;
	}
	return page;
}

struct page *pagecache_get(struct mapping *mapping, u32 index, u32 flags)
{
	for (;;) {
		bool gone;
		struct page *page = lookup(mapping, index, &gone);
		int err;

		if (page) {
			counter_add(&pagecache.nr_hits, 1);
			return page;
		}
		if (gone)
			continue;
		if (flags & PAGECACHE_CACHED)
			return ERR_PTR(-ENOENT);
		page = insert_new(mapping, index, flags & PAGECACHE_OVERWRITE);
		if (IS_ERR(page)) {
			if (PTR_ERR(page) == -EEXIST)
				continue;
			return page;
		}
		counter_add(&pagecache.nr_misses, 1);
		if (flags & PAGECACHE_OVERWRITE)
			return page;
		err = mapping->ops->read_page(mapping, index, page_to_va(page));
		page_fill_end(mapping, page, err);
		if (!err)
			return page;
		page_put(page, REF_IO, io_holder(index));
		return ERR_PTR(err);
	}
}

void pagecache_release(struct page *page)
{
	page_put(page, REF_IO, io_holder(page->owner.index));
}

/* ---- dropping ---- */

/*
 * Drops the first page with first <= index <= last, with its dirty record. False when there is none; a page under
 * transfer is waited for, and then looked for anew.
 */
static bool drop_one(struct mapping *mapping, u32 first, u32 last)
{
	struct dirty_record *record;
	struct page *page;
	u32 index = first;

	spin_lock(&mapping->lock);
	page = radix_next(&mapping->tree, &index);
	if (!page || index > last) {
		spin_unlock(&mapping->lock);
		return false;
	}
	if (page->state & (PAGE_LOCKED | PAGE_WRITEBACK)) {
		wait_sleep(&mapping->wait, &mapping->lock, 0);
		spin_unlock(&mapping->lock);
		return true;
	}
	record = record_take_locked(mapping, page);
	page_detach_locked(mapping, page);
	spin_unlock(&mapping->lock);
	if (record)
		record_free(mapping, record);
	page_put(page, REF_CACHE, cache_holder(mapping, index));
	return true;
}

void pagecache_truncate(struct mapping *mapping, u32 first)
{
	while (drop_one(mapping, first, UINT32_MAX))
		;
}

void pagecache_forget(struct mapping *mapping, u32 index)
{
	while (drop_one(mapping, index, index))
		;
}

void pagecache_totals(struct pagecache_totals *totals)
{
	totals->nr_pages = __atomic_load_n(&pagecache.nr_lru, __ATOMIC_RELAXED);
	totals->nr_dirty = counter_read(&pagecache.nr_dirty);
	totals->nr_hits = counter_read(&pagecache.nr_hits);
	totals->nr_misses = counter_read(&pagecache.nr_misses);
	totals->nr_evicted = counter_read(&pagecache.nr_evicted);
	totals->nr_written = counter_read(&pagecache.nr_written);
	totals->nr_ahead = counter_read(&pagecache.nr_ahead);
	totals->nr_ahead_used = counter_read(&pagecache.nr_ahead_used);
}
