/* SPDX-License-Identifier: MIT */
/*
 * What lies behind mappings that several address spaces have: shared memory against a model of who has which page, each
 * allocation refused once, and the way from an object back to its leaves.
 */
#include <host/host_mm.h>

enum { FAMILY = 5, WINDOW = 80, BASE = 0x40000 };
#define RW (VMA_READ | VMA_WRITE)

static struct person {
	struct mm *mm;
	bool has[WINDOW];
} family[FAMILY];
static bool touched[WINDOW];
static u64 value[WINDOW];

static bool anybody_has(u32 i)
{
	for (u32 p = 0; p < FAMILY; p++)
		if (family[p].mm && family[p].has[i])
			return true;
	return false;
}

static u64 nr_anon(void)
{
	struct page_totals totals;

	page_totals(&totals);
	return totals.nr_by_kind[PK_ANON];
}

/* SHM-3: exactly the pages that were touched and that somebody has. */
static void check_pages(void)
{
	u64 nr = 0;

	for (u32 i = 0; i < WINDOW; i++) {
		touched[i] = touched[i] && anybody_has(i);
		nr += touched[i];
	}
	assert_int_equal(nr_anon(), nr);
}

static void person_step(struct person *person)
{
	struct person *other = &family[host_random_below(FAMILY)];
	u32 i = (u32)host_random_below(WINDOW), nr = 1 + (u32)host_random_below(MIN(WINDOW - i, 20));
	uaddr_t ua = BASE + i * 4096;
	u64 dice = host_random_below(30);

	if (dice == 0 && !other->mm) {
		*other = *person;
		other->mm = mm_fork(person->mm, (u16)(other - family + 1), false);
		assert_non_null(other->mm);
	} else if (dice == 1) {
		mm_destroy(person->mm);
		person->mm = NULL;
	} else if (dice == 2) {
		assert_int_equal(mm_unmap(person->mm, ua, ua + nr * 4096), 0);
		memset(person->has + i, 0, nr);
	} else if (!person->has[i]) {
		assert_int_equal(user_store(person->mm, ua, 1), -EFAULT);
	} else if (dice < 16) {
		assert_int_equal(user_store(person->mm, ua, dice + i), 0);
		touched[i] = true;
		value[i] = dice + i;
	} else {
		assert_true(user_load(person->mm, ua) == (touched[i] ? value[i] : 0));
		if (!touched[i])
			value[i] = 0;
		touched[i] = true;
	}
	check_pages();
}

static void begin_family(void)
{
	memset(family, 0, sizeof(family));
	memset(touched, 0, sizeof(touched));
	family[0].mm = mm_make(1);
	assert_int_equal(mm_map_shared(family[0].mm, BASE, BASE + WINDOW * 4096, RW), 0);
	memset(family[0].has, true, WINDOW);
}

/* SHM-1, SHM-2: . */
static void test_random(void **state)
{
	u32 nr_alive;

	host_random_start();
	for (u32 round = 0; round < 40; round++) {
		begin_family();
		for (u32 step = 0; step < 300; step++) {
			struct person *person = &family[host_random_below(FAMILY)];

			if (!person->mm)
				continue;
			person_step(person);
			if (person->mm)
				assert_sound(mm_check(person->mm));
		}
		nr_alive = 0;
		for (u32 p = 0; p < FAMILY; p++)
			if (family[p].mm) {
				mm_destroy(family[p].mm);
				family[p].mm = NULL;
				nr_alive++;
				check_pages();
			}
		assert_int_equal(nr_anon(), 0);
	}
}

/* ---- every allocation refused once ---- */

static void test_refused(void **state)
{
	bool failed = true;
	u32 nr_refused = 0;

	for (u64 n = 1; failed; n++) {
		struct mm *parent = mm_make(1), *child = NULL;
		int err;

		/* Pages far apart: nodes of the tree and tables of their own. */
		host_fail_nth(n);
		err = mm_map_shared(parent, 0x40000, 0x40000 + (5000UL << 12), RW);
		if (!err)
			err = user_store(parent, 0x41000, 7);
		if (!err)
			err = user_store(parent, 0x40000 + (4999UL << 12), 8);
		if (!err) {
			child = mm_fork(parent, 2, false);
			err = child ? user_store(child, 0x40000 + (2500UL << 12), 9) : -ENOMEM;
		}
		failed = host_failed;
		host_fail_nth(0);
		assert_true(err == 0 || (failed && err == -ENOMEM));
		nr_refused += err != 0;
		if (child && !err)
			assert_int_equal(user_load(parent, 0x40000 + (2500UL << 12)), 9);
		assert_sound(mm_check(parent));
		if (child)
			mm_destroy(child);
		mm_destroy(parent);
		assert_int_equal(nr_anon(), 0);
	}
	assert_true(nr_refused >= 15);
}

/* ---- from a page to its leaves ---- */

static struct mm *mapped_thrice(struct mm **child)
{
	struct mm *mm = mm_make(1);

	test_files[0].nr_dirtied = 0;
	assert_int_equal(mm_map(mm, 0x50000, 0x58000, RW | VMA_SHARED, &test_file_ops, &test_files[0], 0), 0);
	assert_int_equal(mm_map(mm, 0x60000, 0x64000, RW, &test_file_ops, &test_files[0], 4), 0);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(user_store(mm, 0x50008 + i * 4096, i), 0);
	assert_int_equal(test_files[0].nr_dirtied, 8);
	assert_int_equal(user_store(mm, 0x61008, 77), 0); /* a copy of page 5 */
	assert_int_equal(user_load(mm, 0x62008), 6);
	*child = mm_fork(mm, 2, false);
	return mm;
}

static bool may_write(struct mm *mm, uaddr_t ua)
{
	const pte_t *pte = pt_walk(mm->root, ua, mm->id, false);

	return pte && (*pte & PTE_V) && (*pte & PTE_W);
}

static void test_protect(void **state)
{
	struct mm *child, *mm = mapped_thrice(&child);

	vma_set_protect(&test_files[0].set, 5);
	assert_false(may_write(mm, 0x55000) || may_write(child, 0x55000));
	assert_true(may_write(mm, 0x54000) && may_write(child, 0x56000));
	assert_sound(mm_check(mm));
	assert_int_equal(user_store(child, 0x55008, 50), 0); /* reported again, for this leaf only */
	assert_int_equal(test_files[0].nr_dirtied, 9);
	assert_false(may_write(mm, 0x55000));
	assert_int_equal(user_load(mm, 0x55008), 50);
	assert_int_equal(user_load(mm, 0x61008), 77);
	mm_destroy(child);
	mm_destroy(mm);
	test_files_drop();
}

static void test_unmap(void **state)
{
	struct mm *child, *mm = mapped_thrice(&child);
	u64 resident = mm->nr_resident;

	assert_int_equal(vma_set_writable_end(&test_files[0].set), 8);
	vma_set_unmap(&test_files[0].set, 5);
	assert_int_equal(mm->nr_resident, resident - 5); /* 5, 6, 7; the copy of 5; and 6 again */
	assert_int_equal(child->nr_resident, mm->nr_resident);
	assert_sound(mm_check(mm));
	assert_sound(mm_check(child));
	test_files[0].nr_pages = 5;
	assert_int_equal(user_store(mm, 0x55008, 1), -EFAULT);
	assert_int_equal(user_store(child, 0x61008, 1), -EFAULT);
	assert_int_equal(user_load(child, 0x54008), 4);
	test_files[0].nr_pages = 8;
	assert_int_equal(mm_unmap(mm, 0x52000, 0x54000), 0); /* both parts are still in the set */
	vma_set_unmap(&test_files[0].set, 0);
	assert_int_equal(mm->nr_resident, 0);
	assert_int_equal(user_load(mm, 0x54008), 4);
	mm_destroy(child);
	assert_int_equal(user_load(mm, 0x51008), 1);
	mm_destroy(mm);
	assert_true(list_empty(&test_files[0].set.vmas));
	assert_int_equal(vma_set_writable_end(&test_files[0].set), 0);
	test_files_drop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    MM_TEST(test_random),
	    MM_TEST(test_refused),
	    MM_TEST(test_protect),
	    MM_TEST(test_unmap),
	};

	return cmocka_run_group_tests(tests, mm_boot, NULL);
}
