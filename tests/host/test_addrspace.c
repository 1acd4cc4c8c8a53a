/* SPDX-License-Identifier: MIT */
/* One address space: page tables, VMAs, the heap, faults of every kind. */
#include <host/host_mm.h>

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

/* PT-1: tables come and go with what is mapped. */
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

/* PT-3: a leaf that remains is found. */
static void test_leaf_remains(void **state)
{
	struct mm *mm = mm_make(1);
	pte_t saved, *pte;

	assert_int_equal(mm_map(mm, 0x10000, 0x14000, VMA_READ | VMA_WRITE, NULL, NULL, 0), 0);
	assert_int_equal(user_store(mm, 0x12000, 1), 0);
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
	struct mm *mm = mm_make(1);
	struct vma *vma;

	assert_int_equal(mm_map(mm, 0x10000, 0x20000, 3, NULL, NULL, 0), 0);
	assert_int_equal(mm_map(mm, 0x1f000, 0x21000, 3, NULL, NULL, 0), -EEXIST);
	assert_int_equal(mm_map(mm, 0x10000, 0x10000, 3, NULL, NULL, 0), -EINVAL);
	assert_int_equal(mm_map(mm, 0x10800, 0x12000, 3, NULL, NULL, 0), -EINVAL);
	assert_int_equal(mm_map(mm, 0x10000, USER_TOP + 0x1000, 3, NULL, NULL, 0), -EINVAL);
	assert_int_equal(mm_map(mm, 0x8000, 0x9000, 1, NULL, NULL, 0), 0);
	assert_int_equal(mm_map(mm, 0x30000, 0x38000, 3, &test_file_ops, &test_files[0], 0), 0);
	for (uaddr_t ua = 0x10000; ua < 0x20000; ua += 0x1000)
		assert_int_equal(user_store(mm, ua, ua), 0);
	assert_int_equal(user_store(mm, 0x8000, 1), -EFAULT);
	assert_int_equal(mm->nr_resident, 16);
	assert_sound(mm_check(mm));

	assert_int_equal(mm_unmap(mm, 0x14000, 0x16000), 0); /* a hole in the middle */
	assert_int_equal(mm->nr_resident, 14);
	assert_null(mm_find_vma(mm, 0x14000));
	assert_int_equal(user_load(mm, 0x13000), 0x13000);
	assert_int_equal(user_load(mm, 0x16000), 0x16000);
	assert_int_equal(mm_unmap(mm, 0x32000, 0x33000), 0);
	assert_int_equal(test_files[0].users, 2);
	vma = mm_find_vma(mm, 0x33000);
	assert_int_equal(vma->file_index, 3);
	assert_int_equal(user_load(mm, 0x33000), 1003);
	assert_int_equal(mm_unmap(mm, 0x33000, 0x34000), 0);
	assert_int_equal(user_load(mm, 0x34000), 1004);
	assert_int_equal(mm_unmap(mm, 0x37000, 0x38000), 0);
	assert_sound(mm_check(mm));
	assert_int_equal(mm_unmap(mm, 0, 0x100000), 0);
	assert_int_equal(mm->nr_resident, 0);
	assert_int_equal(mm->nr_vmas, 0);
	assert_int_equal(mm_unmap(mm, 0, 0x100000), 0);
	assert_int_equal(mm_unmap(mm, 0x1000, 0x1000), -EINVAL);
	mm_destroy(mm);
	test_files_drop();
}

static void test_gap(void **state)
{
	struct mm *mm = mm_make(1);
	uaddr_t first = mm_find_gap(mm, 5000), second;

	assert_int_equal(first, USER_MMAP_TOP - 0x2000);
	assert_int_equal(mm_map(mm, first, first + 0x2000, 1, NULL, NULL, 0), 0);
	second = mm_find_gap(mm, 0x3000);
	assert_int_equal(second, first - 0x3000);
	assert_int_equal(mm_map(mm, second - 0x5000, second - 0x2000, 1, NULL, NULL, 0), 0);
	assert_int_equal(mm_find_gap(mm, 0x5000), second - 0x2000);
	assert_int_equal(mm_find_gap(mm, 0x6000), second - 0x5000 - 0x6000);
	assert_int_equal(mm_map(mm, USER_TOP - 0x1000, USER_TOP, 1, NULL, NULL, 0),
			 0); /* above the area: no matter */
	assert_int_equal(mm_find_gap(mm, 0x5000), second - 0x2000);
	assert_int_equal(mm_find_gap(mm, 0), 0);
	assert_int_equal(mm_find_gap(mm, USER_MMAP_TOP), 0);
	mm_destroy(mm);
}

/* The gap as the old way finds it: from the highest VMA down. */
static uaddr_t gap_by_list(const struct mm *mm, u64 size_bytes)
{
	uaddr_t top = USER_MMAP_TOP;

	for (struct list *pos = mm->vmas.prev; pos != &mm->vmas; pos = pos->prev) {
		const struct vma *vma = LIST_ENTRY(pos, struct vma, link);

		if (vma->end <= top && top - vma->end >= size_bytes)
			return top - size_bytes;
		top = MIN(top, vma->start);
	}
	return top >= size_bytes + PAGE_SIZE ? top - size_bytes : 0;
}

/* Hundreds of VMAs around the top of the area, and one that leaves little below: the tree finds what the list finds. */
static void test_gap_random(void **state)
{
	struct mm *mm = mm_make(1);
	const uaddr_t base = USER_MMAP_TOP - 300 * PAGE_SIZE;

	host_random_start();
	assert_int_equal(mm_map(mm, 0x2000, base, VMA_READ, NULL, NULL, 0), 0);
	for (u32 step = 0; step < 4000; step++) {
		uaddr_t start = base + host_random_below(330) * PAGE_SIZE;
		uaddr_t end = start + (1 + host_random_below(4)) * PAGE_SIZE;

		if (host_random_below(2))
			mm_map(mm, start, end, VMA_READ, NULL, NULL, 0);
		else
			assert_int_equal(mm_unmap(mm, start, end), 0);
		assert_sound(mm_check(mm));
		for (u64 pages = 1; pages < 8; pages++)
			assert_int_equal(mm_find_gap(mm, pages * PAGE_SIZE),
					 gap_by_list(mm, pages * PAGE_SIZE));
		for (u32 i = 0; i < 330; i++) {
			uaddr_t ua = base + i * PAGE_SIZE;
			const struct vma *found = NULL;

			LIST_FOR_EACH (pos, &mm->vmas)
				if (LIST_ENTRY(pos, struct vma, link)->start <= ua &&
				    ua < LIST_ENTRY(pos, struct vma, link)->end)
					found = LIST_ENTRY(pos, struct vma, link);
			if (step % 50 == 0)
				assert_ptr_equal(mm_find_vma(mm, ua), found);
		}
	}
	mm_destroy(mm);
}

static void test_sbrk(void **state)
{
	struct mm *mm = mm_make(1);

	assert_int_equal(mm_sbrk(mm, 0, false), 0x100000);
	assert_int_equal(mm_sbrk(mm, 100, false), 0x100000);
	assert_int_equal(mm->nr_resident, 1);
	assert_int_equal(mm_sbrk(mm, 5000, true), 0x100064);
	assert_int_equal(mm->nr_resident, 1);
	assert_int_equal(user_store(mm, 0x101000, 9), 0);
	assert_int_equal(user_store(mm, 0x102000, 9), -EFAULT);
	assert_int_equal(mm_sbrk(mm, -5000, false), 0x100000 + 5100);
	assert_int_equal(mm->nr_resident, 1);
	assert_int_equal(user_store(mm, 0x101000, 9), -EFAULT);
	assert_int_equal(mm_sbrk(mm, -101, false), -ENOMEM);
	assert_int_equal(mm_sbrk(mm, -100, false), 100100 - 100000 + 0x100000);
	assert_int_equal(mm->nr_resident, 0);
	assert_int_equal(mm_sbrk(mm, 1L << 30, false), -ENOMEM); /* more than there is */
	assert_int_equal(mm_sbrk(mm, 1L << 30, true), 0x100000);
	assert_int_equal(user_store(mm, 0x100000 + (1 << 29), 7), 0);
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

/* A program may unmap parts of its heap: the rest is still the heap, and the parts stay away. */
static void test_sbrk_holes(void **state)
{
	struct mm *mm = mm_make(1);

	assert_int_equal(mm_sbrk(mm, 0x8000, false), 0x100000);
	assert_int_equal(mm_unmap(mm, 0x103000, 0x105000), 0);
	assert_int_equal(mm_sbrk(mm, -0x1000, false), 0x108000);
	assert_int_equal(mm->nr_resident, 5);
	assert_int_equal(mm_sbrk(mm, 0x2000, true), 0x107000);
	assert_int_equal(user_store(mm, 0x108000, 1), 0);
	assert_int_equal(user_store(mm, 0x103000, 1), -EFAULT);
	assert_int_equal(mm_unmap(mm, 0x107000, 0x109000), 0); /* the end of it, too */
	assert_int_equal(mm_sbrk(mm, 0x1000, true), 0x109000);
	assert_int_equal(user_store(mm, 0x109000, 1), 0);
	assert_int_equal(user_store(mm, 0x108000, 1), -EFAULT);
	assert_int_equal(mm_sbrk(mm, (s64)(page_nr_free() + 1) * 4096, false), -ENOMEM);
	assert_int_equal(mm->heap_end, 0x10a000);
	assert_sound(mm_check(mm));
	assert_int_equal(mm_sbrk(mm, -0xa000, false), 0x10a000);
	assert_int_equal(mm->nr_resident, 0);
	assert_int_equal(mm->nr_vmas, 0);
	mm_destroy(mm);
}

/* Eager growth that runs out of memory gives back what it took. */
static void test_sbrk_no_memory(void **state)
{
	struct mm *mm = mm_make(1);

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
	struct mm *mm = mm_make(1);

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
	struct mm *parent = mm_make(1), *child, *third;
	const pte_t *pte;
	pte_t before;

	assert_int_equal(mm_map(parent, 0x1000, 0x3000, VMA_READ | VMA_WRITE, NULL, NULL, 0), 0);
	assert_int_equal(user_store(parent, 0x1000, 11), 0);
	child = mm_fork(parent, 2, false);
	assert_non_null(child);
	assert_int_not_equal(child->id, parent->id);
	third = mm_fork(child, 3, false);
	pte = pt_walk(parent->root, 0x1000, parent->id, false);
	assert_int_equal(page_count(pa_to_page(PTE_PA(*pte))), 3);
	assert_int_equal(*pte & (PTE_W | PTE_COW), PTE_COW);
	assert_int_equal(user_load(child, 0x1000), 11);
	assert_int_equal(user_store(child, 0x1000, 22), 0);
	assert_int_equal(user_load(parent, 0x1000), 11);
	assert_int_equal(user_load(third, 0x1000), 11);
	assert_int_equal(user_load(child, 0x1000), 22);
	mm_destroy(third);
	before = *pte;
	assert_int_equal(user_store(parent, 0x1000, 33), 0); /* the only holder left: no copy */
	assert_int_equal(PTE_PA(*pte), PTE_PA(before));
	assert_int_equal(*pte & (PTE_W | PTE_COW), PTE_W);
	assert_int_equal(user_load(parent, 0x1000), 33);
	assert_int_equal(user_load(child, 0x1000), 22);
	assert_sound(mm_check(parent));
	assert_sound(mm_check(child));
	mm_destroy(parent);
	mm_destroy(child);
}

static void test_file_mappings(void **state)
{
	struct mm *mm = mm_make(1), *child;

	assert_int_equal(
	    mm_map(mm, 0x10000, 0x18000, VMA_READ | VMA_WRITE, &test_file_ops, &test_files[0], 0), 0);
	assert_int_equal(mm_map(mm, 0x20000, 0x28000, VMA_READ | VMA_WRITE | VMA_SHARED, &test_file_ops,
				&test_files[1], 0),
			 0);
	assert_int_equal(user_load(mm, 0x11000), 1001);
	assert_int_equal(page_count(test_files[0].pages[1]), 2);
	assert_int_equal(user_store(mm, 0x11000, 5), 0); /* private: a copy */
	assert_int_equal(page_count(test_files[0].pages[1]), 1);
	assert_int_equal(user_store(mm, 0x12008, 6), 0); /* written at once: a copy, too */
	assert_int_equal(user_load(mm, 0x12000), 1002);
	assert_int_equal(((u64 *)page_to_va(test_files[0].pages[2]))[1], 0);
	assert_int_equal(test_files[0].nr_dirtied, 0);

	assert_int_equal(user_load(mm, 0x20000), 2000);
	assert_int_equal(test_files[1].nr_dirtied, 0);
	assert_int_equal(user_store(mm, 0x20008, 77), 0);
	assert_int_equal(test_files[1].nr_dirtied, 1);
	assert_int_equal(((u64 *)page_to_va(test_files[1].pages[0]))[1], 77);
	assert_int_equal(mm_fault(mm, 0x23000, false, false), -EFAULT); /* beyond the file */
	test_files[0].fail = true;
	assert_int_equal(mm_fault(mm, 0x14000, false, false), -EIO);
	test_files[0].fail = false;
	assert_sound(mm_check(mm));

	child = mm_fork(mm, 2, false);
	assert_int_equal(test_files[0].users, 2);
	assert_int_equal(user_store(child, 0x20008, 88), 0); /* shared stays shared */
	assert_int_equal(user_load(mm, 0x20008), 88);
	assert_int_equal(user_store(child, 0x11000, 99), 0); /* private stays private */
	assert_int_equal(user_load(mm, 0x11000), 5);
	assert_sound(mm_check(mm));
	assert_sound(mm_check(child));
	mm_destroy(mm);
	mm_destroy(child);
	test_files_drop();
}

/* However many a program asks for, there is an end, and it is an error. */
static void test_shared_without_end(void **state)
{
	struct mm *mm = mm_make(1);
	uaddr_t ua = 0x10000000;
	int err;

	while (!(err = mm_map_shared(mm, ua, ua + PAGE_SIZE, VMA_READ | VMA_WRITE)) && mm->nr_vmas < 10000)
		ua += 2 * PAGE_SIZE;
	assert_int_equal(err, -ENOMEM);
	assert_true(page_nr_free() > 100);
	assert_int_equal(mm_unmap(mm, ua - 2 * PAGE_SIZE, ua), 0);
	assert_int_equal(mm_map_shared(mm, ua, ua + PAGE_SIZE, VMA_READ | VMA_WRITE), 0);
	assert_int_equal(user_store(mm, ua, 1), 0);
	assert_sound(mm_check(mm));
	mm_destroy(mm);
}

static void test_copy_out(void **state)
{
	struct mm *mm = mm_make(1);
	static u8 data[10000];

	for (u32 i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 7);
	assert_int_equal(mm_map(mm, 0x10000, 0x14000, VMA_READ | VMA_WRITE, NULL, NULL, 0), 0);
	assert_int_equal(mm_copy_out(mm, 0x10ff0, data, sizeof(data)), 0);
	for (u32 i = 0; i < sizeof(data); i++) {
		uaddr_t ua = 0x10ff0 + i;

		assert_int_equal((u8)(user_load(mm, ua & ~7UL) >> (ua % 8 * 8)), data[i]);
	}
	assert_int_equal(mm_copy_out(mm, 0x13fff, data, 2), -EFAULT);
	assert_int_equal(mm_copy_out(mm, USER_TOP - 1, data, 2), -EFAULT);
	assert_int_equal(mm_copy_out(mm, ~0UL - 3, data, 100), -EFAULT);
	mm_destroy(mm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    MM_TEST(test_pagetable),
	    MM_TEST(test_leaf_remains),
	    MM_TEST(test_map_unmap),
	    MM_TEST(test_gap),
	    MM_TEST(test_gap_random),
	    MM_TEST(test_sbrk),
	    MM_TEST(test_sbrk_no_memory),
	    MM_TEST(test_sbrk_holes),
	    MM_TEST(test_rights),
	    MM_TEST(test_cow),
	    MM_TEST(test_file_mappings),
	    MM_TEST(test_copy_out),
	    MM_TEST(test_shared_without_end),
	};

	return cmocka_run_group_tests(tests, mm_boot, NULL);
}
