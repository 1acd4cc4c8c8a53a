/* SPDX-License-Identifier: MIT */
/*
 * Page faults: what an access to a user address makes of the table.
 *
 * A leaf is in one of these states:
 *
 *   none                    -> on demand: a zeroed page, or the object's page
 *   writable                   the page has this one PTE reference (private) or the mapping is shared
 *   read-only, COW          -> on write: a copy; or, for an ANON page with no other holder, the page itself
 *   read-only, SHARED       -> on write: writable, and reported dirty to the object. Write-back makes it read-only again
 *   read-only                  the VMA does not allow writing
 *
 * The mm is the caller's own, or not yet anybody's, so nothing changes its table meanwhile, even across a
 * sleep, except for leaves of a VMA that is in a set: those may lose rights, or go, whenever the set's lock is free. So
 * there a leaf is made or replaced under the lock, after another look, and a page that is used outside it is held by a
 * FAULT reference. Whoever finds that the leaf has changed has nothing to do: the access comes again.
 *
 * Another process may hold the same page: that is what the count is for. When a COW page's count is 1
 * no other holder can appear, since only this mm could give out a new reference.
 *
 * A and D are set when the leaf is made: the hardware never needs to write the table.
 */
#include "addrspace_priv.h"

pte_t leaf_bits(const struct vma *vma)
{
	pte_t bits = PTE_V | PTE_U | PTE_A;

	if (vma->flags & (VMA_READ | VMA_WRITE)) /* writable without readable is reserved */
		bits |= PTE_R;
	if (vma->flags & VMA_EXEC)
		bits |= PTE_X;
	return bits;
}

static struct holder fault_holder(const struct mm *mm, uaddr_t ua)
{
	return HOLDER(mm->pid, VPN(ua));
}

/*
 * The VMA is locked, if it is in a set. The hart is told to forget a leaf only where it led to another page. One that is
 * new, or allows more than it did, needs no flush: a hart that had kept the old answer faults once more, and mm_fault
 * flushes then.
 */
static void set_leaf(struct mm *mm, pte_t *pte, uaddr_t ua, const struct page *page, pte_t bits)
{
	pte_t old = *pte;

	*pte = PA_PTE(page_to_pa(page)) | bits;
	if (!(old & PTE_V))
		resident_add(mm, 1);
	else if (PTE_PA(old) != page_to_pa(page))
		arch_flush_tlb_page((const void *)ua);
}

static int map_anon(struct mm *mm, struct vma *vma, pte_t *pte, uaddr_t ua)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, pte_holder(mm, ua), ALLOC_ZEROED);
	pte_t bits = leaf_bits(vma);

	if (!page)
		return -ENOMEM;
	if (vma->flags & VMA_WRITE)
		bits |= PTE_W | PTE_D;
	set_leaf(mm, pte, ua, page, bits);
	return 0;
}

struct page *copy_page(struct mm *mm, uaddr_t ua, const struct page *from)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, pte_holder(mm, ua), 0);

	if (page)
		memcpy(page_to_va(page), page_to_va(from), PAGE_SIZE);
	return page;
}

/*
 * Writable first, dirty then: a write-back in between makes the leaf read-only again, and the store that we are here
 * for faults once more. The other way round the store could follow the write-back unseen.
 */
static int share_write(struct mm *mm, struct vma *vma, pte_t *pte, uaddr_t ua)
{
	struct page *page;
	int err;

	vma_lock(vma);
	if (!(*pte & PTE_V)) {
		vma_unlock(vma);
		return 0;
	}
	page = pa_to_page(PTE_PA(*pte));
	page_get(page, REF_FAULT, fault_holder(mm, ua));
	set_leaf(mm, pte, ua, page, leaf_bits(vma) | PTE_SHARED | PTE_W | PTE_D);
	vma_unlock(vma);
	err = vma->ops->dirty(vma, vma_file_index(vma, ua), page);
	if (err) {
		vma_lock(vma);
		*pte &= ~(PTE_W | PTE_D);
		vma_unlock(vma);
		arch_flush_tlb_page((const void *)ua);
	}
	page_put(page, REF_FAULT, fault_holder(mm, ua));
	return err;
}

/* What the leaf of a page of the object may do at first. */
static pte_t object_bits(const struct vma *vma, bool copied)
{
	pte_t bits = leaf_bits(vma);

	if (!(vma->flags & VMA_SHARED))
		return bits | (copied ? PTE_W | PTE_D : vma->flags & VMA_WRITE ? PTE_COW : 0);
	if ((vma->flags & VMA_WRITE) && !vma->ops->dirty)
		bits |= PTE_W | PTE_D;
	return bits | PTE_SHARED;
}

/* 0, also when the page was no longer the object's: then no leaf is made. */
static int map_object(struct mm *mm, struct vma *vma, pte_t *pte, uaddr_t ua, bool write)
{
	struct holder holder = pte_holder(mm, ua);
	bool copies = write && !(vma->flags & VMA_SHARED), mapped;
	u32 index = vma_file_index(vma, ua);
	int err = -EFAULT;
	struct page *page = vma->ops->fault(vma, index, holder, &err), *leaf = page;

	if (!page)
		return err;
	if (copies) {
		leaf = copy_page(mm, ua, page);
		if (!leaf) {
			page_put(page, REF_PTE, holder);
			return -ENOMEM;
		}
	}
	vma_lock(vma);
	mapped = !vma->ops->current || vma->ops->current(vma, index, page);
	if (mapped)
		set_leaf(mm, pte, ua, leaf, object_bits(vma, copies));
	vma_unlock(vma);
	if (copies)
		page_put(page, REF_PTE, holder);
	if (!mapped)
		page_put(leaf, REF_PTE, holder);
	else if (write && !copies && vma->ops->dirty)
		return share_write(mm, vma, pte, ua);
	return 0;
}

/* The copy instead of the page, if the leaf still has it; what is no longer used is returned. */
static void replace_leaf(struct mm *mm, struct vma *vma, pte_t *pte, uaddr_t ua, struct page *page,
			 struct page *copy)
{
	bool replaced;

	vma_lock(vma);
	replaced = (*pte & PTE_V) && pa_to_page(PTE_PA(*pte)) == page;
	if (replaced)
		set_leaf(mm, pte, ua, copy, leaf_bits(vma) | PTE_W | PTE_D);
	vma_unlock(vma);
	page_put(replaced ? page : copy, REF_PTE, pte_holder(mm, ua));
}

/* A write to a read-only leaf of a private VMA that allows writing. */
static int break_cow(struct mm *mm, struct vma *vma, pte_t *pte, uaddr_t ua)
{
	struct page *page, *copy;

	vma_lock(vma);
	page = *pte & PTE_V ? pa_to_page(PTE_PA(*pte)) : NULL;
	if (page && page->kind == PK_ANON && page_count(page) == 1) {
		set_leaf(mm, pte, ua, page, leaf_bits(vma) | PTE_W | PTE_D);
		page = NULL;
	} else if (page && vma->set) {
		page_get(page, REF_FAULT, fault_holder(mm, ua));
	}
	vma_unlock(vma);
	if (!page)
		return 0;
	copy = copy_page(mm, ua, page);
	if (copy)
		replace_leaf(mm, vma, pte, ua, page, copy);
	if (vma->set)
		page_put(page, REF_FAULT, fault_holder(mm, ua));
	return copy ? 0 : -ENOMEM;
}

/* The table allows the access, but the hart had not noticed; or A was cleared, which not every hart sets by itself. */
static void refresh_leaf(struct vma *vma, pte_t *pte, uaddr_t ua)
{
	vma_lock(vma);
	if (*pte & PTE_V)
		*pte |= PTE_A;
	vma_unlock(vma);
	arch_flush_tlb_page((const void *)ua);
}

bool mm_take_accessed(struct mm *mm, uaddr_t ua)
{
	struct vma *vma = mm_find_vma(mm, ua);
	pte_t *pte = vma ? pt_walk(mm->root, ua, mm->id, false) : NULL;
	bool accessed;

	if (!pte)
		return false;
	vma_lock(vma);
	accessed = (*pte & (PTE_V | PTE_A)) == (PTE_V | PTE_A);
	if (accessed)
		*pte &= ~PTE_A;
	vma_unlock(vma);
	if (accessed)
		arch_flush_tlb_page((const void *)ua);
	return accessed;
}

int mm_fault(struct mm *mm, uaddr_t ua, bool write, bool exec)
{
	struct vma *vma = mm_find_vma(mm, ua);
	u32 needed = write ? VMA_WRITE : exec ? VMA_EXEC : VMA_READ;
	pte_t *pte;

	/* what the VMA forbids is refused before anything is allocated */
	if (!vma || !(vma->flags & needed))
		return -EFAULT;
	ua = PAGE_ALIGN_DOWN(ua);
	pte = pt_walk(mm->root, ua, mm->id, true);
	if (!pte)
		return -ENOMEM;
	if (!(*pte & PTE_V))
		return vma->ops ? map_object(mm, vma, pte, ua, write) : map_anon(mm, vma, pte, ua);
	if (!write || (*pte & PTE_W))
		refresh_leaf(vma, pte, ua);
	else if (!(vma->flags & VMA_SHARED))
		return break_cow(mm, vma, pte, ua);
	else
		return share_write(mm, vma, pte, ua);
	return 0;
}

int mm_copy_out(struct mm *mm, uaddr_t dst, const void *src, size_t size_bytes)
{
	const u8 *from = src;

	if (dst + size_bytes < dst || dst + size_bytes > USER_TOP)
		return -EFAULT;
	while (size_bytes) {
		size_t offset = dst & (PAGE_SIZE - 1), part = MIN(size_bytes, PAGE_SIZE - offset);
		pte_t *pte = pt_walk(mm->root, dst, mm->id, false);

		if (!pte || (*pte & (PTE_V | PTE_W)) != (PTE_V | PTE_W)) {
			int err = mm_fault(mm, dst, true, false);

			if (err)
				return err;
			continue;
		}
		memcpy((u8 *)pa_to_va(PTE_PA(*pte)) + offset, from, part);
		dst += part;
		from += part;
		size_bytes -= part;
	}
	return 0;
}
