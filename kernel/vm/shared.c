/* SPDX-License-Identifier: MIT */
/*
 * Shared anonymous memory: the object behind a mapping that parent and child see alike (mmap: MAP_SHARED with
 * MAP_ANONYMOUS). A page belongs to the object from the first touch in any mapping, so it does not matter who touches it
 * first, or whether that is before the fork or after.
 *
 * SHM-1  the object is counted by the VMAs that map it, one reference VMA each, and goes with the last of them.
 * SHM-2  a page in its tree has one SHARE reference (object's id, index), besides the PTE references of its leaves.
 * SHM-3  at a quiescent point each page of the tree lies in some VMA: what the last VMA gives up is freed at once.
 *
 * Nothing of it is on a disk, so there is nothing that reclaim could take.
 *
 * Locks: `mmlist` for the list of all and the ids; the set's lock for count and tree.
 */
#include "addrspace_priv.h"
#include <kernel/radix.h>
#include <kernel/slab.h>

#define SHARED_MAX 4096 /* objects: there is always an id, and the search for it ends soon */

struct shared {             /* slab cache "shared"; holder (id, 0) */
	struct vma_set set; /* its lock guards count and tree as well */
	struct radix tree;
	u32 count; /* VMAs */
	u16 id;
	struct list all; /* shared_lock */
};

struct list shared_all = LIST_INIT(shared_all);
static struct spinlock shared_lock = SPINLOCK_INIT_NAMED(mmlist, "shared");
static u16 last_id;
static u32 nr_shared; /* shared_lock */
static struct kmem_cache *shared_cache, *node_cache;

static struct radix_node *node_alloc(u32 flags)
{
	return kmem_cache_alloc(node_cache, HOLDER_NONE, flags);
}
static void node_free(struct radix_node *node)
{
	kmem_cache_free(node_cache, node, HOLDER_NONE);
}
static const struct radix_ops node_ops = {.alloc_node = node_alloc, .free_node = node_free};

static u32 shared_count(const void *obj)
{
	return ((const struct shared *)obj)->count;
}

void shared_init(void)
{
	shared_cache = kmem_cache_create("shared", sizeof(struct shared));
	kmem_cache_set_counted(shared_cache, shared_count);
	node_cache = kmem_cache_create("shared_node", sizeof(struct radix_node));
}

static struct holder share_holder(const struct shared *shared, u32 index)
{
	return HOLDER(shared->id, index);
}

/* ---- the object ---- */

static bool id_in_use(u16 id)
{
	LIST_FOR_EACH (pos, &shared_all)
		if (LIST_ENTRY(pos, struct shared, all)->id == id)
			return true;
	return false;
}

/* Gives it its id. False: there are as many as may be. */
static bool shared_publish(struct shared *shared)
{
	bool room;

	spin_lock(&shared_lock);
	room = nr_shared < SHARED_MAX;
	if (room) {
		do {
			last_id = last_id == 0xffff ? 1 : last_id + 1;
		} while (id_in_use(last_id));
		shared->id = last_id;
		list_push_back(&shared_all, &shared->all);
		nr_shared++;
	}
	spin_unlock(&shared_lock);
	return room;
}

static struct shared *shared_create(void)
{
	struct shared *shared = kmem_cache_alloc(shared_cache, HOLDER_NONE, 0);

	if (!shared)
		return NULL;
	vma_set_init(&shared->set);
	radix_init(&shared->tree, &node_ops);
	if (!shared_publish(shared)) {
		kmem_cache_free(shared_cache, shared, HOLDER_NONE);
		return NULL;
	}
	return shared;
}

static void shared_free(struct shared *shared)
{
	if (shared->tree.root)
		panic("shared memory %u is freed with pages in it", shared->id);
	spin_lock(&shared_lock);
	list_remove(&shared->all);
	nr_shared--;
	spin_unlock(&shared_lock);
	kmem_cache_free(shared_cache, shared, HOLDER_NONE);
}

/* ---- pages ---- */

/*
 * The page at index, which is `fresh` if there was none, with a PTE reference; NULL: no memory for its place, or the page
 * has all the references it may have.
 */
static struct page *find_or_insert(struct shared *shared, u32 index, struct page *fresh,
				   struct radix_node **stock, struct holder holder)
{
	struct page *page;

	spin_lock(&shared->set.lock);
	page = radix_lookup(&shared->tree, index);
	if (!page && fresh && radix_insert(&shared->tree, index, fresh, stock) == 0)
		page = fresh;
	if (page && !page_try_get(page, REF_PTE, holder))
		page = NULL;
	spin_unlock(&shared->set.lock);
	return page;
}

/* With all that reclaim can give, for up to the nodes that one insertion may need (radix.h). */
static struct page *insert_reclaiming(struct shared *shared, u32 index, struct page *fresh,
				      struct holder holder)
{
	struct radix_node *stock = NULL;
	struct page *page = NULL;

	for (u32 i = 0; !page && i <= RADIX_NODES_MAX; i++) {
		page = find_or_insert(shared, index, fresh, &stock, holder);
		if (!page && !radix_stock_add(&shared->tree, &stock, 0))
			break;
	}
	radix_stock_free(&shared->tree, stock);
	return page;
}

static struct page *shared_fault(struct vma *vma, u32 index, struct holder holder, int *err)
{
	struct shared *shared = vma->file;
	struct page *page = find_or_insert(shared, index, NULL, NULL, holder), *fresh;

	if (page)
		return page;
	*err = -ENOMEM;
	fresh = page_alloc(0, PK_ANON, REF_SHARE, share_holder(shared, index), ALLOC_ZEROED);
	if (!fresh)
		return NULL;
	page = insert_reclaiming(shared, index, fresh, holder);
	if (page != fresh) /* another process was faster, or there is no node */
		page_put(fresh, REF_SHARE, share_holder(shared, index));
	return page;
}

/* The first page of [*index, last] that no VMA has, out of the tree, and *index its place. NULL: there is none. */
static struct page *take_uncovered(struct shared *shared, u32 *index, u32 last)
{
	struct page *page;

	spin_lock(&shared->set.lock);
	while ((page = radix_next(&shared->tree, index)) && *index <= last &&
	       vma_set_covers_locked(&shared->set, *index))
		++*index;
	if (page && *index <= last)
		radix_remove(&shared->tree, *index);
	else
		page = NULL;
	spin_unlock(&shared->set.lock);
	return page;
}

static void shared_shrunk(struct vma *vma, u32 first, u32 nr)
{
	struct shared *shared = vma->file;
	struct page *page;

	for (u32 index = first; (page = take_uncovered(shared, &index, first + nr - 1));)
		page_put(page, REF_SHARE, share_holder(shared, index));
}

/* ---- as a VMA's object ---- */

static void shared_open(struct vma *vma)
{
	struct shared *shared = vma->file;
	u32 stack = kmem_ref_stack();

	spin_lock(&shared->set.lock);
	kmem_record_ref(EV_obj_get, shared, REF_VMA, vma_holder(vma), stack, shared->count++);
	spin_unlock(&shared->set.lock);
}

static void shared_close(struct vma *vma)
{
	struct shared *shared = vma->file;
	u32 stack = kmem_ref_stack();
	bool last;

	spin_lock(&shared->set.lock);
	kmem_record_ref(EV_obj_put, shared, REF_VMA, vma_holder(vma), stack, shared->count);
	last = --shared->count == 0;
	spin_unlock(&shared->set.lock);
	if (last)
		shared_free(shared);
}

static struct vma_set *shared_set(struct vma *vma)
{
	return &((struct shared *)vma->file)->set;
}

static void claim_node(struct radix_node *node, void *claims)
{
	claim_object(claims, node);
}

static void shared_vma_claims(struct vma *vma, struct claims *claims)
{
	const struct shared *shared = vma->file;
	struct page *page;

	if (!claim_ref(claims, shared, REF_VMA, vma_holder(vma)))
		return;
	radix_for_each_node(&shared->tree, claim_node, claims);
	for (u32 index = 0; (page = radix_next(&shared->tree, &index)); index++)
		claim_page(claims, page, REF_SHARE, share_holder(shared, index));
}

static const struct vma_ops shared_vma_ops = {
    .fault = shared_fault,
    .open = shared_open,
    .shrunk = shared_shrunk,
    .close = shared_close,
    .set = shared_set,
    .claims = shared_vma_claims,
};

int mm_map_shared(struct mm *mm, uaddr_t start, uaddr_t end, u32 flags)
{
	struct shared *shared = shared_create();
	int err;

	if (!shared)
		return -ENOMEM;
	err = mm_map(mm, start, end, flags | VMA_SHARED, &shared_vma_ops, shared, 0);
	if (err)
		shared_free(shared);
	return err;
}
