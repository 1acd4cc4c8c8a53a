/* SPDX-License-Identifier: MIT */
/*
 * Typed slab caches: every object has a type, and its birth (stack, pid) is kept beside it.
 *
 * Problem: a lost block of 64 bytes says nothing of what it was. Idea: there is no untyped kmalloc. Each type has a cache, a live object
 * of it must be claimed by some list or tree, and one that nobody claims is reported with its type, its stack and who allocated it:
 *
 *     OBJ object 0xffffffc080a01e40 cache dirty pid 4        a dirty record that no mapping lists
 *
 * Why the links and tags are not in the objects, where they would cost nothing: a stray write into a free object would then break the
 * allocator before anything could be said about it. Here it breaks only poison, which is found.
 *
 * A slab is one page (kind SLAB, one reference: SLAB held by the cache's id): a header with the
 * allocation bitmap, the auditor's bitmap and one tag per object, then the objects. Nothing of the
 * allocator's lives inside an object, so a stray write cannot break its lists.
 *
 * SLAB-1  a slab is on `partial` iff 0 < in use < capacity; on `full` iff in use == capacity; one empty
 *         slab at most is kept per cache.
 * SLAB-2  in use == number of bits set in the slab's bitmap; cache->nr_live == their sum.
 * SLAB-3  a free object holds POISON_OBJ in every word (constructor-less caches only; we have no others).
 *
 * Locks: `slab` (one per cache); never held while the page allocator is called.
 */
#ifndef KERNEL_SLAB_H
#define KERNEL_SLAB_H

#include <kernel/page.h>

#define POISON_OBJ 0x5a5a5a5a5a5a5a5aUL
#define NR_CACHES_MAX 32

struct kmem_cache;

/* name: at most 12 characters, static. size_bytes up to 2000. Panics when the table of caches is full. */
struct kmem_cache *kmem_cache_create(const char *name, size_t size_bytes);
/*
 * Zeroed object or NULL. holder is what the trace and the auditor show for it; HOLDER_NONE if there is none. flags: 0 or
 * ALLOC_NORECLAIM, which means what it means to page_alloc.
 */
void *kmem_cache_alloc(struct kmem_cache *cache, struct holder holder, u32 flags);
void kmem_cache_free(struct kmem_cache *cache, void *obj, struct holder holder);

/*
 * Counted objects: those of a cache with a `count`, which says how many references an object has (world stopped). Each
 * has a kind and a holder, as a page's have, and the auditor compares the count with the claims.
 *
 * SLAB-5  a counted object's first reference is recorded after its allocation, its last one's release before its free;
 *         both under the lock of its count, so that the records of one object are a chain.
 */
void kmem_cache_set_counted(struct kmem_cache *cache, u32 (*count)(const void *obj));
/*
 * Records a get (EV_obj_get, after == before + 1) or a put (EV_obj_put). The lock of the object's count, a spinlock, is held.
 * stack: of kmem_ref_stack, before the lock.
 */
void kmem_record_ref(enum trace_event event, const void *obj, enum ref_kind ref, struct holder holder,
		     u32 stack, u32 before);
/* The stack for it, from the caller of the function that calls this. */
static inline __attribute__((always_inline)) u32 kmem_ref_stack(void)
{
	return trace_on(TRACE_CATEGORY_REF) ? trace_stack_here(1) : 0;
}
/* By which an object is named as a holder's index. */
static inline u32 kmem_object_number(const void *obj)
{
	return (u32)(va_to_pa(obj) / 8);
}
/* Gives empty slabs back; returns pages. */
u32 kmem_cache_shrink_all(void);

struct kmem_cache_stats {
	const char *name;
	u32 id;
	u32 object_bytes;
	u32 per_slab;
	u32 nr_live;
	u32 nr_slabs;
	u64 nr_allocs, nr_frees;
};
u32 kmem_nr_caches(void);
void kmem_cache_stats(u32 id, struct kmem_cache_stats *stats); /* id 0..nr-1 */

/* What is known of the object at va: false if va is not inside a slab object. */
struct kmem_object {
	struct kmem_cache *cache;
	const char *cache_name;
	u32 cache_id;
	void *start;
	bool live;
	u32 stack; /* who allocated (live) or freed it */
	u16 pid;
	/* Of the auditor, in kmem_for_each_live: */
	bool counted, claimed;
	u32 count;
	u16 nr_claims;
};
bool kmem_find_object(const void *va, struct kmem_object *object);

/* NULL, or the invariant broken. */
const char *kmem_check(void);

/*
 * Auditor's part (world stopped). claim: 0, or the verdict this claim deserves (OBJSTALE); *first: it was not claimed
 * before. kmem_claims_of: the scratch of a live object, which is the number of its claims until the auditor has other use.
 */
void kmem_claims(struct claims *claims); /* the slabs' pages */
void kmem_claims_reset(bool numbers);    /* without the numbers: only who was claimed is forgotten */
enum verdict kmem_claim(const void *obj, bool *first);
u16 *kmem_claims_of(const void *obj);
void kmem_for_each_live(void (*visit)(const struct kmem_object *object, void *arg), void *arg);

#endif
