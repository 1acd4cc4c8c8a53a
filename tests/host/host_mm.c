/* SPDX-License-Identifier: MIT */
/* See include/host/host_mm.h. */
#include <host/host_mm.h>

struct mm *mm_make(u16 pid)
{
	struct mm *mm = mm_create(pid);

	assert_non_null(mm);
	mm->heap_start = mm->heap_end = 0x100000;
	return mm;
}

/* ---- "test_files": page f of file n begins with n, f; reference counts of the VMAs' users ---- */

static struct holder cache_holder(const struct test_file *file, u32 index)
{
	return HOLDER(file->number, index);
}

static struct page *file_page(struct test_file *file, u32 index)
{
	if (!file->pages[index]) {
		struct page *page =
		    page_alloc(0, PK_PAGECACHE, REF_CACHE, cache_holder(file, index), ALLOC_ZEROED);

		if (!page)
			return NULL;
		((u32 *)page_to_va(page))[0] = file->number * 1000 + index;
		file->pages[index] = page;
	}
	return file->pages[index];
}

static struct page *file_fault(struct vma *vma, u32 index, struct holder holder, int *err)
{
	struct test_file *file = vma->file;
	struct page *page;

	if (index >= file->nr_pages) {
		*err = -EFAULT;
		return NULL;
	}
	if (file->fail) {
		*err = -EIO;
		return NULL;
	}
	page = file_page(file, index);
	if (!page) {
		*err = -ENOMEM;
		return NULL;
	}
	page_get(page, REF_PTE, holder);
	return page;
}

static int file_dirty(struct vma *vma, u32 index, struct page *page)
{
	struct test_file *file = vma->file;

	assert_ptr_equal(file->pages[index], page);
	file->nr_dirtied++;
	return 0;
}

static void file_opened(struct vma *vma)
{
	((struct test_file *)vma->file)->users++;
}
static void file_closed(struct vma *vma)
{
	((struct test_file *)vma->file)->users--;
}

static struct vma_set *file_set(struct vma *vma)
{
	struct test_file *file = vma->file;

	if (!file->set.vmas.next)
		vma_set_init(&file->set);
	return &file->set;
}

static void file_claims(struct vma *vma, struct claims *claims) {}

const struct vma_ops test_file_ops = {
    .fault = file_fault,
    .dirty = file_dirty,
    .open = file_opened,
    .close = file_closed,
    .set = file_set,
    .claims = file_claims,
};
struct test_file test_files[2] = {{.number = 1, .nr_pages = 8}, {.number = 2, .nr_pages = 3}};

void test_files_drop(void)
{
	for (u32 f = 0; f < 2; f++) {
		assert_int_equal(test_files[f].users, 0);
		for (u32 i = 0; i < 8; i++) {
			if (test_files[f].pages[i])
				assert_true(page_put(test_files[f].pages[i], REF_CACHE,
						     cache_holder(&test_files[f], i)));
			test_files[f].pages[i] = NULL;
		}
	}
}

/* ---- the processor: an access as the hardware would try it ---- */

static u64 *reach(struct mm *mm, uaddr_t ua, bool write, int *err)
{
	for (u32 tries = 0; tries < 3; tries++) {
		pte_t *pte = pt_walk(mm->root, ua, mm->id, false);

		if (pte && (*pte & PTE_V) && (*pte & PTE_U) && (*pte & (write ? PTE_W : PTE_R)))
			return (u64 *)((u8 *)pa_to_va(PTE_PA(*pte)) + (ua & 4095));
		*err = mm_fault(mm, ua, write, false);
		if (*err)
			return NULL;
	}
	fail_msg("the fault at 0x%lx was served, and came again", (unsigned long)ua);
	return NULL;
}

int user_store(struct mm *mm, uaddr_t ua, u64 value)
{
	int err = 0;
	u64 *word = reach(mm, ua, true, &err);

	if (word)
		*word = value;
	return err;
}

u64 user_load(struct mm *mm, uaddr_t ua)
{
	int err = 0;
	u64 *word = reach(mm, ua, false, &err);

	assert_non_null(word);
	return *word;
}

/* ---- books ---- */

u64 books_free;
u32 books_incidents;

int books_begin(void **state)
{
	kmem_cache_shrink_all();
	books_free = page_nr_free();
	books_incidents = audit_nr_incidents();
	return 0;
}

int books_end(void **state)
{
	kmem_cache_shrink_all();
	assert_int_equal(page_nr_free(), books_free);
	assert_int_equal(audit_nr_incidents(), books_incidents);
	assert_true(list_empty(&mm_all));
	assert_sound(page_check());
	assert_sound(kmem_check());
	return 0;
}

int mm_boot(void **state)
{
	host_boot(8UL << 20, 2);
	addrspace_init();
	return 0;
}
