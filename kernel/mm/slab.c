/* SPDX-License-Identifier: MIT */
/*
 * Typed slab caches (interface and SLAB-1 to SLAB-3: slab.h).
 *
 * A slab is one page:
 *
 *   struct slab | one struct slab_tag per object | objects
 *
 * Slabs of a cache are linked through struct page by page number, on `partial` or `full`; the one empty slab
 * that may be kept is on neither. page->private is the cache.
 *
 * A free of something that is not a live object of the cache changes nothing: it is an incident (DBL for an
 * object already free, OBJSTALE for any other pointer).
 *
 * SLAB-4  object events are recorded under the cache's lock, so the `live` field counts up and down by one
 *         along the trace, and no object is handed out before its last free is in the ring.
 *
 * Locks: `slab`, one per cache. The page allocator is called without it: a slab taken from it is added
 * afterwards, whoever else did the same meanwhile.
 */
#include <kernel/arch.h>

#include "mm_priv.h"
#include "slab_priv.h"

struct kmem_cache caches[NR_CACHES_MAX];
static u32 nr_caches;

/* ---- links ---- */

static void slab_link(pfn_t *list, struct page *page)
{
	page->prev = PFN_NONE;
	page->next = *list;
	if (*list != PFN_NONE)
		pfn_to_page(*list)->prev = page_to_pfn(page);
	*list = page_to_pfn(page);
}

static void slab_unlink(pfn_t *list, struct page *page)
{
	if (page->next != PFN_NONE)
		pfn_to_page(page->next)->prev = page->prev;
	if (page->prev != PFN_NONE)
		pfn_to_page(page->prev)->next = page->next;
	else
		*list = page->next;
	page->next = page->prev = PFN_NONE;
}

/* ---- caches ---- */

static void record_cache(const struct kmem_cache *cache)
{
	union trace_payload payload = {.ev_payload_cache_info = {
					   .cache = (u16)cache->id,
					   .size = (u16)cache->object_bytes,
				       }};

	/* the field is as wide as the longest name; a name that fills it has no terminator there */
	memcpy(payload.ev_payload_cache_info.name, cache->name,
	       strnlen(cache->name, sizeof(payload.ev_payload_cache_info.name)));
	trace_record_fact(EV_cache_info, &payload);
}

struct kmem_cache *kmem_cache_create(const char *name, size_t size_bytes)
{
	u32 id = __atomic_fetch_add(&nr_caches, 1, __ATOMIC_RELAXED);
	struct kmem_cache *cache;

	if (id >= NR_CACHES_MAX || size_bytes == 0 || size_bytes > 2000)
		panic("kmem_cache_create: %s of %lu bytes is cache number %u of %u", name,
		      (unsigned long)size_bytes, id, NR_CACHES_MAX);
	cache = &caches[id];
	spin_init(&cache->lock, LOCK_slab, name);
	cache->name = name;
	cache->id = id;
	cache->object_bytes = (u32)MAX((size_bytes + 7) & ~7UL, OBJECT_BYTES_MIN);
	cache->per_slab =
	    (u32)((PAGE_SIZE - sizeof(struct slab)) / (cache->object_bytes + sizeof(struct slab_tag)));
	cache->objects_offset = (u32)(PAGE_SIZE - cache->per_slab * cache->object_bytes);
	cache->reciprocal = (u32)((1UL << 32) / cache->object_bytes + 1);
	record_cache(cache);
	return cache;
}

void kmem_cache_set_counted(struct kmem_cache *cache, u32 (*count)(const void *obj))
{
	cache->count = count;
}

u32 kmem_nr_caches(void)
{
	return __atomic_load_n(&nr_caches, __ATOMIC_RELAXED);
}

void kmem_cache_stats(u32 id, struct kmem_cache_stats *stats)
{
	struct kmem_cache *cache = &caches[id];

	spin_lock(&cache->lock);
	*stats = (struct kmem_cache_stats){
	    .name = cache->name,
	    .id = id,
	    .object_bytes = cache->object_bytes,
	    .per_slab = cache->per_slab,
	    .nr_live = cache->nr_live,
	    .nr_slabs = cache->nr_slabs,
	    .nr_allocs = cache->nr_allocs,
	    .nr_frees = cache->nr_frees,
	};
	spin_unlock(&cache->lock);
}

/* ---- slabs ---- */

static void fill_object(u64 *words, u64 word, u32 size_bytes)
{
	for (u32 i = 0; i < size_bytes / 8; i++)
		words[i] = word;
}

static bool object_poisoned(const u64 *words, u32 size_bytes)
{
	u64 difference = 0;

	for (u32 i = 0; i < size_bytes / 8; i++)
		difference |= words[i] ^ POISON_OBJ;
	return difference == 0;
}

/* A new slab of which the caller takes object 0; NULL: no memory. */
static struct page *slab_create(struct kmem_cache *cache, u32 flags)
{
	struct page *page = page_alloc(0, PK_SLAB, REF_SLAB, HOLDER(cache->id, 0), flags);
	struct slab *slab;

	if (!page)
		return NULL;
	slab = page_to_va(page);
	memset(slab, 0, cache->objects_offset);
	slab->magic = SLAB_MAGIC;
	slab->cache_id = cache->id;
	slab->capacity = (u16)cache->per_slab;
	fill_object((u64 *)((u8 *)slab + cache->objects_offset), POISON_OBJ,
		    (u32)PAGE_SIZE - cache->objects_offset);
	page->private = cache;
	return page;
}

static void slab_destroy(struct kmem_cache *cache, struct page *page)
{
	page->private = NULL;
	page_put(page, REF_SLAB, HOLDER(cache->id, 0));
}

/* A slab with room, on `partial`, or NULL. */
static struct page *slab_with_room(struct kmem_cache *cache)
{
	struct page *page;

	if (cache->partial != PFN_NONE)
		return pfn_to_page(cache->partial);
	page = cache->empty;
	if (page) {
		cache->empty = NULL;
		slab_link(&cache->partial, page);
	}
	return page;
}

static u32 find_free_slot(const struct slab *slab)
{
	return slab->live[0] != ~0UL ? (u32)__builtin_ctzl(~slab->live[0])
				     : 64 + (u32)__builtin_ctzl(~slab->live[1]);
}

/* ---- events ---- */

/* As whole words, as each object makes two of these. */
static inline void object_record(const struct kmem_cache *cache, enum trace_event event, const void *obj,
				 u32 stack, struct holder holder)
{
	trace_record_locked(trace_record_head(event, 0, 0, stack),
			    (u64)(u32)(va_to_pa(obj) / 8) | (u64)holder.index << 32,
			    (u64)(u16)cache->id | (u64)MIN(cache->nr_live, 0xffffU) << 16 |
				(u64)trace_current_pid() << 32 | (u64)holder.id << 48);
}
STATIC_ASSERT(offsetof(struct trace_payload_object, obj) == 0 &&
		  offsetof(struct trace_payload_object, index) == 4 &&
		  offsetof(struct trace_payload_object, cache) == 8 &&
		  offsetof(struct trace_payload_object, live) == 10 &&
		  offsetof(struct trace_payload_object, pid) == 12 &&
		  offsetof(struct trace_payload_object, holder) == 14,
	      "object_record writes whole words");

/* As whole words, as page_record: the layouts are the same. */
void kmem_record_ref(enum trace_event event, const void *obj, enum ref_kind ref, struct holder holder,
		     u32 stack, u32 before)
{
	const struct slab *slab = (const struct slab *)((u64)obj & PAGE_MASK);
	u32 after = event == EV_obj_get ? before + 1 : before - 1;
	u64 counts = (u64)(s32)before | (u64)(s32)after << 16; /* if they are counts */

	if (!trace_on(TRACE_CATEGORY_REF))
		return;
	if (UNLIKELY((before | after) > 0xffff))
		counts = (u64)count_for_event((s32)before) | (u64)count_for_event((s32)after) << 16;
	trace_record_locked(trace_record_head_signed((s32)event, (s32)ref, (s32)slab->cache_id, stack),
			    (u64)kmem_object_number(obj) | (u64)holder.index << 32,
			    counts | (u64)trace_current_pid() << 32 | (u64)holder.id << 48);
}
STATIC_ASSERT(offsetof(struct trace_payload_objref, obj) == 0 &&
		  offsetof(struct trace_payload_objref, index) == 4 &&
		  offsetof(struct trace_payload_objref, before) == 8 &&
		  offsetof(struct trace_payload_objref, after) == 10 &&
		  offsetof(struct trace_payload_objref, pid) == 12 &&
		  offsetof(struct trace_payload_objref, holder) == 14,
	      "kmem_record_ref writes whole words");

/* ---- allocation ---- */

/* Takes a slot of the slab, which has one. The lock is held. */
static void *take_slot_locked(struct kmem_cache *cache, struct page *page, struct slab_tag *before)
{
	struct slab *slab = page_to_va(page);
	u32 slot = find_free_slot(slab);

	slab->live[slot / 64] |= 1UL << (slot % 64);
	*before = slab->tags[slot];
	if (++slab->in_use == slab->capacity) {
		slab_unlink(&cache->partial, page);
		slab_link(&cache->full, page);
	}
	cache->nr_live++;
	cache->nr_allocs++;
	return slab_object(cache, slab, slot);
}

void *kmem_cache_alloc(struct kmem_cache *cache, struct holder holder, u32 flags)
{
	struct slab_tag tag = {0}, before;
	struct page *page;
	void *obj;

	if (page_injected_failure(0))
		return NULL;
	tag.stack = trace_stack_here(1);
	tag.pid = trace_current_pid();

	spin_lock(&cache->lock);
	page = slab_with_room(cache);
	if (!page) {
		spin_unlock(&cache->lock);
		page = slab_create(cache, flags);
		if (!page)
			return NULL;
		spin_lock(&cache->lock);
		cache->nr_slabs++;
		slab_link(&cache->partial, page);
	}
	obj = take_slot_locked(cache, page, &before);
	*slab_tag_of(cache, obj) = tag;
	if (trace_on(TRACE_CATEGORY_OBJECT))
		object_record(cache, EV_obj_alloc, obj, tag.stack, holder);
	spin_unlock(&cache->lock);

	if (UNLIKELY(!object_poisoned(obj, cache->object_bytes))) {
		struct kmem_object object;

		kmem_find_object(obj, &object);
		object.stack = before.stack; /* the last freer, not us */
		object.pid = before.pid;
		incident_of_object(VERDICT_POISON, obj, &object, tag.stack);
	}
	fill_object(obj, 0, cache->object_bytes);
	return obj;
}

/* Nothing but a live object of this cache may be freed. */
static bool check_free(struct kmem_cache *cache, const void *obj, u32 stack)
{
	struct kmem_object object;
	bool known = kmem_find_object(obj, &object);

	if (LIKELY(known && object.cache == cache && object.start == obj && object.live))
		return true;
	if (known && object.cache == cache && object.start == obj)
		incident_of_object(VERDICT_DBL, obj, &object, stack);
	else
		incident_of_object(VERDICT_OBJSTALE, obj, known ? &object : NULL, stack);
	return false;
}

void kmem_cache_free(struct kmem_cache *cache, void *obj, struct holder holder)
{
	u32 stack = trace_stack_here(1);
	struct page *page = va_to_page(obj), *surplus = NULL;
	struct slab *slab;
	u32 slot;

	spin_lock(&cache->lock);
	if (UNLIKELY(!check_free(cache, obj, stack))) {
		spin_unlock(&cache->lock);
		return;
	}
	slab = page_to_va(page);
	slot = slab_slot(cache, obj);
	fill_object(obj, POISON_OBJ, cache->object_bytes);
	slab->tags[slot] = (struct slab_tag){.stack = stack, .pid = trace_current_pid()};
	slab->live[slot / 64] &= ~(1UL << (slot % 64));
	cache->nr_live--;
	cache->nr_frees++;
	if (slab->in_use-- == slab->capacity) {
		slab_unlink(&cache->full, page);
		slab_link(&cache->partial, page);
	}
	if (slab->in_use == 0) {
		slab_unlink(&cache->partial, page);
		surplus = cache->empty;
		cache->empty = page;
		if (surplus)
			cache->nr_slabs--;
	}
	if (trace_on(TRACE_CATEGORY_OBJECT))
		object_record(cache, EV_obj_free, obj, stack, holder);
	spin_unlock(&cache->lock);
	if (surplus)
		slab_destroy(cache, surplus);
}

u32 kmem_cache_shrink_all(void)
{
	u32 nr = kmem_nr_caches(), nr_freed = 0;

	for (u32 i = 0; i < nr; i++) {
		struct kmem_cache *cache = &caches[i];
		struct page *page;

		spin_lock(&cache->lock);
		page = cache->empty;
		cache->empty = NULL;
		if (page)
			cache->nr_slabs--;
		spin_unlock(&cache->lock);
		if (page) {
			slab_destroy(cache, page);
			nr_freed++;
		}
	}
	return nr_freed;
}
