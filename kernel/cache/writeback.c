/* SPDX-License-Identifier: MIT */
/*
 * Write-back: dirty records and how they are used up.
 *
 * A record's life: pagecache_mark_dirty -> mapping->dirty -> in the writer's hand (the page is in WRITEBACK and
 * may be marked anew) -> freed. If writing fails the record goes back to the list, unless there is a new one.
 * Whoever takes a record off the list frees it, with its DIRTY reference, in record_free and nowhere else.
 */
#include "pagecache_priv.h"

static struct dirty_record *record_alloc(struct mapping *mapping, struct page *page, u32 block)
{
	struct dirty_record *record =
	    kmem_cache_alloc(pagecache.dirty_cache, cache_holder(mapping, page->owner.index), 0);

	if (!record)
		return NULL;
	list_init(&record->link);
	record->page = page;
	record->index = page->owner.index;
	record->block = block;
	record->since = arch_time();
	return record;
}

void record_free(struct mapping *mapping, struct dirty_record *record)
{
	struct holder holder = cache_holder(mapping, record->index);

	page_put(record->page, REF_DIRTY, holder);
	kmem_cache_free(pagecache.dirty_cache, record, holder);
}

static void record_list_locked(struct mapping *mapping, struct dirty_record *record)
{
	list_push_back(&mapping->dirty, &record->link);
	record->page->state |= PAGE_DIRTY;
	mapping->nr_dirty++;
	counter_add(&pagecache.nr_dirty, 1);
}

static void record_unlist_locked(struct mapping *mapping, struct dirty_record *record)
{
	list_remove(&record->link);
	record->page->state &= ~PAGE_DIRTY;
	mapping->nr_dirty--;
	counter_add(&pagecache.nr_dirty, -1);
}

struct dirty_record *record_take_locked(struct mapping *mapping, struct page *page)
{
	if (!(page->state & PAGE_DIRTY))
		return NULL;
	/* Files are mostly dropped in the order they were written, so the record is near the front. */
	LIST_FOR_EACH (pos, &mapping->dirty) {
		struct dirty_record *record = LIST_ENTRY(pos, struct dirty_record, link);

		if (record->page == page) {
			record_unlist_locked(mapping, record);
			return record;
		}
	}
	panic_about(page, "page cache: dirty page %u of inode %u has no record", page->owner.index,
		    mapping->inode);
}

static void writeback_begin_locked(struct mapping *mapping, struct page *page)
{
	page->state |= PAGE_WRITEBACK;
	mapping->nr_writeback++;
}

static void writeback_end_locked(struct mapping *mapping, struct page *page)
{
	page->state &= ~PAGE_WRITEBACK;
	mapping->nr_writeback--;
	wait_wake_all(&mapping->wait);
}

/* The page is in WRITEBACK. A store through a mapping that is not in what is written now faults, and marks it anew. */
static int store_page(struct mapping *mapping, struct page *page, u32 block)
{
	vma_set_protect(&mapping->users, page->owner.index);
	counter_add(&pagecache.nr_written, 1);
	return mapping->ops->write_page(mapping, page->owner.index, block, page_to_va(page));
}

/* For a page whose dirty record could not be had. The caller holds a reference. */
static int write_through(struct mapping *mapping, struct page *page, u32 block)
{
	int err;

	spin_lock(&mapping->lock);
	while (page->state & PAGE_WRITEBACK)
		wait_sleep(&mapping->wait, &mapping->lock, 0);
	writeback_begin_locked(mapping, page);
	spin_unlock(&mapping->lock);
	err = store_page(mapping, page, block);
	spin_lock(&mapping->lock);
	writeback_end_locked(mapping, page);
	spin_unlock(&mapping->lock);
	return err;
}

int pagecache_try_mark_dirty(struct mapping *mapping, struct page *page, u32 block)
{
	struct dirty_record *record = NULL;
	bool listed;

	for (;;) {
		spin_lock(&mapping->lock);
		listed = page->state & PAGE_DIRTY;
		/* A page that truncation took out meanwhile is nobody's any more. */
		if (!listed && radix_lookup(&mapping->tree, page->owner.index) != page)
			listed = true;
		if (!listed && record) {
			page_get(page, REF_DIRTY, cache_holder(mapping, record->index));
			record_list_locked(mapping, record);
		}
		spin_unlock(&mapping->lock);
		if (listed || record)
			break;
		record = record_alloc(mapping, page, block);
		if (!record)
			return -ENOMEM;
	}
	if (!listed)
		writeback_wake();
	else if (record)
		kmem_cache_free(pagecache.dirty_cache, record, cache_holder(mapping, record->index));
	return 0;
}

int pagecache_mark_dirty(struct mapping *mapping, struct page *page, u32 block)
{
	int err = pagecache_try_mark_dirty(mapping, page, block);

	return err ? write_through(mapping, page, block) : 0;
}

/* ---- writing ---- */

/* The oldest record whose page nobody is writing now, its page in WRITEBACK. NULL: none. */
static struct dirty_record *take_oldest(struct mapping *mapping, bool wait)
{
	struct dirty_record *record = NULL;

	spin_lock(&mapping->lock);
	while (!record && !list_empty(&mapping->dirty)) {
		LIST_FOR_EACH (pos, &mapping->dirty) {
			record = LIST_ENTRY(pos, struct dirty_record, link);
			if (!(record->page->state & PAGE_WRITEBACK))
				break;
			record = NULL;
		}
		if (record || !wait)
			break;
		wait_sleep(&mapping->wait, &mapping->lock, 0);
	}
	if (record) {
		record_unlist_locked(mapping, record);
		writeback_begin_locked(mapping, record->page);
	}
	spin_unlock(&mapping->lock);
	return record;
}

/* After a failed write: back to the list, unless there is a new record. */
static bool record_relist(struct mapping *mapping, struct dirty_record *record)
{
	bool back;

	spin_lock(&mapping->lock);
	back = !(record->page->state & PAGE_DIRTY);
	if (back)
		record_list_locked(mapping, record);
	spin_unlock(&mapping->lock);
	return back;
}

static int write_record(struct mapping *mapping, struct dirty_record *record)
{
	struct page *page = record->page;
	int err = store_page(mapping, page, record->block);

	/* Before write-back ends, so that who waits for the end finds the record's memory free. */
	if (!err || !record_relist(mapping, record))
		record_free(mapping, record);
	spin_lock(&mapping->lock);
	writeback_end_locked(mapping, page);
	spin_unlock(&mapping->lock);
	return err;
}

int pagecache_sync(struct mapping *mapping)
{
	int first_err = 0;

	/* Records are listed oldest first, so these are the ones that were there when we began. */
	for (u32 left = mapping->nr_dirty; left > 0; left--) {
		struct dirty_record *record = take_oldest(mapping, true);
		int err = record ? write_record(mapping, record) : 0;

		if (!record)
			break;
		if (err && !first_err)
			first_err = err;
	}
	/* What others are writing was dirty when we were called, too. */
	spin_lock(&mapping->lock);
	while (mapping->nr_writeback)
		wait_sleep(&mapping->wait, &mapping->lock, 0);
	spin_unlock(&mapping->lock);
	return first_err;
}

bool mapping_has_dirty(const struct mapping *mapping)
{
	return mapping->nr_dirty || mapping->nr_writeback;
}

int pagecache_sync_all(void)
{
	int first_err = 0;

	for (struct mapping *mapping = NULL; (mapping = mapping_next(mapping, mapping_has_dirty));) {
		int err = pagecache_sync(mapping);

		if (err && !first_err)
			first_err = err;
	}
	return first_err;
}

u32 writeback_some(u32 nr)
{
	u32 written = 0;

	for (struct mapping *mapping = NULL; (mapping = mapping_next(mapping, mapping_has_dirty));) {
		/* A failed record goes back to the list: do not take one twice. */
		for (u32 left = mapping->nr_dirty; left > 0 && written < nr; left--) {
			struct dirty_record *record = take_oldest(mapping, false);

			if (!record)
				break;
			if (write_record(mapping, record) == 0)
				written++;
		}
		if (written >= nr) {
			mapping_unpin(mapping);
			break;
		}
	}
	return written;
}

/* Dirty pages may be a third of what the cache has or could have; a writer that exceeds it pays. */
void writeback_throttle(void)
{
	struct pagecache_totals totals;

	pagecache_totals(&totals);
	if (totals.nr_dirty > (totals.nr_pages + page_nr_free()) / 3)
		writeback_some((u32)(totals.nr_dirty / 4));
}
