/*
 * Address spaces: page tables, VMAs, faults, fork; random life of a family of processes against a model of what each
 * of them must read; and every allocation of every operation refused once.
 */
#include <host/host_test.h>
#include <kernel/addrspace.h>
#include <kernel/errno.h>
#include <kernel/kstack.h>
#include <stdlib.h>

static struct mm *make(u16 pid)
{
	struct mm *mm = mm_create(pid);

	assert_non_null(mm);
	mm->heap_start = mm->heap_end = 0x100000;
	return mm;
}

/* ---- "files": page f of file n begins with n, f; reference counts of the VMAs' users ---- */

struct test_file {
	u32 number;
	u32 nr_pages;
	s32 users;
	u32 nr_dirtied;
	struct page *pages[8]; /* the cache */
	bool fail;
};

static struct holder cache_holder(const struct test_file *file, u32 index)
{
	return HOLDER(file->number, index);
}

static struct page *file_page(struct test_file *file, u32 index)
{
	if (!file->pages[index]) {
		struct page *page = page_alloc_zeroed(PK_PAGECACHE, REF_CACHE, cache_holder(file, index));

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

static void file_dirty(struct vma *vma, u32 index, struct page *page)
{
	struct test_file *file = vma->file;

	assert_ptr_equal(file->pages[index], page);
	file->nr_dirtied++;
}

static void file_opened(struct vma *vma) { ((struct test_file *)vma->file)->users++; }
static void file_closed(struct vma *vma) { ((struct test_file *)vma->file)->users--; }

static void file_claims(struct vma *vma, struct claims *claims) {}

static const struct vma_ops file_ops = {file_fault, file_dirty, file_opened, file_closed, file_claims};
static struct test_file files[2] = {{.number = 1, .nr_pages = 8}, {.number = 2, .nr_pages = 3}};

static void files_drop(void)
{
	for (u32 f = 0; f < 2; f++) {
		assert_int_equal(files[f].users, 0);
		for (u32 i = 0; i < 8; i++) {
			if (files[f].pages[i])
				assert_true(page_put(files[f].pages[i], REF_CACHE, cache_holder(&files[f], i)));
			files[f].pages[i] = NULL;
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

static int store(struct mm *mm, uaddr_t ua, u64 value)
{
	int err = 0;
	u64 *word = reach(mm, ua, true, &err);

	if (word)
		*word = value;
	return err;
}

static u64 load(struct mm *mm, uaddr_t ua)
{
	int err = 0;
	u64 *word = reach(mm, ua, false, &err);

	assert_non_null(word);
	return *word;
}

/* ---- books ---- */

static u64 free_before;
static u32 incidents_before;

static int begin(void **state)
{
	kmem_cache_shrink_all();
	free_before = page_nr_free();
	incidents_before = audit_nr_incidents();
	return 0;
}

static int end(void **state)
{
	kmem_cache_shrink_all();
	assert_int_equal(page_nr_free(), free_before);
	assert_int_equal(audit_nr_incidents(), incidents_before);
	assert_true(list_empty(&mm_all));
	assert_sound(page_check());
	assert_sound(kmem_check());
	return 0;
}

/* ---- page tables ---- */

static u32 nr_seen;

static int see_leaf(pte_t *pte, uaddr_t ua, void *arg)
{
	uaddr_t *wanted = arg;

	assert_int_equal(ua, wanted[nr_seen]);
	nr_seen++;
	return nr_seen == 4 ? 99 : 0;
}

static void see_table(struct page *table, u32 level, uaddr_t ua, void *arg)
{
	u32 *by_level = arg;

	by_level[level]++;
	assert_int_equal(table->owner.index, TABLE_HOLDER_INDEX(level, ua));
}

static int clear_leaf(pte_t *pte, uaddr_t ua, void *arg)
{
	*pte = 0;
	return 0;
}

static void test_pagetable(void **state)
{
	uaddr_t at[] = {0x1000, 0x1ff000, 0x200000, 0x40000000, 0x3fffffb000};
	struct page *root = pt_create(5);
	u32 by_level[3] = {0};
	const u64 *table = page_to_va(root);

	for (u32 i = 0; i < 512; i++)
		assert_int_equal(table[i], i < 256 ? 0 : 0x1000000 + i);
	assert_null(pt_walk(root, at[0], 5, false));
	assert_null(pt_walk(root, USER_END, 5, true));
	for (u32 i = 0; i < ARRAY_SIZE(at); i++)
		*pt_walk(root, at[i], 5, true) = PTE_V | PTE_R | PTE_U;
	for (u32 i = 0; i < ARRAY_SIZE(at); i++)
		assert_int_equal(*pt_walk(root, at[i], 5, false), PTE_V | PTE_R | PTE_U);
	nr_seen = 0;
	assert_int_equal(pt_for_each_leaf(root, 0, USER_END, see_leaf, at), 99);
	nr_seen = 0;
	assert_int_equal(pt_for_each_leaf(root, 0x1ff000, 0x40000000, see_leaf, at + 1), 0);
	assert_int_equal(nr_seen, 2);
	pt_for_each_table(root, see_table, by_level);
	assert_int_equal(by_level[2], 1);
	assert_int_equal(by_level[1], 3);
	assert_int_equal(by_level[0], 4);
	pt_for_each_leaf(root, 0, USER_END, clear_leaf, NULL);
	pt_destroy(root, 5);
}

static void test_leaf_remains(void **state)
{
	struct mm *mm = make(1);
	pte_t saved, *pte;

	assert_int_equal(mm_map(mm, 0x10000, 0x14000, VMA_READ | VMA_WRITE, NULL, NULL, 0), 0);
	assert_int_equal(store(mm, 0x12000, 1), 0);
	pte = pt_walk(mm->root, 0x12000, mm->id, false);
	saved = *pte;
	if (HOST_PANICS()) {
		assert_non_null(strstr(host_panic_text, "0x12000"));
		assert_non_null(strstr(host_panic_text, "anon"));
	} else {
		pt_destroy(mm->root, mm->id);
		fail();
	}
	assert_true(*pte == saved);
	mm_destroy(mm);
}

/* ---- VMAs ---- */

static void test_map_unmap(void **state)
{
	struct mm *mm = make(1);
	struct vma *vma;

	assert_int_equal(mm_map(mm, 0x10000, 0x20000, 3, NULL, NULL, 0), 0);
	assert_int_equal(mm_map(mm, 0x1f000, 0x21000, 3, NULL, NULL, 0), -EEXIST);
	assert_int_equal(mm_map(mm, 0x10000, 0x10000, 3, NULL, NULL, 0), -EINVAL);
	assert_int_equal(mm_map(mm, 0x10800, 0x12000, 3, NULL, NULL, 0), -EINVAL);
	assert_int_equal(mm_map(mm, 0x10000, USER_TOP + 0x1000, 3, NULL, NULL, 0), -EINVAL);
	assert_int_equal(mm_map(mm, 0x8000, 0x9000, 1, NULL, NULL, 0), 0);
	assert_int_equal(mm_map(mm, 0x30000, 0x38000, 3, &file_ops, &files[0], 0), 0);
	for (uaddr_t ua = 0x10000; ua < 0x20000; ua += 0x1000)
		assert_int_equal(store(mm, ua, ua), 0);
	assert_int_equal(store(mm, 0x8000, 1), -EFAULT);
	assert_int_equal(mm->nr_resident, 16);
	assert_sound(mm_check(mm));

	assert_int_equal(mm_unmap(mm, 0x14000, 0x16000), 0); /* a hole in the middle */
	assert_int_equal(mm->nr_resident, 14);
	assert_null(mm_find_vma(mm, 0x14000));
	assert_int_equal(load(mm, 0x13000), 0x13000);
	assert_int_equal(load(mm, 0x16000), 0x16000);
	assert_int_equal(mm_unmap(mm, 0x32000, 0x33000), 0);
	assert_int_equal(files[0].users, 2);
	vma = mm_find_vma(mm, 0x33000);
	assert_int_equal(vma->file_index, 3);
	assert_int_equal(load(mm, 0x33000), 1003);
	assert_int_equal(mm_unmap(mm, 0x33000, 0x34000), 0);
	assert_int_equal(load(mm, 0x34000), 1004);
	assert_int_equal(mm_unmap(mm, 0x37000, 0x38000), 0);
	assert_sound(mm_check(mm));
	assert_int_equal(mm_unmap(mm, 0, 0x100000), 0);
	assert_int_equal(mm->nr_resident, 0);
	assert_int_equal(mm->nr_vmas, 0);
	assert_int_equal(mm_unmap(mm, 0, 0x100000), 0);
	assert_int_equal(mm_unmap(mm, 0x1000, 0x1000), -EINVAL);
	mm_destroy(mm);
	files_drop();
}

static void test_gap(void **state)
{
	struct mm *mm = make(1);
	uaddr_t first = mm_find_gap(mm, 5000), second;

	assert_int_equal(first, USER_MMAP_TOP - 0x2000);
	assert_int_equal(mm_map(mm, first, first + 0x2000, 1, NULL, NULL, 0), 0);
	second = mm_find_gap(mm, 0x3000);
	assert_int_equal(second, first - 0x3000);
	assert_int_equal(mm_map(mm, second - 0x5000, second - 0x2000, 1, NULL, NULL, 0), 0);
	assert_int_equal(mm_find_gap(mm, 0x5000), second - 0x2000);
	assert_int_equal(mm_find_gap(mm, 0x6000), second - 0x5000 - 0x6000);
	assert_int_equal(mm_map(mm, USER_TOP - 0x1000, USER_TOP, 1, NULL, NULL, 0), 0); /* above the area: no matter */
	assert_int_equal(mm_find_gap(mm, 0x5000), second - 0x2000);
	assert_int_equal(mm_find_gap(mm, 0), 0);
	assert_int_equal(mm_find_gap(mm, USER_MMAP_TOP), 0);
	mm_destroy(mm);
}

static void test_sbrk(void **state)
{
	struct mm *mm = make(1);

	assert_int_equal(mm_sbrk(mm, 0, false), 0x100000);
	assert_int_equal(mm_sbrk(mm, 100, false), 0x100000);
	assert_int_equal(mm->nr_resident, 1);
	assert_int_equal(mm_sbrk(mm, 5000, true), 0x100064);
	assert_int_equal(mm->nr_resident, 1);
	assert_int_equal(store(mm, 0x101000, 9), 0);
	assert_int_equal(store(mm, 0x102000, 9), -EFAULT);
	assert_int_equal(mm_sbrk(mm, -5000, false), 0x100000 + 5100);
	assert_int_equal(mm->nr_resident, 1);
	assert_int_equal(store(mm, 0x101000, 9), -EFAULT);
	assert_int_equal(mm_sbrk(mm, -101, false), -ENOMEM);
	assert_int_equal(mm_sbrk(mm, -100, false), 100100 - 100000 + 0x100000);
	assert_int_equal(mm->nr_resident, 0);
	assert_int_equal(mm_sbrk(mm, 1L << 30, false), -ENOMEM); /* more than there is */
	assert_int_equal(mm_sbrk(mm, 1L << 30, true), 0x100000);
	assert_int_equal(store(mm, 0x100000 + (1 << 29), 7), 0);
	assert_int_equal(mm_sbrk(mm, -(1L << 30), true), 0x100000 + (1 << 30));
	assert_int_equal(mm->nr_resident, 0);
	assert_int_equal(mm_map(mm, 0x110000, 0x111000, 1, NULL, NULL, 0), 0);
	assert_int_equal(mm_sbrk(mm, 0x10001, true), -ENOMEM); /* something is in the way */
	assert_int_equal(mm_sbrk(mm, 0x10000, true), 0x100000);
	assert_int_equal(mm_sbrk(mm, 1, true), -ENOMEM);
	assert_int_equal(mm_sbrk(mm, (s64)(1UL << 63), true), -ENOMEM);
	assert_int_equal(mm_sbrk(mm, (s64)(~0UL >> 1), true), -ENOMEM);
	assert_int_equal(mm->heap_end, 0x110000);
	assert_sound(mm_check(mm));
	mm_destroy(mm);
}

/* Eager growth that runs out of memory gives back what it took. */
static void test_sbrk_no_memory(void **state)
{
	struct mm *mm = make(1);

	assert_int_equal(mm_sbrk(mm, 0x3000, false), 0x100000);
	assert_int_equal(mm_sbrk(mm, (s64)(page_nr_free() + 10) * 4096, false), -ENOMEM);
	assert_int_equal(mm->nr_resident, 3);
	assert_int_equal(mm->heap_end, 0x103000);
	assert_sound(mm_check(mm));
	mm_destroy(mm);
}

/* ---- faults ---- */

static void test_rights(void **state)
{
	struct mm *mm = make(1);

	assert_int_equal(mm_map(mm, 0x1000, 0x2000, VMA_READ | VMA_EXEC, NULL, NULL, 0), 0);
	assert_int_equal(mm_map(mm, 0x2000, 0x3000, VMA_READ | VMA_WRITE, NULL, NULL, 0), 0);
	assert_int_equal(mm_map(mm, 0x3000, 0x4000, 0, NULL, NULL, 0), 0);
	assert_int_equal(mm_fault(mm, 0x1000, true, false), -EFAULT);
	assert_int_equal(mm_fault(mm, 0x2000, false, true), -EFAULT);
	assert_int_equal(mm_fault(mm, 0x3000, false, false), -EFAULT);
	assert_int_equal(mm_fault(mm, 0x4000, false, false), -EFAULT);
	assert_int_equal(mm_fault(mm, 0, false, false), -EFAULT);
	assert_int_equal(mm_fault(mm, USER_TOP, true, false), -EFAULT);
	assert_int_equal(mm_fault(mm, ~0UL, true, false), -EFAULT);
	assert_int_equal(mm->nr_resident, 0);
	assert_int_equal(mm_fault(mm, 0x1fff, false, true), 0);
	assert_int_equal(mm_fault(mm, 0x2fff, true, false), 0);
	assert_int_equal(mm_fault(mm, 0x2fff, false, false), 0);
	assert_int_equal(mm->nr_resident, 2);
	assert_sound(mm_check(mm));
	mm_destroy(mm);
}

static void test_cow(void **state)
{
	struct mm *parent = make(1), *child, *third;
	const pte_t *pte;
	u64 nr_free;

	assert_int_equal(mm_map(parent, 0x1000, 0x3000, VMA_READ | VMA_WRITE, NULL, NULL, 0), 0);
	assert_int_equal(store(parent, 0x1000, 11), 0);
	child = mm_fork(parent, 2);
	assert_non_null(child);
	assert_int_not_equal(child->id, parent->id);
	third = mm_fork(child, 3);
	pte = pt_walk(parent->root, 0x1000, parent->id, false);
	assert_int_equal(page_count(pa_to_page(PTE_PA(*pte))), 3);
	assert_int_equal(*pte & (PTE_W | PTE_COW), PTE_COW);
	assert_int_equal(load(child, 0x1000), 11);
	assert_int_equal(store(child, 0x1000, 22), 0);
	assert_int_equal(load(parent, 0x1000), 11);
	assert_int_equal(load(third, 0x1000), 11);
	assert_int_equal(load(child, 0x1000), 22);
	mm_destroy(third);
	nr_free = page_nr_free();
	assert_int_equal(store(parent, 0x1000, 33), 0); /* the only holder left: no copy */
	assert_int_equal(page_nr_free(), nr_free);
	assert_int_equal(load(parent, 0x1000), 33);
	assert_int_equal(load(child, 0x1000), 22);
	assert_sound(mm_check(parent));
	assert_sound(mm_check(child));
	mm_destroy(parent);
	mm_destroy(child);
}

static void test_file_mappings(void **state)
{
	struct mm *mm = make(1), *child;

	assert_int_equal(mm_map(mm, 0x10000, 0x18000, VMA_READ | VMA_WRITE, &file_ops, &files[0], 0), 0);
	assert_int_equal(mm_map(mm, 0x20000, 0x28000, VMA_READ | VMA_WRITE | VMA_SHARED, &file_ops, &files[1], 0), 0);
	assert_int_equal(load(mm, 0x11000), 1001);
	assert_int_equal(page_count(files[0].pages[1]), 2);
	assert_int_equal(store(mm, 0x11000, 5), 0);	   /* private: a copy */
	assert_int_equal(page_count(files[0].pages[1]), 1);
	assert_int_equal(store(mm, 0x12008, 6), 0);	   /* written at once: a copy, too */
	assert_int_equal(load(mm, 0x12000), 1002);
	assert_int_equal(((u64 *)page_to_va(files[0].pages[2]))[1], 0);
	assert_int_equal(files[0].nr_dirtied, 0);

	assert_int_equal(load(mm, 0x20000), 2000);
	assert_int_equal(files[1].nr_dirtied, 0);
	assert_int_equal(store(mm, 0x20008, 77), 0);
	assert_int_equal(files[1].nr_dirtied, 1);
	assert_int_equal(((u64 *)page_to_va(files[1].pages[0]))[1], 77);
	assert_int_equal(mm_fault(mm, 0x23000, false, false), -EFAULT); /* beyond the file */
	files[0].fail = true;
	assert_int_equal(mm_fault(mm, 0x14000, false, false), -EIO);
	files[0].fail = false;
	assert_sound(mm_check(mm));

	child = mm_fork(mm, 2);
	assert_int_equal(files[0].users, 2);
	assert_int_equal(store(child, 0x20008, 88), 0); /* shared stays shared */
	assert_int_equal(load(mm, 0x20008), 88);
	assert_int_equal(store(child, 0x11000, 99), 0); /* private stays private */
	assert_int_equal(load(mm, 0x11000), 5);
	assert_sound(mm_check(mm));
	assert_sound(mm_check(child));
	mm_destroy(mm);
	mm_destroy(child);
	files_drop();
}

static void test_copy_out(void **state)
{
	struct mm *mm = make(1);
	static u8 data[10000];

	for (u32 i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 7);
	assert_int_equal(mm_map(mm, 0x10000, 0x14000, VMA_READ | VMA_WRITE, NULL, NULL, 0), 0);
	assert_int_equal(mm_copy_out(mm, 0x10ff0, data, sizeof(data)), 0);
	for (u32 i = 0; i < sizeof(data); i++) {
		uaddr_t ua = 0x10ff0 + i;

		assert_int_equal((u8)(load(mm, ua & ~7UL) >> (ua % 8 * 8)), data[i]);
	}
	assert_int_equal(mm_copy_out(mm, 0x13fff, data, 2), -EFAULT);
	assert_int_equal(mm_copy_out(mm, USER_TOP - 1, data, 2), -EFAULT);
	assert_int_equal(mm_copy_out(mm, ~0UL - 3, data, 100), -EFAULT);
	mm_destroy(mm);
}

/* ---- random lives ---- */

enum { FAMILY = 6, WINDOW = 48, BASE = 0x40000 };

static struct person {
	struct mm *mm;
	bool mapped[WINDOW], writable[WINDOW];
	u64 value[WINDOW];
} family[FAMILY];

static void person_map(struct person *person)
{
	u32 first = (u32)host_random_below(WINDOW), nr = 1 + (u32)host_random_below(8);
	bool writable = host_random_below(4), free = true;
	int err;

	nr = MIN(nr, WINDOW - first);
	for (u32 i = first; i < first + nr; i++)
		free = free && !person->mapped[i];
	err = mm_map(person->mm, BASE + first * 4096, BASE + (first + nr) * 4096, writable ? 3 : 1, NULL, NULL, 0);
	assert_int_equal(err, free ? 0 : -EEXIST);
	for (u32 i = first; free && i < first + nr; i++) {
		person->mapped[i] = true;
		person->writable[i] = writable;
		person->value[i] = 0;
	}
}

static void person_unmap(struct person *person)
{
	u32 first = (u32)host_random_below(WINDOW), nr = 1 + (u32)host_random_below(6);

	nr = MIN(nr, WINDOW - first);
	assert_int_equal(mm_unmap(person->mm, BASE + first * 4096, BASE + (first + nr) * 4096), 0);
	for (u32 i = first; i < first + nr; i++)
		person->mapped[i] = false;
}

static void person_touch(struct person *person)
{
	u32 i = (u32)host_random_below(WINDOW);
	uaddr_t ua = BASE + i * 4096 + host_random_below(512) * 8;
	u64 value = host_random();

	if (host_random_below(2)) {
		int err = store(person->mm, BASE + i * 4096 + 8, value);

		assert_int_equal(err, person->mapped[i] && person->writable[i] ? 0 : -EFAULT);
		if (!err)
			person->value[i] = value;
	} else if (person->mapped[i]) {
		load(person->mm, ua);
		assert_true(load(person->mm, BASE + i * 4096 + 8) == person->value[i]);
	}
}

static void person_step(struct person *person)
{
	struct person *other = &family[host_random_below(FAMILY)];
	u64 dice = host_random_below(40);

	if (!person->mm) {
		*person = (struct person){.mm = make((u16)(person - family + 1))};
	} else if (dice < 5) {
		person_map(person);
	} else if (dice < 8) {
		person_unmap(person);
	} else if (dice == 8 && !other->mm) {
		*other = *person;
		other->mm = mm_fork(person->mm, (u16)(other - family + 1));
		assert_non_null(other->mm);
	} else if (dice == 9) {
		mm_destroy(person->mm);
		person->mm = NULL;
	} else {
		person_touch(person);
	}
}

static void test_random(void **state)
{
	host_random_start();
	for (u32 step = 0; step < 20000; step++) {
		struct person *person = &family[host_random_below(FAMILY)];

		person_step(person);
		if (person->mm)
			assert_sound(mm_check(person->mm));
		if (step % 200 == 0) {
			assert_sound(page_check());
			assert_sound(kmem_check());
		}
	}
	for (u32 i = 0; i < FAMILY; i++) {
		for (u32 at = 0; family[i].mm && at < WINDOW; at++)
			if (family[i].mapped[at])
				assert_true(load(family[i].mm, BASE + at * 4096 + 8) == family[i].value[at]);
		if (family[i].mm)
			mm_destroy(family[i].mm);
		family[i].mm = NULL;
	}
}

/* ---- every allocation refused once ---- */

static struct mm *big_parent(void)
{
	struct mm *mm = make(1);

	/* private memory over three tables, a heap, and both kinds of file mapping */
	assert_int_equal(mm_map(mm, 0x1fc000, 0x208000, VMA_READ | VMA_WRITE, NULL, NULL, 0), 0);
	assert_int_equal(mm_map(mm, 0x40000000, 0x40004000, VMA_READ | VMA_WRITE, NULL, NULL, 0), 0);
	assert_int_equal(mm_map(mm, 0x50000000, 0x50003000, VMA_READ | VMA_WRITE, &file_ops, &files[0], 0), 0);
	assert_int_equal(mm_map(mm, 0x60000000, 0x60003000, VMA_READ | VMA_WRITE | VMA_SHARED, &file_ops, &files[1], 0),
			 0);
	for (uaddr_t ua = 0x1fc000; ua < 0x208000; ua += 0x1000)
		assert_int_equal(store(mm, ua, ua), 0);
	assert_int_equal(store(mm, 0x40003000, 4), 0);
	assert_int_equal(load(mm, 0x50001000), 1001);
	assert_int_equal(store(mm, 0x60001008, 6), 0);
	assert_int_equal(mm_sbrk(mm, 0x3000, false), 0x100000);
	return mm;
}

/* Refuses the 1st, 2nd, 3rd ... allocation of `act` until none is left to refuse; act returns whether it succeeded. */
static u32 sweep(bool (*act)(struct mm *mm), struct mm *mm)
{
	for (u64 n = 1;; n++) {
		u64 nr_free, resident = mm->nr_resident;
		bool ok;

		kmem_cache_shrink_all();
		nr_free = page_nr_free();
		host_fail_nth(n);
		ok = act(mm);
		assert_int_equal(ok, !host_failed);
		if (ok) {
			host_fail_nth(0);
			return (u32)n - 1;
		}
		host_fail_nth(0);
		kmem_cache_shrink_all();
		assert_int_equal(mm->nr_resident, resident);
		/* what a fault made of tables may stay; nothing else */
		assert_true(page_nr_free() <= nr_free && page_nr_free() + 2 >= nr_free);
		assert_sound(mm_check(mm));
		assert_sound(page_check());
	}
}

static struct mm *born;

static bool act_fork(struct mm *mm)
{
	born = mm_fork(mm, 2);
	return born != NULL;
}

static void test_fork_refused(void **state)
{
	struct mm *mm = big_parent();
	u32 nr = sweep(act_fork, mm);

	assert_true(nr >= 12); /* mm, root, VMAs, tables */
	for (uaddr_t ua = 0x1fc000; ua < 0x208000; ua += 0x1000) {
		assert_int_equal(load(mm, ua), ua);
		assert_int_equal(load(born, ua), ua);
		assert_int_equal(store(mm, ua, 1), 0);
		assert_int_equal(load(born, ua), ua);
	}
	mm_destroy(born);
	mm_destroy(mm);
	files_drop();
}

static bool act_create(struct mm *mm)
{
	born = mm_create(9);
	return born != NULL;
}

static bool act_sbrk(struct mm *mm)
{
	return mm_sbrk(mm, 0x5000, false) >= 0;
}

static bool act_cow(struct mm *mm)
{
	return store(mm, 0x1fc000, 1) == 0;
}

static bool act_private_write(struct mm *mm)
{
	return store(mm, 0x50002000, 1) == 0;
}

static bool act_far_touch(struct mm *mm)
{
	return store(mm, 0x40000000, 1) == 0;
}

static bool act_hole(struct mm *mm)
{
	return mm_unmap(mm, 0x200000, 0x201000) == 0;
}

static bool act_copy_out(struct mm *mm)
{
	static const u8 data[0x3000];

	return mm_copy_out(mm, 0x40000000, data, sizeof(data)) == 0;
}

static void test_others_refused(void **state)
{
	struct mm *mm = big_parent(), *child;

	assert_int_equal(sweep(act_create, mm), 2);
	mm_destroy(born);
	assert_int_equal(sweep(act_sbrk, mm), 5);
	child = mm_fork(mm, 2);
	assert_int_equal(sweep(act_cow, mm), 1);
	assert_int_equal(sweep(act_private_write, mm), 2);
	assert_int_equal(sweep(act_far_touch, child), 1);
	mm_destroy(child);
	assert_int_equal(sweep(act_hole, mm), 1);
	mm_destroy(mm);
	files_drop();
	mm = big_parent();
	for (u64 n = 1; n <= 3; n++) { /* copies in part before it fails: exec throws the whole space away */
		host_fail_nth(0);
		assert_int_equal(mm_unmap(mm, 0x40000000, 0x40004000), 0);
		assert_int_equal(mm_map(mm, 0x40000000, 0x40004000, VMA_READ | VMA_WRITE, NULL, NULL, 0), 0);
		host_fail_nth(n);
		assert_false(act_copy_out(mm));
		assert_sound(mm_check(mm));
	}
	host_fail_nth(0);
	assert_true(act_copy_out(mm));
	mm_destroy(mm);
	files_drop();
}

/* ---- kernel stacks ---- */

static void test_kstack(void **state)
{
	void *stacks[100];

	for (u32 round = 0; round < 30; round++) {
		for (u32 i = 0; i < 100; i++) {
			stacks[i] = kstack_alloc((u16)(i + 1));
			assert_non_null(stacks[i]);
			assert_int_equal(((u64)stacks[i] - KSTACK_BASE) % KSTACK_SLOT_BYTES, KSTACK_SLOT_BYTES - KSTACK_BYTES);
			for (u32 p = 0; p < KSTACK_PAGES; p++) {
				struct page *page = kstack_page(stacks[i], p);

				assert_int_equal(host_kernel_mapped((u64)stacks[i] + p * PAGE_SIZE), page_to_pa(page));
				assert_int_equal(page->kind, PK_KSTACK);
			}
			assert_int_equal(host_kernel_mapped((u64)stacks[i] - PAGE_SIZE), 0); /* the guard */
		}
		for (u32 i = 0; i < 100; i++) {
			kstack_free(stacks[i], (u16)(i + 1));
			assert_int_equal(host_kernel_mapped((u64)stacks[i]), 0);
			assert_null(kstack_page(stacks[i], 0));
		}
	}
	free_before -= 1; /* the window's table stays for ever */
}

static void test_kstack_in_use(void **state)
{
	void *stack = kstack_alloc(5);
	static int task;

	harts[1].current = (struct task *)&task;
	harts[1].kernel_sp = (u64)stack + KSTACK_BYTES;
	kstack_free(stack, 5);
	assert_int_equal(audit_nr_incidents(), ++incidents_before);
	assert_non_null(kstack_page(stack, 0));
	assert_false(page_put(kstack_page(stack, 1), REF_KSTACK, HOLDER(5, 1))); /* fault 2: put behind kstack's back */
	assert_int_equal(audit_nr_incidents(), ++incidents_before);
	kstack_page(stack, 1)->count = 1;
	harts[1].current = NULL; /* idle now: kernel_sp is old */
	kstack_free(stack, 5);
	assert_null(kstack_page(stack, 0));
	harts[1].kernel_sp = 0;
	if (HOST_PANICS()) {
		assert_non_null(strstr(host_panic_text, "kstack_free"));
		return;
	}
	kstack_free(stack, 5);
	fail();
}

static void test_kstack_refused(void **state)
{
	for (u64 n = 1; n <= 2; n++) {
		host_fail_nth(n);
		assert_null(kstack_alloc(3));
		host_fail_nth(0);
		assert_int_equal(page_nr_free(), free_before);
	}
}

static int boot(void **state)
{
	host_boot(8UL << 20, 2);
	addrspace_init();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pagetable),	  TEST(test_leaf_remains),	 TEST(test_map_unmap),
		TEST(test_gap),		  TEST(test_sbrk),		 TEST(test_sbrk_no_memory),
		TEST(test_rights),	  TEST(test_cow),		 TEST(test_file_mappings),
		TEST(test_copy_out),	  TEST(test_random),		 TEST(test_fork_refused),
		TEST(test_others_refused), TEST(test_kstack),		 TEST(test_kstack_in_use),
		TEST(test_kstack_refused),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
