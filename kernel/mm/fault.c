/*
 * Page faults: what an access to a user address makes of the table.
 *
 * A leaf is in one of these states:
 *
 *   none                    -> on demand: a zeroed page, or the file's page
 *   writable                   the page has this one PTE reference (private) or the mapping is shared
 *   read-only, COW          -> on write: a copy; or, for an ANON page with no other holder, the page itself
 *   read-only, SHARED       -> on the first write: reported dirty to the file, then writable
 *   read-only                  the VMA does not allow writing
 *
 * The mm is the caller's own, or not yet anybody's, so nothing changes its table meanwhile, even across a
 * sleep. Another process may hold the same page: that is what the count is for. When a COW page's count is 1
 * no other holder can appear, since only this mm could give out a new reference.
 *
 * A and D are set when the leaf is made: the hardware never needs to write the table.
 */
#include "addrspace_priv.h"

static pte_t leaf_bits(const struct vma *vma)
{
	pte_t bits = PTE_V | PTE_U | PTE_A;

	if (vma->flags & (VMA_READ | VMA_WRITE)) /* writable without readable is reserved */
		bits |= PTE_R;
	if (vma->flags & VMA_EXEC)
		bits |= PTE_X;
	return bits;
}

/*
 * The hart is told to forget a leaf only where it led to another page. One that is new, or allows more than it did,
 * needs no flush: a hart that had kept the old answer faults once more, and mm_fault flushes then.
 */
static void set_leaf(struct mm *mm, pte_t *pte, uaddr_t ua, const struct page *page, pte_t bits)
{
	pte_t old = *pte;

	*pte = PA_PTE(page_to_pa(page)) | bits;
	if (!(old & PTE_V))
		mm->nr_resident++;
	else if (PTE_PA(old) != page_to_pa(page))
		arch_flush_tlb_page((const void *)ua);
}

static int map_anon(struct mm *mm, struct vma *vma, pte_t *pte, uaddr_t ua)
{
	struct page *page = page_alloc_zeroed(PK_ANON, REF_PTE, pte_holder(mm, ua));
	pte_t bits = leaf_bits(vma);

	if (!page)
		return -ENOMEM;
	if (vma->flags & VMA_WRITE)
		bits |= PTE_W | PTE_D;
	set_leaf(mm, pte, ua, page, bits);
	return 0;
}

/* A private copy of `from`, with the PTE reference for ua; NULL: no memory. */
static struct page *copy_page(struct mm *mm, uaddr_t ua, const struct page *from)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, pte_holder(mm, ua));

	if (page)
		memcpy(page_to_va(page), page_to_va(from), PAGE_SIZE);
	return page;
}

static int map_file(struct mm *mm, struct vma *vma, pte_t *pte, uaddr_t ua, bool write)
{
	pte_t bits = leaf_bits(vma);
	u32 index = vma_file_index(vma, ua);
	int err = -EFAULT;
	struct page *page = vma->ops->fault(vma, index, pte_holder(mm, ua), &err);

	if (!page)
		return err;
	if (vma->flags & VMA_SHARED) {
		bits |= PTE_SHARED;
		if (write) {
			vma->ops->dirty(vma, index, page);
			bits |= PTE_W | PTE_D;
		}
	} else if (write) {
		struct page *copy = copy_page(mm, ua, page);

		page_put(page, REF_PTE, pte_holder(mm, ua));
		if (!copy)
			return -ENOMEM;
		page = copy;
		bits |= PTE_W | PTE_D;
	} else if (vma->flags & VMA_WRITE) {
		bits |= PTE_COW;
	}
	set_leaf(mm, pte, ua, page, bits);
	return 0;
}

/* A write to a read-only leaf of a VMA that allows writing. */
static int break_cow(struct mm *mm, struct vma *vma, pte_t *pte, uaddr_t ua)
{
	struct page *page = pa_to_page(PTE_PA(*pte)), *copy;
	pte_t bits = leaf_bits(vma) | PTE_W | PTE_D;

	if (vma->flags & VMA_SHARED) {
		if (vma->ops)
			vma->ops->dirty(vma, vma_file_index(vma, ua), page);
		set_leaf(mm, pte, ua, page, bits | PTE_SHARED);
		return 0;
	}
	if (page->kind == PK_ANON && page_count(page) == 1) {
		set_leaf(mm, pte, ua, page, bits);
		return 0;
	}
	copy = copy_page(mm, ua, page);
	if (!copy)
		return -ENOMEM;
	set_leaf(mm, pte, ua, copy, bits);
	page_put(page, REF_PTE, pte_holder(mm, ua));
	return 0;
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
		return vma->ops ? map_file(mm, vma, pte, ua, write) : map_anon(mm, vma, pte, ua);
	if (write && !(*pte & PTE_W))
		return break_cow(mm, vma, pte, ua);
	*pte |= PTE_A; /* xv6 programs may clear it, and not every hart sets it by itself */
	arch_flush_tlb_page((const void *)ua); /* the table allows it; the hart had not noticed */
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
