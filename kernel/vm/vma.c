/* SPDX-License-Identifier: MIT */
/*
 * VMAs: mapping, unmapping and the heap. How one is found is in vma_tree.c.
 *
 * Everything that may fail comes first: a split allocates its second half before a single page is unmapped,
 * so a call that returns an error has changed nothing.
 *
 * The heap lies in VMAs of its own (VMA_HEAP) from heap_start to the page above heap_end: in one, if the program did not
 * unmap a part of it, and in none when it is empty. It grows behind heap_end, whatever is missing below.
 */
#include "addrspace_priv.h"

static bool overlaps(struct mm *mm, uaddr_t start, uaddr_t end)
{
	const struct vma *vma = vma_first_behind(mm, start);

	return vma && vma->start < end;
}

/* The VMA as one more user of its object. It is not yet, or by the caller's lock, to be seen in its set. */
static void vma_open(struct vma *vma)
{
	vma->ops->open(vma);
	vma->set = vma->ops->set(vma);
}

int mm_map(struct mm *mm, uaddr_t start, uaddr_t end, u32 flags, const struct vma_ops *ops, void *file,
	   u32 file_index)
{
	struct vma *vma;

	if (start >= end || end > USER_TOP || ((start | end) & (PAGE_SIZE - 1)))
		return -EINVAL;
	if (overlaps(mm, start, end))
		return -EEXIST;
	vma = vma_alloc(mm);
	if (!vma)
		return -ENOMEM;
	vma->mm = mm;
	vma->start = start;
	vma->end = end;
	vma->flags = flags;
	vma->ops = ops;
	vma->file = file;
	vma->file_index = file_index;
	vma_link(mm, vma);
	if (ops) {
		vma_open(vma);
		vma_lock(vma);
		list_push_back(&vma->set->vmas, &vma->set_link);
		vma_unlock(vma);
	}
	return 0;
}

/* ---- unmapping ---- */

struct unmap {
	struct vma *vma;
	struct long_walk walk;
};

static int unmap_leaf(pte_t *pte, uaddr_t ua, void *arg)
{
	struct unmap *unmap = arg;
	struct vma *vma = unmap->vma;
	pte_t old;

	vma_lock(vma);
	old = *pte;
	*pte = 0;
	vma_unlock(vma);
	if (old & PTE_V) { /* else truncation was here first */
		resident_add(vma->mm, -1);
		page_put(pa_to_page(PTE_PA(old)), REF_PTE, pte_holder(vma->mm, ua));
	}
	return long_walk_step(&unmap->walk, ua);
}

/*
 * One flush for all: the mm is the caller's own, so nothing uses its addresses before this returns. An mm that is not
 * this hart's active one needs none, as the switch to it flushes.
 */
void unmap_leaves(struct vma *vma, uaddr_t start, uaddr_t end)
{
	struct unmap unmap = {vma, {.next = start}};

	while (pt_for_each_leaf(vma->mm->root, unmap.walk.next, end, unmap_leaf, &unmap) == LONG_WALK_PAUSE)
		(void)mm_pause(); /* also of a killed process: what it has must be returned */
	if (arch_active_root(hart_index()) == page_to_pa(vma->mm->root))
		arch_flush_tlb_all();
}

/* The upper part [at, end) of vma as `upper`, which is linked; vma keeps [start, below). */
static void vma_split(struct vma *vma, struct vma *upper, uaddr_t below, uaddr_t at)
{
	*upper = *vma;
	if (vma->ops)
		vma_open(upper);
	vma_lock(vma);
	upper->start = at;
	upper->file_index = vma_file_index(vma, at);
	vma->end = below;
	if (vma->set)
		list_insert_after(&vma->set_link, &upper->set_link);
	vma_unlock(vma);
	vma_link(vma->mm, upper);
}

static void vma_set_bounds(struct vma *vma, uaddr_t start, uaddr_t end)
{
	vma_lock(vma);
	vma->file_index = vma_file_index(vma, start);
	vma->start = start;
	vma->end = end;
	vma_unlock(vma);
	vma_moved(vma);
}

static void vma_shrunk(struct vma *vma, u32 first, uaddr_t start, uaddr_t end)
{
	if (vma->ops && vma->ops->shrunk)
		vma->ops->shrunk(vma, first, VPN(end - start));
}

void vma_remove(struct vma *vma)
{
	struct mm *mm = vma->mm;

	unmap_leaves(vma, vma->start, vma->end);
	vma_unlink(vma);
	if (vma->ops) {
		vma_lock(vma);
		list_remove(&vma->set_link);
		vma_unlock(vma);
		vma_shrunk(vma, vma->file_index, vma->start, vma->end);
		vma->ops->close(vma);
	}
	vma_free(mm, vma);
}

/* Cuts [start, end) out of the VMA. A range strictly inside needs `spare`, and takes it. */
static void vma_cut(struct vma *vma, uaddr_t start, uaddr_t end, struct vma **spare)
{
	u32 first;

	start = MAX(start, vma->start);
	end = MIN(end, vma->end);
	if (start == vma->start && end == vma->end) {
		vma_remove(vma);
		return;
	}
	first = vma_file_index(vma, start);
	unmap_leaves(vma, start, end);
	if (start > vma->start && end < vma->end) {
		vma_split(vma, *spare, start, end);
		*spare = NULL;
	} else if (start > vma->start) {
		vma_set_bounds(vma, vma->start, start);
	} else {
		vma_set_bounds(vma, end, vma->end);
	}
	vma_shrunk(vma, first, start, end);
}

int mm_unmap(struct mm *mm, uaddr_t start, uaddr_t end)
{
	struct vma *first, *spare = NULL;

	if (start >= end || end > USER_TOP || ((start | end) & (PAGE_SIZE - 1)))
		return -EINVAL;
	first = mm_find_vma(mm, start);
	if (first && first->start < start && first->end > end) {
		spare = vma_alloc(mm);
		if (!spare)
			return -ENOMEM;
	}
	for (struct vma *vma = vma_first_behind(mm, start), *next; vma && vma->start < end; vma = next) {
		next = vma_next(vma);
		vma_cut(vma, start, end, &spare);
		(void)mm_pause();
	}
	return 0;
}

/* ---- the heap ---- */

static int heap_grow(struct mm *mm, uaddr_t top, uaddr_t new_top)
{
	struct vma *vma = mm_find_vma(mm, top - 1);

	if (overlaps(mm, top, new_top))
		return -ENOMEM;
	if (!vma || !(vma->flags & VMA_HEAP))
		return mm_map(mm, top, new_top, VMA_READ | VMA_WRITE | VMA_HEAP, NULL, NULL, 0);
	vma->end = new_top;
	vma_moved(vma);
	return 0;
}

int mm_populate(struct mm *mm, uaddr_t start, uaddr_t end)
{
	for (uaddr_t ua = start; ua < end; ua += PAGE_SIZE) {
		int err = mm_fault(mm, ua, true, false);

		if (!err)
			err = mm_pause();
		if (err)
			return err;
	}
	return 0;
}

s64 mm_sbrk(struct mm *mm, s64 delta, bool lazy)
{
	uaddr_t old_end = mm->heap_end, new_end = old_end + (u64)delta;
	uaddr_t old_top = PAGE_ALIGN_UP(old_end), new_top = PAGE_ALIGN_UP(new_end);
	int err = 0;

	if (delta == 0)
		return (s64)old_end;
	if (delta > 0 ? (new_end < old_end || new_end > mm->heap_limit)
		      : (new_end > old_end || new_end < mm->heap_start))
		return -ENOMEM;
	/* more than there is in the whole machine: do not evict everything only to find out */
	if (!lazy && delta > 0 && (new_top - old_top) >> PAGE_SHIFT > nr_pages)
		return -ENOMEM;
	if (new_top > old_top)
		err = heap_grow(mm, old_top, new_top);
	else if (new_top < old_top)
		err = mm_unmap(mm, new_top, old_top);
	if (!err && !lazy && new_top > old_top) {
		err = mm_populate(mm, old_top, new_top);
		if (err)
			mm_unmap(mm, old_top, new_top); /* the end of a VMA: needs no memory */
	}
	if (err)
		return err;
	mm->heap_end = new_end;
	return (s64)old_end;
}
