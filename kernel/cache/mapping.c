/* SPDX-License-Identifier: MIT */
/*
 * Mappings: their registry, their invariants, and what they hold.
 *
 * Reclaim comes from a page to its mapping by the inode number in page->owner, write-back by the list of all. Both
 * pin the mapping while they use it (PC-5); mapping_destroy waits until no pin is left.
 */
#include "pagecache_priv.h"

static struct list *bucket_of(u32 inode)
{
	return &pagecache.by_inode[inode % MAPPING_BUCKETS];
}

void mapping_init(struct mapping *mapping, u16 inode, const struct mapping_ops *ops)
{
	/* Not spin_init: mappings come and go with their inodes. */
	mapping->lock = (struct spinlock)SPINLOCK_INIT(mapping);
	wait_init(&mapping->wait);
	vma_set_init(&mapping->users);
	radix_init(&mapping->tree, pagecache_radix_ops());
	list_init(&mapping->dirty);
	mapping->nr_pages = mapping->nr_dirty = mapping->nr_writeback = mapping->nr_pins = 0;
	mapping->inode = inode;
	mapping->ops = ops;

	spin_lock(&pagecache.lock);
	KASSERT(!mapping_find_locked(inode));
	list_push_back(&pagecache.mappings, &mapping->all);
	list_push_back(bucket_of(inode), &mapping->id_link);
	spin_unlock(&pagecache.lock);
}

void mapping_destroy(struct mapping *mapping)
{
	if (mapping->nr_pages || mapping->nr_dirty)
		panic_about(mapping, "page cache: mapping of inode %u destroyed with %u pages, %u dirty",
			    mapping->inode, mapping->nr_pages, mapping->nr_dirty);
	spin_lock(&pagecache.lock);
	while (mapping->nr_pins)
		wait_sleep(&pagecache.unpinned, &pagecache.lock, 0);
	list_remove(&mapping->all);
	list_remove(&mapping->id_link);
	spin_unlock(&pagecache.lock);
	mapping->ops = NULL;
}

struct mapping *mapping_find_locked(u32 inode)
{
	LIST_FOR_EACH (pos, bucket_of(inode)) {
		struct mapping *mapping = LIST_ENTRY(pos, struct mapping, id_link);

		if (mapping->inode == inode)
			return mapping;
	}
	return NULL;
}

static void unpin_locked(struct mapping *mapping)
{
	if (--mapping->nr_pins == 0)
		wait_wake_all(&pagecache.unpinned);
}

void mapping_unpin(struct mapping *mapping)
{
	spin_lock(&pagecache.lock);
	unpin_locked(mapping);
	spin_unlock(&pagecache.lock);
}

struct mapping *mapping_next(struct mapping *last, bool (*want)(const struct mapping *))
{
	struct mapping *found = NULL;

	spin_lock(&pagecache.lock);
	for (struct list *pos = last ? last->all.next : pagecache.mappings.next; pos != &pagecache.mappings;
	     pos = pos->next) {
		struct mapping *mapping = LIST_ENTRY(pos, struct mapping, all);

		if (!want(mapping))
			continue;
		mapping->nr_pins++;
		found = mapping;
		break;
	}
	if (last)
		unpin_locked(last);
	spin_unlock(&pagecache.lock);
	return found;
}

/* ---- checks and claims ---- */

static const char *check_page(const struct mapping *mapping, const struct page *page, u32 index)
{
	if (page->kind != PK_PAGECACHE)
		return "PC-1: a page of another kind in the tree";
	if (page->owner.id != mapping->inode || page->owner.index != index)
		return "PC-1: a page in the tree is another's";
	if (!(page->state & PAGE_ON_LRU))
		return "a page in the tree is not on the LRU";
	if (page_count(page) < ((page->state & PAGE_DIRTY) ? 2 : 1))
		return "PC-1, PC-2: fewer references than cache and dirty record need";
	return NULL;
}

/* mapping->lock held, or the world stopped. */
static const char *check_pages(const struct mapping *mapping)
{
	u32 nr_pages = 0, nr_dirty = 0, nr_records = 0;

	for (u32 index = 0;; index++) {
		struct page *page = radix_next(&mapping->tree, &index);
		const char *broken;

		if (!page)
			break;
		broken = check_page(mapping, page, index);
		if (broken)
			return broken;
		nr_pages++;
		nr_dirty += !!(page->state & PAGE_DIRTY);
		if (index == UINT32_MAX)
			break;
	}
	if (nr_pages != mapping->nr_pages)
		return "nr_pages is not the number of pages in the tree";
	LIST_FOR_EACH (pos, &mapping->dirty) {
		struct dirty_record *record = LIST_ENTRY(pos, struct dirty_record, link);

		if (radix_lookup(&mapping->tree, record->index) != record->page)
			return "PC-2: a dirty record of a page that is not in the tree";
		if (!(record->page->state & PAGE_DIRTY))
			return "PC-2: a dirty record of a clean page";
		nr_records++;
	}
	if (nr_records != mapping->nr_dirty || nr_records != nr_dirty)
		return "PC-2: dirty records and dirty pages differ in number";
	return NULL;
}

const char *mapping_check(struct mapping *mapping)
{
	const char *broken;

	spin_lock(&mapping->lock);
	broken = radix_check(&mapping->tree);
	if (!broken)
		broken = check_pages(mapping);
	spin_unlock(&mapping->lock);
	return broken;
}

static void claim_node(struct radix_node *node, void *claims)
{
	claim_object(claims, node);
}

void mapping_claim(struct claims *claims, const struct mapping *mapping)
{
	radix_for_each_node(&mapping->tree, claim_node, claims);
	for (u32 index = 0;; index++) {
		struct page *page = radix_next(&mapping->tree, &index);

		if (!page)
			break;
		claim_page(claims, page, REF_CACHE, cache_holder(mapping, index));
		if (index == UINT32_MAX)
			break;
	}
	LIST_FOR_EACH (pos, &mapping->dirty) {
		struct dirty_record *record = LIST_ENTRY(pos, struct dirty_record, link);

		claim_object(claims, record);
		claim_page(claims, record->page, REF_DIRTY, cache_holder(mapping, record->index));
	}
}
