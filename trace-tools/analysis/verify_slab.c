/* SPDX-License-Identifier: MIT */
/* verify_slab: every slab page of memory, and its live objects against the trace's. See verify.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "verify.h"

#define CACHES_MAX 256U

struct cache_view {
	uint64_t nr_live, nr_slabs;       /* as memory says */
	uint64_t found_live, found_slabs; /* as the slabs say */
	uint32_t object_bytes, per_slab, offset;
};

struct slab_members {
	struct member magic, cache_id, in_use, live;
};

struct slabs {
	struct verify *verify;
	struct cache_view caches[CACHES_MAX];
	uint32_t nr_caches;
	struct slab_members members;
};

static const char *cache_name(const struct slabs *slabs, uint64_t id)
{
	const struct cache_state *cache = model_cache(slabs->verify->model, id);

	return cache->known ? cache->name : "?";
}

static void read_caches(struct slabs *slabs)
{
	struct verify *verify = slabs->verify;
	struct layout *layout = verify->layout;
	struct member live = layout_member(layout, "kmem_cache", "nr_live"),
		      nr_slabs = layout_member(layout, "kmem_cache", "nr_slabs"),
		      object_bytes = layout_member(layout, "kmem_cache", "object_bytes"),
		      per_slab = layout_member(layout, "kmem_cache", "per_slab"),
		      offset = layout_member(layout, "kmem_cache", "objects_offset");
	uint32_t size = layout_size(layout, "kmem_cache");
	uint64_t bytes, pa = layout_variable(layout, "caches", &bytes);

	for (; slabs->nr_caches < bytes / size && slabs->nr_caches < CACHES_MAX; pa += size) {
		slabs->caches[slabs->nr_caches++] = (struct cache_view){
		    .nr_live = verify_read(verify, pa, live),
		    .nr_slabs = verify_read(verify, pa, nr_slabs),
		    .object_bytes = (uint32_t)verify_read(verify, pa, object_bytes),
		    .per_slab = (uint32_t)verify_read(verify, pa, per_slab),
		    .offset = (uint32_t)verify_read(verify, pa, offset),
		};
	}
}

static bool slot_live(const struct slabs *slabs, uint64_t slab_pa, uint32_t slot)
{
	struct member word = {slabs->members.live.offset + slot / 64 * 8, 8};

	return verify_read(slabs->verify, slab_pa, word) >> slot % 64 & 1;
}

/* NULL when the page holds no slab that could be one. */
static struct cache_view *slab_cache(struct slabs *slabs, uint64_t pa, uint64_t *id)
{
	struct verify *verify = slabs->verify;

	*id = verify_read(verify, pa, slabs->members.cache_id);
	if (verify_read(verify, pa, slabs->members.magic) != SLAB_MAGIC || *id >= slabs->nr_caches ||
	    !slabs->caches[*id].object_bytes)
		return NULL;
	struct cache_view *cache = &slabs->caches[*id];
	return cache->per_slab <= slabs->members.live.bytes * 8 &&
		       cache->offset + (uint64_t)cache->per_slab * cache->object_bytes <= PAGE_BYTES
		   ? cache
		   : NULL;
}

/* Of a counted object: its count in memory and in the trace. A trace of an older kernel knows none. */
static void compare_count(const struct slabs *slabs, uint64_t id, uint64_t pa,
			  const struct object_state *object)
{
	static const struct {
		const char *cache, *members[2];
	} counted[] = {{"inode", {"count"}},
		       {"file", {"count"}},
		       {"shared", {"count"}},
		       {"pipe", {"read_open", "write_open"}}};
	struct verify *verify = slabs->verify;

	for (size_t i = 0; i < sizeof(counted) / sizeof(*counted) && object->life != LIFE_UNKNOWN; i++) {
		const char *cache = counted[i].cache;
		uint64_t count = 0;
		if (strcmp(cache, cache_name(slabs, id)))
			continue;
		for (size_t k = 0; k < 2 && counted[i].members[k]; k++)
			count += verify_read(verify, pa,
					     layout_member(verify->layout, cache, counted[i].members[k]));
		if (count != object->count)
			verify_note(verify, VERIFY_SLAB, pa,
				    "object 0x%" PRIx64 " of cache %s: its count is %u in the trace, %" PRIu64
				    " in memory",
				    pa, cache, object->count, count);
	}
}

static void compare_slab(struct slabs *slabs, uint64_t pa)
{
	struct verify *verify = slabs->verify;
	uint64_t id, nr = 0;
	struct cache_view *cache = slab_cache(slabs, pa, &id);

	if (!cache) {
		verify_note(verify, VERIFY_SLAB, pa, "page 0x%" PRIx64 " is of kind slab, but holds none",
			    pa >> PAGE_SHIFT);
		return;
	}
	for (uint32_t slot = 0; slot < cache->per_slab; slot++) {
		uint64_t object_pa = pa + cache->offset + (uint64_t)slot * cache->object_bytes;
		const struct object_state *object = model_object(verify->model, (uint32_t)(object_pa / 8));
		bool live = slot_live(slabs, pa, slot);
		nr += live;
		if (live && (!object || object->cache != id))
			verify_note(verify, VERIFY_SLAB, object_pa,
				    "object 0x%" PRIx64 " of cache %s is live in memory, %s in the trace",
				    object_pa, cache_name(slabs, id), object ? "another cache's" : "not");
		else if (live)
			compare_count(slabs, id, object_pa, object);
		else if (object)
			verify_note(verify, VERIFY_SLAB, object_pa,
				    "object 0x%" PRIx64 " of cache %s is live in the trace, free in memory",
				    object_pa, cache_name(slabs, id));
	}
	uint64_t in_use = verify_read(verify, pa, slabs->members.in_use);
	if (in_use != nr)
		verify_note(verify, VERIFY_SLAB, pa,
			    "slab 0x%" PRIx64 " of cache %s: %" PRIu64
			    " object%s %s marked live, its counter "
			    "says %" PRIu64,
			    pa, cache_name(slabs, id), nr, plural_s(nr), plural(nr, "is", "are"), in_use);
	verify->looked[VERIFY_SLAB] += nr;
	cache->found_live += nr;
	cache->found_slabs++;
}

/* Objects of the trace whose page is no slab in memory. */
static void compare_homeless(struct slabs *slabs, const uint8_t *kinds)
{
	const struct model *model = slabs->verify->model;
	const struct object_state *object;
	const struct trace_desc *desc = slabs->verify->guest->desc;

	for (size_t i = 0; (object = model_next_object(model, &i));) {
		uint64_t pa = object->obj * 8ULL, at = (pa - desc->ram_start) >> PAGE_SHIFT;
		if (pa < desc->ram_start || at >= desc->nr_pages || kinds[at] != PK_SLAB)
			verify_note(slabs->verify, VERIFY_SLAB, pa,
				    "object 0x%" PRIx64
				    " of cache %s is live in the trace, but its page is no "
				    "slab in memory",
				    pa, cache_name(slabs, object->cache));
	}
}

void verify_slabs(struct verify *verify, const uint8_t *kinds)
{
	const struct trace_desc *desc = verify->guest->desc;
	struct slabs *slabs = xcalloc(1, sizeof(*slabs));

	slabs->verify = verify;
	slabs->members = (struct slab_members){
	    layout_member(verify->layout, "slab", "magic"), layout_member(verify->layout, "slab", "cache_id"),
	    layout_member(verify->layout, "slab", "in_use"), layout_member(verify->layout, "slab", "live")};
	read_caches(slabs);
	for (uint64_t i = 0; i < desc->nr_pages; i++) {
		if (kinds[i] == PK_SLAB)
			compare_slab(slabs, desc->ram_start + (i << PAGE_SHIFT));
	}
	compare_homeless(slabs, kinds);
	for (uint32_t id = 0; id < slabs->nr_caches; id++) {
		const struct cache_view *cache = &slabs->caches[id];
		if (cache->nr_live != cache->found_live || cache->nr_slabs != cache->found_slabs)
			verify_note(verify, VERIFY_SLAB, 0,
				    "cache %s: its counters say %" PRIu64 " object%s in %" PRIu64
				    " slab%s, the slabs hold %" PRIu64 " in %" PRIu64,
				    cache_name(slabs, id), cache->nr_live, plural_s(cache->nr_live),
				    cache->nr_slabs, plural_s(cache->nr_slabs), cache->found_live,
				    cache->found_slabs);
	}
	free(slabs);
}
