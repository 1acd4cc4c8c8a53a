/* SPDX-License-Identifier: MIT */
/*
 * Slab caches as the auditor sees them: finding the object at an address, the check of SLAB-1 to SLAB-3,
 * and the claim bitmaps.
 *
 * Locks: the check takes each cache's lock; the auditor's part runs with the world stopped and takes none.
 */
#include <kernel/arch.h>

#include "mm_priv.h"
#include "slab_priv.h"

bool kmem_find_object(const void *va, struct kmem_object *object)
{
	paddr_t pa = va_to_pa(va);
	struct kmem_cache *cache;
	struct page *page;
	struct slab *slab;
	u32 slot;

	if (pa >> PAGE_SHIFT > 0xffffffffUL || !pfn_valid((pfn_t)(pa >> PAGE_SHIFT)))
		return false;
	page = pa_to_page(pa);
	cache = page->private;
	/* A page that is just becoming a slab has its holder there, not yet its cache. */
	if (page->kind != PK_SLAB || cache < caches || cache >= caches + kmem_nr_caches())
		return false;
	slab = page_to_va(page);
	if ((pa & (PAGE_SIZE - 1)) < cache->objects_offset)
		return false;
	slot = slab_slot(cache, va);
	*object = (struct kmem_object){
	    .cache = cache,
	    .cache_name = cache->name,
	    .cache_id = cache->id,
	    .start = slab_object(cache, slab, slot),
	    .live = slab->live[slot / 64] >> (slot % 64) & 1,
	    .stack = slab->tags[slot].stack,
	    .pid = slab->tags[slot].pid,
	};
	return true;
}

/* ---- claims ---- */

static void for_each_slab(const struct kmem_cache *cache, void (*visit)(struct page *page, void *arg),
			  void *arg)
{
	const pfn_t heads[2] = {cache->partial, cache->full};

	for (u32 i = 0; i < 2; i++)
		for (pfn_t pfn = heads[i]; pfn != PFN_NONE; pfn = pfn_to_page(pfn)->next)
			visit(pfn_to_page(pfn), arg);
	if (cache->empty)
		visit(cache->empty, arg);
}

static void for_each_slab_of_all(void (*visit)(struct page *page, void *arg), void *arg)
{
	for (u32 i = 0; i < kmem_nr_caches(); i++)
		for_each_slab(&caches[i], visit, arg);
}

static void claim_slab(struct page *page, void *claims)
{
	claim_page(claims, page, REF_SLAB, HOLDER(((struct kmem_cache *)page->private)->id, 0));
}

void kmem_claims(struct claims *claims)
{
	for_each_slab_of_all(claim_slab, claims);
}

static void reset_slab(struct page *page, void *numbers)
{
	struct slab *slab = page_to_va(page);

	slab->claimed[0] = slab->claimed[1] = 0;
	for (u32 slot = 0; *(const bool *)numbers && slot < slab->capacity; slot++)
		slab->tags[slot].claims = 0;
}

void kmem_claims_reset(bool numbers)
{
	for_each_slab_of_all(reset_slab, &numbers);
}

u16 *kmem_claims_of(const void *obj)
{
	const struct page *page = va_to_page(obj);

	return &slab_tag_of(page->private, obj)->claims;
}

enum verdict kmem_claim(const void *obj, bool *first)
{
	struct kmem_object object;
	struct slab *slab;
	u32 slot;

	*first = false;
	if (!kmem_find_object(obj, &object) || object.start != obj || !object.live)
		return VERDICT_OBJSTALE;
	slab = (struct slab *)((u64)obj & PAGE_MASK);
	slot = slab_slot(object.cache, obj);
	*first = !(slab->claimed[slot / 64] >> (slot % 64) & 1);
	slab->claimed[slot / 64] |= 1UL << (slot % 64);
	return VERDICT_NONE;
}

struct live_visit {
	void (*visit)(const struct kmem_object *object, void *arg);
	void *arg;
};

static void visit_live(struct page *page, void *arg)
{
	struct live_visit *live = arg;
	const struct kmem_cache *cache = page->private;
	struct slab *slab = page_to_va(page);

	for (u32 word = 0; word < 2; word++)
		for (u64 bits = slab->live[word]; bits; bits &= bits - 1) {
			u32 slot = word * 64 + (u32)__builtin_ctzl(bits);
			struct kmem_object object;

			if (!kmem_find_object(slab_object(cache, slab, slot), &object))
				continue;
			object.claimed = slab->claimed[word] >> (slot % 64) & 1;
			object.nr_claims = slab->tags[slot].claims;
			object.counted = cache->count != NULL;
			object.count = cache->count ? cache->count(object.start) : 0;
			live->visit(&object, live->arg);
		}
}

void kmem_for_each_live(void (*visit)(const struct kmem_object *object, void *arg), void *arg)
{
	struct live_visit live = {visit, arg};

	for_each_slab_of_all(visit_live, &live);
}

/* ---- check ---- */

static char check_text[128];
#define BROKEN(...) (ksnprintf(check_text, sizeof(check_text), __VA_ARGS__), check_text)

struct tally {
	u32 nr_slabs, nr_live;
};

static const char *check_slab(const struct kmem_cache *cache, const struct page *page, struct tally *tally)
{
	struct slab *slab = page_to_va(page);
	pfn_t pfn = page_to_pfn(page);
	u32 set = (u32)(__builtin_popcountl(slab->live[0]) + __builtin_popcountl(slab->live[1]));

	if (page->kind != PK_SLAB || page->private != cache || slab->magic != SLAB_MAGIC ||
	    slab->cache_id != cache->id)
		return BROKEN("slab 0x%x on %s's lists is not one of its slabs", pfn, cache->name);
	if (set != slab->in_use || slab->capacity != cache->per_slab)
		return BROKEN("SLAB-2: slab 0x%x of %s has %u bits set, in use %u", pfn, cache->name, set,
			      slab->in_use);
	for (u32 slot = 0; slot < slab->capacity; slot++) {
		const u64 *words = slab_object(cache, slab, slot);

		if (slab->live[slot / 64] >> (slot % 64) & 1)
			continue;
		for (u32 i = 0; i < cache->object_bytes / 8; i++)
			if (words[i] != POISON_OBJ)
				return BROKEN("SLAB-3: free object %u of slab 0x%x of %s was written", slot,
					      pfn, cache->name);
	}
	tally->nr_slabs++;
	tally->nr_live += set;
	return NULL;
}

static const char *check_list(const struct kmem_cache *cache, pfn_t first, bool full, struct tally *tally)
{
	pfn_t prev = PFN_NONE;

	for (pfn_t pfn = first; pfn != PFN_NONE; prev = pfn, pfn = pfn_to_page(pfn)->next) {
		const struct slab *slab;
		const char *broken;

		if (!pfn_valid(pfn) || pfn_to_page(pfn)->prev != prev || tally->nr_slabs > cache->nr_slabs)
			return BROKEN("SLAB-1: %s's list breaks at 0x%x", cache->name, pfn);
		broken = check_slab(cache, pfn_to_page(pfn), tally);
		if (broken)
			return broken;
		slab = page_to_va(pfn_to_page(pfn));
		if (slab->in_use == 0 || (slab->in_use == slab->capacity) != full)
			return BROKEN("SLAB-1: slab 0x%x of %s is on the wrong list", pfn, cache->name);
	}
	return NULL;
}

static const char *check_cache(const struct kmem_cache *cache)
{
	struct tally tally = {0};
	const char *broken = check_list(cache, cache->partial, false, &tally);

	if (!broken)
		broken = check_list(cache, cache->full, true, &tally);
	if (!broken && cache->empty) {
		broken = check_slab(cache, cache->empty, &tally);
		if (!broken && ((struct slab *)page_to_va(cache->empty))->in_use)
			return BROKEN("SLAB-1: %s's empty slab is not empty", cache->name);
	}
	if (!broken && (tally.nr_live != cache->nr_live || tally.nr_slabs != cache->nr_slabs))
		return BROKEN("SLAB-2: %s has %u objects in %u slabs, counted %u in %u", cache->name,
			      tally.nr_live, tally.nr_slabs, cache->nr_live, cache->nr_slabs);
	return broken;
}

const char *kmem_check(void)
{
	for (u32 i = 0; i < kmem_nr_caches(); i++) {
		const char *broken;

		spin_lock(&caches[i].lock);
		broken = check_cache(&caches[i]);
		spin_unlock(&caches[i].lock);
		if (broken)
			return broken;
	}
	return NULL;
}
