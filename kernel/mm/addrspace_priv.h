/*
 * Address spaces, inside: what addrspace.c, vma.c, vma_set.c, fault.c, fork.c and shared.c share.
 */
#ifndef ADDRSPACE_PRIV_H
#define ADDRSPACE_PRIV_H

#include <kernel/addrspace.h>
#include <kernel/arch.h>
#include <kernel/errno.h>

#include "mm_priv.h"

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
/* In its place among mm->vmas. */
void vma_link(struct mm *mm, struct vma *vma);
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

/* ---- shared.c ---- */

void shared_init(void);
void shared_claims(struct claims *claims);

#endif
