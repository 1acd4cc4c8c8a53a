/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: making, dropping, claiming and checking them (interface and MM-1 to MM-3: addrspace.h).
 *
 * An mm is on mm_all from the moment it has an id until nothing holds a page in its name. Ids go round
 * through 1 .. 65535, so that one is not used again for as long as possible.
 *
 * Locks: `mmlist` for mm_all and the ids. Of an mm itself: see addrspace.h.
 */
#include "addrspace_priv.h"
#include <kernel/audit.h>
#include <kernel/slab.h>

struct list mm_all = LIST_INIT(mm_all);
static struct spinlock mm_list_lock = SPINLOCK_INIT(mmlist);
static u16 last_id;
static struct kmem_cache *mm_cache, *vma_cache;
static int (*pause_hook)(void);

void addrspace_init(void)
{
	mm_cache = kmem_cache_create("mm", sizeof(struct mm));
	vma_cache = kmem_cache_create("vma", sizeof(struct vma));
	shared_init();
	audit_register("mm", CLAIMS_OF_PROGRAMS, mm_claims);
	audit_register_check("mm", mm_check_all);
}

static void record_mm(enum trace_event event, const struct mm *mm)
{
	union trace_payload payload = {.ev_payload_mm_create = {.pid = mm->pid, .mm = mm->id}};

	if (trace_on(TRACE_CATEGORY_TASK))
		trace_record(event, 0, 0, true, &payload);
}

static bool id_in_use(u16 id)
{
	LIST_FOR_EACH (pos, &mm_all)
		if (LIST_ENTRY(pos, struct mm, all)->id == id)
			return true;
	return false;
}

static void mm_publish(struct mm *mm)
{
	spin_lock(&mm_list_lock);
	do {
		last_id = last_id == 0xffff ? 1 : last_id + 1;
	} while (id_in_use(last_id));
	mm->id = last_id;
	list_push_back(&mm_all, &mm->all);
	spin_unlock(&mm_list_lock);
}

static void mm_unpublish(struct mm *mm)
{
	spin_lock(&mm_list_lock);
	list_remove(&mm->all);
	spin_unlock(&mm_list_lock);
}

struct mm *mm_create(u16 pid)
{
	struct mm *mm = kmem_cache_alloc(mm_cache, HOLDER(pid, 0), 0);

	if (!mm)
		return NULL;
	mm->pid = pid;
	mm->heap_limit = USER_MMAP_TOP;
	vma_tree_init(mm);
	mm_publish(mm);
	mm->root = pt_create(mm->id);
	if (!mm->root) {
		mm_unpublish(mm);
		kmem_cache_free(mm_cache, mm, HOLDER(pid, 0));
		return NULL;
	}
	record_mm(EV_mm_create, mm);
	return mm;
}

void mm_destroy(struct mm *mm)
{
	while (!list_empty(&mm->vmas)) {
		vma_remove(LIST_FIRST(&mm->vmas, struct vma, link));
		(void)mm_pause();
	}
	pt_destroy(mm->root, mm->id);
	mm->root = NULL;
	record_mm(EV_mm_drop, mm);
	mm_unpublish(mm);
	kmem_cache_free(mm_cache, mm, HOLDER(mm->pid, 0));
}

struct vma *vma_alloc(const struct mm *mm)
{
	return kmem_cache_alloc(vma_cache, HOLDER(mm->id, 0), 0);
}

void vma_free(const struct mm *mm, struct vma *vma)
{
	kmem_cache_free(vma_cache, vma, HOLDER(mm->id, 0));
}

struct holder vma_holder(const struct vma *vma)
{
	return HOLDER(vma->mm->id, kmem_object_number(vma));
}

/* ---- claims ---- */

struct mm_walk {
	struct claims *claims;
	const struct mm *mm;
	const char *broken;
	u64 nr_leaves;
};

static void claim_table(struct page *table, u32 level, uaddr_t ua, void *arg)
{
	struct mm_walk *walk = arg;

	claim_page(walk->claims, table, REF_TABLE, HOLDER(walk->mm->id, TABLE_HOLDER_INDEX(level, ua)));
}

static int claim_leaf(pte_t *pte, uaddr_t ua, void *arg)
{
	struct mm_walk *walk = arg;
	pfn_t pfn = (pfn_t)(PTE_PA(*pte) >> PAGE_SHIFT);

	claim_page(walk->claims, pfn_valid(pfn) ? pfn_to_page(pfn) : NULL, REF_PTE, pte_holder(walk->mm, ua));
	return 0;
}

void mm_set_pause_hook(int (*pause)(void))
{
	pause_hook = pause;
}

int mm_pause(void)
{
	return pause_hook ? pause_hook() : 0;
}

void mm_claim(struct claims *claims, const struct mm *mm)
{
	struct mm_walk walk = {.claims = claims, .mm = mm};

	if (!claim_object(claims, mm) || !mm->root) /* being made or dropped: the world is not quiescent */
		return;
	pt_for_each_table(mm->root, claim_table, &walk);
	pt_for_each_leaf(mm->root, 0, USER_END, claim_leaf, &walk);
	LIST_FOR_EACH (at, &mm->vmas) {
		struct vma *vma = LIST_ENTRY(at, struct vma, link);

		if (claim_object(claims, vma) && vma->ops && vma->ops->claims)
			vma->ops->claims(vma, claims);
	}
}

void mm_claims(struct claims *claims)
{
	if (claims_final(claims))
		return;
	LIST_FOR_EACH (pos, &mm_all)
		mm_claim(claims, LIST_ENTRY(pos, struct mm, all));
}

/* ---- check ---- */

static char check_text[160];
#define BROKEN(...) (ksnprintf(check_text, sizeof(check_text), __VA_ARGS__), check_text)

static const char *check_leaf(struct mm *mm, pte_t pte, uaddr_t ua)
{
	const struct vma *vma = mm_find_vma(mm, ua);
	pfn_t pfn = (pfn_t)(PTE_PA(pte) >> PAGE_SHIFT);
	const struct page *page;

	if (!vma)
		return BROKEN("MM-2: mm %u maps 0x%lx outside any VMA", mm->id, (unsigned long)ua);
	if (!pfn_valid(pfn))
		return BROKEN("MM-2: mm %u maps 0x%lx to pfn 0x%x, not RAM", mm->id, (unsigned long)ua, pfn);
	page = pfn_to_page(pfn);
	if (((pte & PTE_W) && !(vma->flags & VMA_WRITE)) || ((pte & PTE_X) && !(vma->flags & VMA_EXEC)) ||
	    !(pte & PTE_U))
		return BROKEN("MM-2: mm %u maps 0x%lx with rights 0x%lx beyond its VMA's 0x%x", mm->id,
			      (unsigned long)ua, (unsigned long)PTE_FLAGS(pte), vma->flags);
	if ((pte & PTE_W) && (pte & PTE_COW))
		return BROKEN("PT-2: mm %u maps 0x%lx writable and copy-on-write", mm->id, (unsigned long)ua);
	if (vma->flags & VMA_SHARED)
		return NULL;
	if ((pte & PTE_W) && (page_count(page) != 1 || page->kind != PK_ANON))
		return BROKEN("PT-2: mm %u may write 0x%lx, page 0x%x of kind %s with count %d", mm->id,
			      (unsigned long)ua, pfn, page_kind_name(page->kind), page->count);
	if (page->kind != PK_ANON && page->kind != PK_PAGECACHE)
		return BROKEN("MM-3: mm %u maps 0x%lx to pfn 0x%x of kind %s", mm->id, (unsigned long)ua, pfn,
			      page_kind_name(page->kind));
	if ((vma->flags & VMA_WRITE) && !(pte & (PTE_W | PTE_COW)))
		return BROKEN("MM-3: mm %u maps 0x%lx neither writable nor copy-on-write", mm->id,
			      (unsigned long)ua);
	return NULL;
}

static int check_leaf_visit(pte_t *pte, uaddr_t ua, void *arg)
{
	struct mm_walk *walk = arg;

	walk->nr_leaves++;
	walk->broken = check_leaf((struct mm *)walk->mm, *pte, ua);
	return walk->broken != NULL;
}

const char *mm_check(const struct mm *mm)
{
	struct mm_walk walk = {.mm = mm};
	uaddr_t last_end = 0;
	u32 nr_vmas = 0;

	LIST_FOR_EACH (pos, &mm->vmas) {
		const struct vma *vma = LIST_ENTRY(pos, struct vma, link);

		if (vma->start < last_end || vma->start >= vma->end || vma->end > USER_TOP ||
		    ((vma->start | vma->end) & (PAGE_SIZE - 1)))
			return BROKEN("MM-1: mm %u has VMA 0x%lx..0x%lx after 0x%lx", mm->id,
				      (unsigned long)vma->start, (unsigned long)vma->end,
				      (unsigned long)last_end);
		last_end = vma->end;
		nr_vmas++;
	}
	if (nr_vmas != mm->nr_vmas)
		return BROKEN("MM-1: mm %u has %u VMAs, counted %u", mm->id, nr_vmas, mm->nr_vmas);
	walk.broken = vma_tree_check(mm);
	if (walk.broken)
		return BROKEN("mm %u: %s", mm->id, walk.broken);
	pt_for_each_leaf(mm->root, 0, USER_END, check_leaf_visit, &walk);
	if (!walk.broken && walk.nr_leaves != mm->nr_resident)
		return BROKEN("MM-2: mm %u maps %lu pages, counted %lu", mm->id,
			      (unsigned long)walk.nr_leaves, (unsigned long)mm->nr_resident);
	return walk.broken;
}

const char *mm_check_all(void)
{
	LIST_FOR_EACH (link, &mm_all) {
		const struct mm *mm = LIST_ENTRY(link, struct mm, all);
		const char *broken = mm->root ? mm_check(mm) : NULL;

		if (broken)
			return broken;
	}
	return NULL;
}
