/* SPDX-License-Identifier: MIT */
/*
 * Caches of equal objects. A slab is one page of them; free objects are a list through their first words, which starts in
 * the page's struct page. A slab is in its cache's list `partial` or `full`; when its last object goes, the page goes, too.
 *
 * SLAB-1  a slab is in `full` iff it has no free object; an empty one is in no list.
 * SLAB-2  a free object is filled with POISON behind its link.
 */
#include "kernel.h"

void cache_init(struct cache *cache, const char *name, u32 size)
{
	cache->name = name;
	cache->size = (size + 15) & ~15U;
	cache->per_slab = PAGE_SIZE / cache->size;
	cache->lock = (struct lock){0, 0};
	cache->nr_objects = 0;
	list_init(&cache->partial);
	list_init(&cache->full);
}

static struct page *slab_create(struct cache *cache)
{
	struct page *slab = page_alloc(0);

	if (!slab)
		return NULL;
	slab->flags = PG_SLAB;
	slab->cache = cache;
	slab->inuse = 0;
	slab->objects = NULL;
	for (u32 i = cache->per_slab; i-- > 0;) {
		void **object = (void **)((char *)page_va(slab) + i * cache->size);

		*object = slab->objects;
		slab->objects = object;
	}
	list_add(&cache->partial, &slab->node);
	return slab;
}

void *object_alloc(struct cache *cache)
{
	struct page *slab;
	void *object = NULL;

	lock_acquire(&cache->lock);
	if (list_empty(&cache->partial))
		slab = slab_create(cache);
	else
		slab = container_of(cache->partial.next, struct page, node);
	if (slab) {
		object = slab->objects;
		slab->objects = *(void **)object;
		slab->inuse++;
		cache->nr_objects++;
		if (!slab->objects) {
			list_del(&slab->node);
			list_add(&cache->full, &slab->node);
		}
	}
	lock_release(&cache->lock);
	return object ? memset(object, 0, cache->size) : NULL;
}

void object_free(struct cache *cache, void *object)
{
	struct page *slab = page_of_va(object);

	if (slab->cache != cache)
		panic("an object of another cache");
	memset(object, POISON, cache->size);
	lock_acquire(&cache->lock);
	*(void **)object = slab->objects;
	slab->objects = object;
	cache->nr_objects--;
	list_del(&slab->node);
	if (--slab->inuse > 0)
		list_add(&cache->partial, &slab->node);
	else if (MISTAKEN(empty_slab_stays))
		truth("leak", page_pa(slab));
	else
		page_put(slab);
	lock_release(&cache->lock);
}
