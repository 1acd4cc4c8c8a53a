/*
 * Address spaces, inside: what addrspace.c, vma.c, fault.c and fork.c share.
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
/* Takes all leaves of [start, end) out of the table and returns their references. vma: where they lie, or
 * NULL. */
void unmap_leaves(struct mm *mm, struct vma *vma, uaddr_t start, uaddr_t end);

#endif
