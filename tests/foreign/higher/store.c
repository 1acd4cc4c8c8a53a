/* SPDX-License-Identifier: MIT */
/*
 * The store: pages under keys, in a hash table. It has the shape of a page cache: an entry holds a reference to its page,
 * a reader takes one more for as long as it reads, and eviction does not wait for readers.
 */
#include "kernel.h"

#define NR_BUCKETS 16

struct entry {
	struct list node;
	u64 key;
	struct page *page;
};

static struct {
	struct lock lock;
	struct list buckets[NR_BUCKETS];
	u64 nr_entries;
} store;

static struct cache entries;

void store_init(void)
{
	for (u32 i = 0; i < NR_BUCKETS; i++)
		list_init(&store.buckets[i]);
	cache_init(&entries, "entry", sizeof(struct entry));
}

static struct entry *find_locked(u64 key)
{
	struct list *bucket = &store.buckets[key % NR_BUCKETS];

	for (struct list *node = bucket->next; node != bucket; node = node->next) {
		struct entry *entry = container_of(node, struct entry, node);

		if (entry->key == key)
			return entry;
	}
	return NULL;
}

int store_add(u64 key, u64 value)
{
	struct entry *entry = object_alloc(&entries);

	if (!entry)
		return -ENOMEM;
	entry->key = key;
	entry->page = page_alloc_zeroed();
	if (!entry->page) {
		object_free(&entries, entry);
		return -ENOMEM;
	}
	*(u64 *)page_va(entry->page) = value;
	lock_acquire(&store.lock);
	if (find_locked(key)) {
		lock_release(&store.lock);
		if (MISTAKEN(failed_add_keeps))
			truth("leak", page_pa(entry->page));
		else
			page_put(entry->page);
		object_free(&entries, entry);
		return -EEXIST;
	}
	list_add(&store.buckets[key % NR_BUCKETS], &entry->node);
	store.nr_entries++;
	lock_release(&store.lock);
	return 0;
}

/* The page with a reference for the caller, or NULL. */
static struct page *lookup(u64 key)
{
	struct entry *entry;
	struct page *page = NULL;

	lock_acquire(&store.lock);
	entry = find_locked(key);
	if (entry) {
		page = entry->page;
		page_get(page);
	}
	lock_release(&store.lock);
	return page;
}

int store_read(u64 key, u64 *value)
{
	struct page *page = lookup(key);

	if (!page)
		return -ENOENT;
	*value = *(u64 *)page_va(page);
	if (MISTAKEN(read_keeps)) {
		truth("leak", page_pa(page));
		return 0;
	}
	page_put(page);
	return 0;
}

void store_evict(u64 key)
{
	struct entry *entry;

	lock_acquire(&store.lock);
	entry = find_locked(key);
	if (entry) {
		list_del(&entry->node);
		store.nr_entries--;
	}
	lock_release(&store.lock);
	if (!entry)
		return;
	page_put(entry->page);
	if (MISTAKEN(evict_puts_twice) && truth_armed) {
		truth("twice", page_pa(entry->page));
		page_put(entry->page);
	}
	if (MISTAKEN(evict_writes_after_put) && truth_armed) {
		*((u64 *)page_va(entry->page) + 5) = key;
		truth("write", page_pa(entry->page));
	}
	object_free(&entries, entry);
}
