/* SPDX-License-Identifier: MIT */
/*
 * slab, inside: the layout of a slab, shared by slab.c and slab_audit.c.
 */
#ifndef SLAB_PRIV_H
#define SLAB_PRIV_H

#include <kernel/slab.h>

#define OBJECT_BYTES_MIN 24U /* 4096 / (24 + a tag) is just below the 128 bits of the maps */

/* Who allocated the object, or freed it last. */
struct slab_tag {
	u32 stack;
	u16 pid;
	u16 claims; /* of the auditor, as struct page's */
};

/* At the start of the slab's page. */
struct slab {
	u32 magic;
	u32 cache_id;
	u16 in_use;
	u16 capacity;
	u32 pad;
	u64 live[2];    /* bit i: object i is allocated */
	u64 claimed[2]; /* of the auditor; meaningful only while the world is stopped */
	struct slab_tag tags[];
};
STATIC_ASSERT((PAGE_SIZE - sizeof(struct slab)) / (OBJECT_BYTES_MIN + sizeof(struct slab_tag)) <= 128,
	      "bitmaps");

struct kmem_cache {
	struct spinlock lock;
	const char *name;
	u32 id;
	u32 object_bytes; /* a multiple of 8 */
	u32 per_slab;
	u32 objects_offset;            /* of object 0 in the page; objects end where the page ends */
	u32 reciprocal;                /* 2^32 / object_bytes, rounded up */
	u32 (*count)(const void *obj); /* NULL: its objects are not counted */
	/* lock: */
	pfn_t partial, full;
	struct page *empty;
	u32 nr_live;
	u32 nr_slabs;
	u64 nr_allocs, nr_frees;
};

extern struct kmem_cache caches[NR_CACHES_MAX];

static inline void *slab_object(const struct kmem_cache *cache, struct slab *slab, u32 slot)
{
	return (u8 *)slab + cache->objects_offset + slot * cache->object_bytes;
}

/* The slot that the address lies in; va is at or above objects_offset of its page. */
static inline u32 slab_slot(const struct kmem_cache *cache, const void *va)
{
	u64 offset = ((u64)va & (PAGE_SIZE - 1)) - cache->objects_offset;

	return (u32)(offset * cache->reciprocal >> 32);
}

static inline struct slab_tag *slab_tag_of(const struct kmem_cache *cache, const void *obj)
{
	struct slab *slab = (struct slab *)((u64)obj & PAGE_MASK);

	return &slab->tags[slab_slot(cache, obj)];
}

#endif
