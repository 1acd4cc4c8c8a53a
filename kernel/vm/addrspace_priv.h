/* SPDX-License-Identifier: MIT */
/*
 * Address spaces, inside: what addrspace.c, vma.c, vma_tree.c, vma_set.c, fault.c, fork.c and shared.c share.
 */
#ifndef ADDRSPACE_PRIV_H
#define ADDRSPACE_PRIV_H

#include <kernel/addrspace.h>
#include <kernel/arch.h>
#include <kernel/errno.h>
#include <kernel/lib.h>

#define VPN(ua) ((u32)((ua) >> PAGE_SHIFT))
#define VMA_RIGHTS (VMA_READ | VMA_WRITE | VMA_EXEC)

static inline struct holder pte_holder(const struct mm *mm, uaddr_t ua)
{
	return HOLDER(mm->id, VPN(ua));
}

/* Page index in its file of an address in a file VMA. */
static inline u32 vma_file_index(const struct vma *vma, uaddr_t ua)
{
	return vma->file_index + VPN(ua - vma->start);
}

/* Uncounted and unlinked; NULL: no memory. */
struct vma *vma_alloc(const struct mm *mm);
void vma_free(const struct mm *mm, struct vma *vma);

/* ---- vma_tree.c ---- */

void vma_tree_init(struct mm *mm);
/* Into its place among mm->vmas, and out of it. start and end are set. */
void vma_link(struct mm *mm, struct vma *vma);
void vma_unlink(struct vma *vma);
/* A bound of the VMA moved, in the same order among the others. */
void vma_moved(struct vma *vma);
/* The first VMA that ends behind ua: it has ua in it, or lies above; NULL. */
struct vma *vma_first_behind(struct mm *mm, uaddr_t ua);
struct vma *vma_next(const struct vma *vma); /* NULL: it is the last */
const char *vma_tree_check(const struct mm *mm);

/* ---- long work: addrspace.c ---- */

/*
 * A walk over leaves that gives the hart away now and then: the visit returns what long_walk_step says, and the walk is
 * called again from `next` on, after mm_pause(), for as long as it ends with LONG_WALK_PAUSE.
 */
struct long_walk {
	uaddr_t next;
	u32 nr;
};
#define LONG_WALK_PAUSE 1
#define LONG_WALK_LEAVES 512U /* between two pauses: about a tenth of a millisecond's work */

static inline int long_walk_step(struct long_walk *walk, uaddr_t ua)
{
	walk->next = ua + PAGE_SIZE;
	return ++walk->nr % LONG_WALK_LEAVES == 0 ? LONG_WALK_PAUSE : 0;
}

/* Between two steps, without a spinlock: lets others run. 0, or -EINTR when the process was killed. */
int mm_pause(void);

/* ---- vma.c ---- */

/* Takes all leaves of [start, end), which lies in the VMA, out of the table and returns their references. */
void unmap_leaves(struct vma *vma, uaddr_t start, uaddr_t end);
/* Unmaps it whole and frees it. */
void vma_remove(struct vma *vma);

/* Around every change of a leaf in the VMA, and of its bounds. Does nothing for a VMA that is in no set. */
static inline void vma_lock(struct vma *vma)
{
	if (vma->set)
		spin_lock(&vma->set->lock);
}
static inline void vma_unlock(struct vma *vma)
{
	if (vma->set)
		spin_unlock(&vma->set->lock);
}

static inline void resident_add(struct mm *mm, s64 delta)
{
	__atomic_fetch_add(&mm->nr_resident, (u64)delta, __ATOMIC_RELAXED);
}

/* ---- fault.c ---- */

/* A private copy of `from`, with the PTE reference for ua; NULL: no memory. */
struct page *copy_page(struct mm *mm, uaddr_t ua, const struct page *from);
/* The bits of a leaf of the VMA, as far as they do not depend on its page. */
pte_t leaf_bits(const struct vma *vma);

/* ---- shared.c ---- */

void shared_init(void);

#endif
