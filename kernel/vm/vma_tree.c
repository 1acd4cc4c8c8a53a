/* SPDX-License-Identifier: MIT */
/*
 * The VMAs of an address space in order: by a list, to go from one to the next, and by a balanced tree, to find one.
 *
 * Problem: a program may have tens of thousands of mappings, and every fault, mmap and fork looks one up. By the list
 * alone n mappings cost n * n steps: a fork of 16,000 took seconds, in the kernel, which is not preempted.
 *
 * Idea: the same VMAs hang in a tree, by start. Each knows the largest gap below any VMA of its subtree, so that the
 * search for free addresses goes straight to the highest gap that is large enough:
 *
 *      [A]..gap 8..[B]gap 1[C]....gap 20....[D]          tree:    C   largest 20
 *                                                               /   \
 *      wanted 15: at C the right side has 20: D                A     D  20
 *      wanted 25: C has 20, so there is none                    \
 *                                                                B  8
 *
 * A gap is clipped to what mmap may give out, [PAGE_SIZE, USER_MMAP_TOP).
 *
 * VMA-1  a VMA is on the list iff it is in the tree, and both have them in the order of their starts.
 * VMA-2  vma->largest_gap is the largest of the gaps directly below the VMAs of its subtree.
 *
 * The gap of a VMA depends on the end of the one before. So whoever moves a bound calls vma_moved.
 */
#include "addrspace_priv.h"

static struct vma *vma_of(struct tree_node *node)
{
	return node ? CONTAINER_OF(node, struct vma, node) : NULL;
}

static struct vma *prev_of(const struct vma *vma)
{
	return vma->link.prev == &vma->mm->vmas ? NULL : LIST_ENTRY(vma->link.prev, struct vma, link);
}

static struct vma *next_of(const struct vma *vma)
{
	return vma->link.next == &vma->mm->vmas ? NULL : LIST_ENTRY(vma->link.next, struct vma, link);
}

/* Bytes that mmap could give out directly below the VMA. */
static u64 gap_below(const struct vma *vma)
{
	const struct vma *prev = prev_of(vma);
	uaddr_t from = MIN(prev ? prev->end : PAGE_SIZE, USER_MMAP_TOP), to = MIN(vma->start, USER_MMAP_TOP);

	return to > from ? to - from : 0;
}

static u64 largest_gap_of(struct tree_node *node)
{
	return node ? vma_of(node)->largest_gap : 0;
}

static u64 largest_gap_at(const struct vma *vma)
{
	return MAX(gap_below(vma), MAX(largest_gap_of(vma->node.left), largest_gap_of(vma->node.right)));
}

static bool update(struct tree_node *node)
{
	struct vma *vma = vma_of(node);
	u64 before = vma->largest_gap;

	vma->largest_gap = largest_gap_at(vma);
	return vma->largest_gap != before;
}

void vma_tree_init(struct mm *mm)
{
	list_init(&mm->vmas);
	tree_init(&mm->tree, update);
}

void vma_moved(struct vma *vma)
{
	struct vma *next = next_of(vma);

	tree_renew(&vma->mm->tree, &vma->node);
	if (next)
		tree_renew(&vma->mm->tree, &next->node);
}

void vma_link(struct mm *mm, struct vma *vma)
{
	struct tree_node *parent = NULL, **place = &mm->tree.root;
	struct vma *last = list_empty(&mm->vmas) ? NULL : LIST_ENTRY(mm->vmas.prev, struct vma, link), *prev;

	if (last && last->start < vma->start) { /* as fork adds them: no search */
		parent = &last->node;
		place = &parent->right;
		prev = last;
	} else {
		prev = NULL;
		while (*place) {
			parent = *place;
			if (vma->start < vma_of(parent)->start) {
				place = &parent->left;
			} else {
				prev = vma_of(parent);
				place = &parent->right;
			}
		}
	}
	list_insert_after(prev ? &prev->link : &mm->vmas, &vma->link);
	mm->nr_vmas++;
	vma->largest_gap = 0;
	tree_link(&mm->tree, &vma->node, parent, place);
	vma_moved(vma);
}

void vma_unlink(struct vma *vma)
{
	struct mm *mm = vma->mm;
	struct vma *next = next_of(vma);

	tree_remove(&mm->tree, &vma->node);
	list_remove(&vma->link);
	mm->nr_vmas--;
	if (next)
		tree_renew(&mm->tree, &next->node);
}

struct vma *vma_first_behind(struct mm *mm, uaddr_t ua)
{
	struct vma *found = NULL;

	for (struct tree_node *node = mm->tree.root; node;) {
		if (vma_of(node)->end > ua) {
			found = vma_of(node);
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return found;
}

struct vma *vma_next(const struct vma *vma)
{
	return next_of(vma);
}

struct vma *mm_find_vma(struct mm *mm, uaddr_t ua)
{
	struct vma *vma = vma_first_behind(mm, ua);

	return vma && vma->start <= ua ? vma : NULL;
}

/* The highest VMA with a gap of that size below it. There is one. */
static struct vma *find_gap_below(struct tree_node *node, u64 size_bytes)
{
	for (;;) {
		if (largest_gap_of(node->right) >= size_bytes)
			node = node->right;
		else if (gap_below(vma_of(node)) >= size_bytes)
			return vma_of(node);
		else
			node = node->left;
	}
}

uaddr_t mm_find_gap(struct mm *mm, u64 size_bytes)
{
	const struct vma *last = list_empty(&mm->vmas) ? NULL : LIST_ENTRY(mm->vmas.prev, struct vma, link);
	uaddr_t last_end =
	    last ? last->end : PAGE_SIZE; /* page 0 is never given out: a null pointer must fault */

	size_bytes = PAGE_ALIGN_UP(size_bytes);
	if (size_bytes == 0 || size_bytes > USER_MMAP_TOP)
		return 0;
	if (last_end < USER_MMAP_TOP && USER_MMAP_TOP - last_end >= size_bytes)
		return USER_MMAP_TOP - size_bytes;
	if (largest_gap_of(mm->tree.root) < size_bytes)
		return 0;
	return MIN(find_gap_below(mm->tree.root, size_bytes)->start, USER_MMAP_TOP) - size_bytes;
}

const char *vma_tree_check(const struct mm *mm)
{
	const char *broken = tree_check(&mm->tree);
	u32 nr = 0;

	if (broken)
		return broken;
	LIST_FOR_EACH (pos, &mm->vmas) {
		struct vma *vma = LIST_ENTRY(pos, struct vma, link);

		if (mm_find_vma((struct mm *)mm, vma->start) != vma)
			return "VMA-1: a VMA is not found by its start";
		if (vma->largest_gap != largest_gap_at(vma))
			return "VMA-2: a largest gap is wrong";
		nr++;
	}
	return nr == mm->nr_vmas ? NULL : "VMA-1: VMAs are counted wrongly";
}
