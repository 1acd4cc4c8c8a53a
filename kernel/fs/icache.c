/* SPDX-License-Identifier: MIT */
/*
 * In-core inodes: found by (superblock, number), counted, kept a while when unused.
 *
 * States:  in use (count > 0) -> unused (on the unused list, its pages still cached) -> in use again, or
 *          evicting -> gone. An inode whose superblock keeps none, or that could not be read, goes at once.
 *
 * ICACHE-1  an inode is in the table from inode_get until it is freed; no two have the same key.
 * ICACHE-2  it is on the unused list iff count == 0 and it is not evicting.
 * ICACHE-3  an evicting inode belongs to the task that set the flag; inode_get of its number waits until it is gone,
 *           so at any time one mapping at most holds pages in the name of an inode.
 * ICACHE-4  an unused inode without links is one whose freeing on disk failed; every sync tries again.
 * ICACHE-5  a pinned inode does not leave core. Write-back pins rather than counts, so the last user's put is the last:
 *           when unlink or close returns, the blocks are free.
 *
 * ICACHE-6  what the table alone keeps has count 0, or a name on the disk: an inode without either is reached by its users or
 *           lost. A count is compared with the users found, so one that somebody forgot shows also where the table keeps it.
 *
 * Locks: `icache` for table, counts and flags; inode->lock for contents. Never both.
 */
#include "fs_priv.h"
#include <kernel/trace.h>

#define NR_BUCKETS 64
#define NR_UNUSED_MAX 256

static struct spinlock icache_lock = SPINLOCK_INIT(icache);
static struct waitqueue changed; /* icache_lock: an inode left, or lost its pins */
static struct list buckets[NR_BUCKETS];
static struct list unused = LIST_INIT(unused); /* least recently used first */
static u32 nr_unused;
static struct kmem_cache *inode_cache;

static u32 inode_count(const void *obj)
{
	return ((const struct inode *)obj)->count;
}

void icache_init(void)
{
	wait_init(&changed);
	for (u32 i = 0; i < NR_BUCKETS; i++)
		list_init(&buckets[i]);
	inode_cache = kmem_cache_create("inode", sizeof(struct inode));
	kmem_cache_set_counted(inode_cache, inode_count);
}

static struct list *bucket_of(u32 number)
{
	return &buckets[number % NR_BUCKETS];
}

static struct inode *find_locked(const struct superblock *sb, u32 number)
{
	LIST_FOR_EACH (pos, bucket_of(number)) {
		struct inode *inode = LIST_ENTRY(pos, struct inode, hash_link);

		if (inode->sb == sb && inode->number == number)
			return inode;
	}
	return NULL;
}

static struct holder call_holder(void)
{
	return HOLDER(trace_current_pid(), 0);
}

static void get_locked(struct inode *inode, enum ref_kind ref, struct holder holder, u32 stack)
{
	kmem_record_ref(EV_obj_get, inode, ref, holder, stack, inode->count++);
}

static void put_locked(struct inode *inode, enum ref_kind ref, struct holder holder, u32 stack)
{
	kmem_record_ref(EV_obj_put, inode, ref, holder, stack, inode->count--);
}

static void use_locked(struct inode *inode, u32 stack)
{
	if (inode->count == 0) {
		list_remove(&inode->unused_link);
		nr_unused--;
	}
	get_locked(inode, REF_CALL, call_holder(), stack);
}

/* Counted, or NULL. While the number's former inode leaves: waits, or -EAGAIN. */
static struct inode *find_and_use_locked(const struct superblock *sb, u32 number, bool wait, u32 stack,
					 int *err)
{
	struct inode *inode;

	*err = 0;
	while ((inode = find_locked(sb, number)) && inode->evicting) {
		if (!wait) {
			*err = -EAGAIN;
			return NULL;
		}
		wait_sleep(&changed, &icache_lock, 0);
	}
	if (inode)
		use_locked(inode, stack);
	return inode;
}

static struct inode *get(struct superblock *sb, u32 number, bool wait, u32 stack, int *err)
{
	struct inode *inode, *fresh;

	spin_lock(&icache_lock);
	inode = find_and_use_locked(sb, number, wait, stack, err);
	spin_unlock(&icache_lock);
	if (inode || *err)
		return inode;
	fresh = kmem_cache_alloc(inode_cache, HOLDER(number, 0), 0);
	if (!fresh) {
		*err = -ENOMEM;
		return NULL;
	}
	fresh->sb = sb;
	fresh->number = number;
	list_init(&fresh->unused_link);
	sleeplock_init(&fresh->lock, "inode");

	spin_lock(&icache_lock);
	inode = find_and_use_locked(sb, number, wait, stack, err);
	if (!inode && !*err) {
		list_push_back(bucket_of(number), &fresh->hash_link);
		get_locked(fresh, REF_CALL, call_holder(), stack);
		inode = fresh;
	}
	spin_unlock(&icache_lock);
	if (inode != fresh)
		kmem_cache_free(inode_cache, fresh, HOLDER(number, 0));
	return inode;
}

struct inode *inode_get(struct superblock *sb, u32 number, int *err)
{
	return get(sb, number, true, kmem_ref_stack(), err);
}

struct inode *inode_get_nowait(struct superblock *sb, u32 number, int *err)
{
	return get(sb, number, false, kmem_ref_stack(), err);
}

void icache_wait_gone(const struct superblock *sb, u32 number)
{
	const struct inode *inode;

	spin_lock(&icache_lock);
	while ((inode = find_locked(sb, number)) && inode->evicting)
		wait_sleep(&changed, &icache_lock, 0);
	spin_unlock(&icache_lock);
}

static void get_more(struct inode *inode, enum ref_kind ref, struct holder holder, u32 stack)
{
	spin_lock(&icache_lock);
	KASSERT(inode->count > 0);
	get_locked(inode, ref, holder, stack);
	spin_unlock(&icache_lock);
}

struct inode *inode_dup(struct inode *inode)
{
	get_more(inode, REF_CALL, call_holder(), kmem_ref_stack());
	return inode;
}

void inode_get_ref(struct inode *inode, enum ref_kind ref, struct holder holder)
{
	get_more(inode, ref, holder, kmem_ref_stack());
}

void inode_pass(struct inode *inode, enum ref_kind ref, struct holder holder)
{
	u32 stack = kmem_ref_stack();

	spin_lock(&icache_lock);
	KASSERT(inode->count > 0);
	get_locked(inode, ref, holder, stack);
	put_locked(inode, REF_CALL, call_holder(), stack);
	spin_unlock(&icache_lock);
}

int inode_lock(struct inode *inode)
{
	int err;

	sleeplock_acquire(&inode->lock);
	if (inode->valid)
		return 0;
	err = inode->sb->read_inode(inode);
	if (err) {
		sleeplock_release(&inode->lock);
		return err;
	}
	inode->valid = true;
	if (inode->mapping.ops)
		TRACE(inode_load, 0, 0, .inode = inode->number, .links = inode->links);
	return 0;
}

void inode_unlock(struct inode *inode)
{
	sleeplock_release(&inode->lock);
}

/* ---- leaving core ---- */

/* The inode is evicting and ours alone. */
static void inode_free(struct inode *inode)
{
	if (inode->mapping.ops) {
		pagecache_truncate(&inode->mapping, 0);
		mapping_destroy(&inode->mapping);
		TRACE(inode_evict, 0, 0, .inode = inode->number, .links = inode->links);
	}
	spin_lock(&icache_lock);
	list_remove(&inode->hash_link);
	wait_wake_all(&changed);
	spin_unlock(&icache_lock);
	kmem_cache_free(inode_cache, inode, HOLDER(inode->number, 0));
}

static int store(struct inode *inode)
{
	int err = 0;

	sleeplock_acquire(&inode->lock);
	if (inode->valid && inode->dirty && inode->sb->write_inode)
		err = inode->sb->write_inode(inode);
	sleeplock_release(&inode->lock);
	return err;
}

/* Frees an inode without links on disk. */
static int free_on_disk(struct inode *inode)
{
	int err = 0;

	sleeplock_acquire(&inode->lock);
	if (inode->ops && inode->ops->evict)
		err = inode->ops->evict(inode);
	sleeplock_release(&inode->lock);
	return err;
}

static void set_unused_locked(struct inode *inode)
{
	inode->evicting = false;
	list_push_back(&unused, &inode->unused_link);
	nr_unused++;
	wait_wake_all(&changed);
}

/* Takes an unused inode for eviction. */
static void take_unused_locked(struct inode *inode)
{
	list_remove(&inode->unused_link);
	nr_unused--;
	inode->evicting = true;
}

/* Evicting inodes get no new pins. */
static void wait_for_pins_locked(const struct inode *inode)
{
	while (inode->nr_pins)
		wait_sleep(&changed, &icache_lock, 0);
}

static bool is_deleted(const struct inode *inode)
{
	return inode->valid && inode->links == 0;
}

/* A deleted inode that is evicting: freed on disk and in core, or, if that fails, unused again. */
static bool free_deleted(struct inode *inode)
{
	if (free_on_disk(inode) == 0) {
		inode_free(inode);
		return true;
	}
	spin_lock(&icache_lock);
	set_unused_locked(inode);
	spin_unlock(&icache_lock);
	return false;
}

/* Unused, and nothing would be lost without it. */
static bool is_droppable(const struct inode *inode)
{
	return !inode->dirty && !is_deleted(inode) && !inode->mapping.nr_dirty &&
	       !inode->mapping.nr_writeback;
}

static struct inode *take_victim(const struct superblock *sb, bool (*want)(const struct inode *))
{
	struct inode *victim = NULL;

	spin_lock(&icache_lock);
	LIST_FOR_EACH (pos, &unused) {
		struct inode *inode = LIST_ENTRY(pos, struct inode, unused_link);

		if ((sb && inode->sb != sb) || inode->nr_pins || !want(inode))
			continue;
		take_unused_locked(inode);
		victim = inode;
		break;
	}
	spin_unlock(&icache_lock);
	return victim;
}

static void trim_unused(void)
{
	struct inode *victim;

	if (__atomic_load_n(&nr_unused, __ATOMIC_RELAXED) <= NR_UNUSED_MAX)
		return;
	victim = take_victim(NULL, is_droppable);
	if (victim)
		inode_free(victim);
}

static void put(struct inode *inode, enum ref_kind ref, struct holder holder, u32 stack)
{
	bool is_kept;

	spin_lock(&icache_lock);
	KASSERT(inode->count > 0);
	/* As long as the count is ours nobody else can change the inode, except through its name. */
	while (inode->count == 1 && inode->dirty && !is_deleted(inode)) {
		int err;

		spin_unlock(&icache_lock);
		err = store(inode);
		spin_lock(&icache_lock);
		if (err)
			break;
	}
	put_locked(inode, ref, holder, stack);
	if (inode->count > 0) {
		spin_unlock(&icache_lock);
		return;
	}
	is_kept = inode->valid && !is_deleted(inode) && inode->sb->keeps_inodes;
	if (is_kept) {
		set_unused_locked(inode);
	} else {
		inode->evicting = true;
		wait_for_pins_locked(inode);
	}
	spin_unlock(&icache_lock);
	if (is_kept)
		trim_unused();
	else if (is_deleted(inode))
		free_deleted(inode);
	else
		inode_free(inode);
}

void inode_put(struct inode *inode)
{
	put(inode, REF_CALL, call_holder(), kmem_ref_stack());
}

void inode_put_ref(struct inode *inode, enum ref_kind ref, struct holder holder)
{
	put(inode, ref, holder, kmem_ref_stack());
}

/* ---- all of them ---- */

static void unpin_locked(struct inode *inode)
{
	if (--inode->nr_pins == 0)
		wait_wake_all(&changed);
}

static bool needs_storing(const struct inode *inode)
{
	return inode->dirty && !is_deleted(inode) && !inode->evicting;
}

/*
 * The next inode in the table after `last` that must be stored, pinned; unpins `last`. Begins at the first with NULL.
 * Inodes that come meanwhile may be missed, the others not: `last` stays in its bucket while it is pinned.
 */
static struct inode *next_to_store(struct inode *last)
{
	struct inode *found = NULL;
	u32 bucket = last ? last->number % NR_BUCKETS : 0;
	struct list *pos;

	spin_lock(&icache_lock);
	pos = last ? last->hash_link.next : buckets[0].next;
	while (bucket < NR_BUCKETS && !found) {
		for (; pos != &buckets[bucket] && !found; pos = pos->next) {
			struct inode *inode = LIST_ENTRY(pos, struct inode, hash_link);

			if (needs_storing(inode)) {
				inode->nr_pins++;
				found = inode;
			}
		}
		if (++bucket < NR_BUCKETS)
			pos = buckets[bucket].next;
	}
	if (last)
		unpin_locked(last);
	spin_unlock(&icache_lock);
	return found;
}

int icache_write_dirty(void)
{
	int first_err = 0;

	for (struct inode *inode = NULL; (inode = next_to_store(inode));) {
		int err = store(inode);

		if (err && !first_err)
			first_err = err;
	}
	return first_err;
}

static bool is_left_over(const struct inode *inode)
{
	return is_deleted(inode);
}
static bool is_any(const struct inode *inode)
{
	return true;
}

u32 upcall_shrink_inodes(void)
{
	struct inode *inode;
	u32 dropped = 0;

	for (; (inode = take_victim(NULL, is_droppable)); dropped++)
		inode_free(inode);
	return dropped;
}

void icache_free_left_over(void)
{
	struct inode *inode;

	while ((inode = take_victim(NULL, is_left_over)))
		if (!free_deleted(inode))
			break;
}

void upcall_store_inodes(void)
{
	icache_free_left_over();
	icache_write_dirty();
}

void icache_drop(struct superblock *sb)
{
	struct inode *inode;

	icache_free_left_over();
	while ((inode = take_victim(sb, is_any))) {
		if (store(inode) || (inode->mapping.ops && pagecache_sync(&inode->mapping)))
			kprintf("fs: inode %u leaves core unwritten\n", inode->number);
		inode_free(inode);
	}
}

u32 icache_nr_deleted(const struct superblock *sb)
{
	u32 nr = 0;

	spin_lock(&icache_lock);
	for (u32 i = 0; i < NR_BUCKETS; i++)
		LIST_FOR_EACH (pos, &buckets[i]) {
			const struct inode *inode = LIST_ENTRY(pos, struct inode, hash_link);

			nr += inode->sb == sb && is_deleted(inode);
		}
	spin_unlock(&icache_lock);
	return nr;
}

u32 icache_nr_used(const struct superblock *sb)
{
	u32 used = 0;

	spin_lock(&icache_lock);
	for (u32 i = 0; i < NR_BUCKETS; i++)
		LIST_FOR_EACH (pos, &buckets[i]) {
			struct inode *inode = LIST_ENTRY(pos, struct inode, hash_link);

			used += inode->sb == sb && (inode->count > 0 || inode->evicting);
		}
	spin_unlock(&icache_lock);
	return used;
}

static void claim_pages(struct claims *claims, const struct inode *inode)
{
	if (inode->mapping.ops)
		mapping_claim(claims, &inode->mapping);
}

void inode_claim(struct claims *claims, struct inode *inode, enum ref_kind ref, struct holder holder)
{
	if (claim_ref(claims, inode, ref, holder))
		claim_pages(claims, inode);
}

static bool is_kept_by_table(const struct inode *inode)
{
	return inode->count == 0 || (inode->valid && inode->links > 0 && inode->sb->keeps_inodes);
}

void icache_claims(struct claims *claims)
{
	for (u32 i = 0; i < NR_BUCKETS; i++)
		LIST_FOR_EACH (pos, &buckets[i]) {
			const struct inode *inode = LIST_ENTRY(pos, struct inode, hash_link);

			if ((is_kept_by_table(inode) || !claims_final(claims)) && claim_object(claims, inode))
				claim_pages(claims, inode);
		}
}

/* ---- check ---- */

static char check_text[96];
#define BROKEN(...) (ksnprintf(check_text, sizeof(check_text), __VA_ARGS__), check_text)

static const char *check_inode(const struct inode *inode)
{
	bool waits = !list_empty(&inode->unused_link);

	if (find_locked(inode->sb, inode->number) != inode)
		return BROKEN("ICACHE-1: inode %u of %s is in the table twice", inode->number,
			      inode->sb->type);
	if (waits != (inode->count == 0 && !inode->evicting))
		return BROKEN("ICACHE-2: inode %u has count %u, evicting %u, on the unused list %u",
			      inode->number, inode->count, inode->evicting, waits);
	if (inode->nr_pins)
		return BROKEN("ICACHE-5: inode %u has %u pins, and nobody is at work", inode->number,
			      inode->nr_pins);
	return NULL;
}

const char *icache_check(void)
{
	for (u32 i = 0; i < NR_BUCKETS; i++)
		LIST_FOR_EACH (pos, &buckets[i]) {
			const char *broken = check_inode(LIST_ENTRY(pos, struct inode, hash_link));

			if (broken)
				return broken;
		}
	return NULL;
}
