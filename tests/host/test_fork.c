/* SPDX-License-Identifier: MIT */
/*
 * Families of address spaces: random life against a model of what each must read; and every allocation of every
 * operation refused once.
 */
#include <host/host_mm.h>

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
	err = mm_map(person->mm, BASE + first * 4096, BASE + (first + nr) * 4096, writable ? 3 : 1, NULL,
		     NULL, 0);
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
		int err = user_store(person->mm, BASE + i * 4096 + 8, value);

		assert_int_equal(err, person->mapped[i] && person->writable[i] ? 0 : -EFAULT);
		if (!err)
			person->value[i] = value;
	} else if (person->mapped[i]) {
		user_load(person->mm, ua);
		assert_true(user_load(person->mm, BASE + i * 4096 + 8) == person->value[i]);
	}
}

static void person_step(struct person *person)
{
	struct person *other = &family[host_random_below(FAMILY)];
	u64 dice = host_random_below(40);

	if (!person->mm) {
		*person = (struct person){.mm = mm_make((u16)(person - family + 1))};
	} else if (dice < 5) {
		person_map(person);
	} else if (dice < 8) {
		person_unmap(person);
	} else if (dice == 8 && !other->mm) {
		*other = *person;
		other->mm = mm_fork(person->mm, (u16)(other - family + 1), host_random_below(2));
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
				assert_true(user_load(family[i].mm, BASE + at * 4096 + 8) ==
					    family[i].value[at]);
		if (family[i].mm)
			mm_destroy(family[i].mm);
		family[i].mm = NULL;
	}
}

/* ---- every allocation refused once ---- */

static struct mm *big_parent(void)
{
	struct mm *mm = mm_make(1);

	/* private memory over three tables, a heap, and both kinds of file mapping */
	assert_int_equal(mm_map(mm, 0x1fc000, 0x208000, VMA_READ | VMA_WRITE, NULL, NULL, 0), 0);
	assert_int_equal(mm_map(mm, 0x40000000, 0x40004000, VMA_READ | VMA_WRITE, NULL, NULL, 0), 0);
	assert_int_equal(
	    mm_map(mm, 0x50000000, 0x50003000, VMA_READ | VMA_WRITE, &test_file_ops, &test_files[0], 0), 0);
	assert_int_equal(mm_map(mm, 0x60000000, 0x60003000, VMA_READ | VMA_WRITE | VMA_SHARED, &test_file_ops,
				&test_files[1], 0),
			 0);
	for (uaddr_t ua = 0x1fc000; ua < 0x208000; ua += 0x1000)
		assert_int_equal(user_store(mm, ua, ua), 0);
	assert_int_equal(user_store(mm, 0x40003000, 4), 0);
	assert_int_equal(user_load(mm, 0x50001000), 1001);
	assert_int_equal(user_store(mm, 0x60001008, 6), 0);
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
	born = mm_fork(mm, 2, false);
	return born != NULL;
}

static bool act_eager_fork(struct mm *mm)
{
	born = mm_fork(mm, 2, true);
	return born != NULL;
}

/* All that both could write to is the child's own at once: its stores need no memory. */
static void test_eager_fork(void **state)
{
	struct mm *mm = big_parent();
	u32 nr = sweep(act_eager_fork, mm);

	assert_true(nr >= 12 + 12); /* as below, and the pages of the first area */
	host_fail_nth(1);
	for (uaddr_t ua = 0x1fc000; ua < 0x208000; ua += 0x1000) {
		assert_int_equal(user_store(born, ua, 7), 0);
		assert_int_equal(user_load(mm, ua), ua);
	}
	assert_false(host_failed);
	host_fail_nth(0);
	mm_destroy(born);
	mm_destroy(mm);
	test_files_drop();
}

static void test_fork_refused(void **state)
{
	struct mm *mm = big_parent();
	u32 nr = sweep(act_fork, mm);

	assert_true(nr >= 12); /* mm, root, VMAs, tables */
	for (uaddr_t ua = 0x1fc000; ua < 0x208000; ua += 0x1000) {
		assert_int_equal(user_load(mm, ua), ua);
		assert_int_equal(user_load(born, ua), ua);
		assert_int_equal(user_store(mm, ua, 1), 0);
		assert_int_equal(user_load(born, ua), ua);
	}
	mm_destroy(born);
	mm_destroy(mm);
	test_files_drop();
}

/* A process killed in the middle of its fork: at every step where it could notice. */
static u32 pauses_left, nr_pauses;

static int pause_until_killed(void)
{
	nr_pauses++;
	return pauses_left && --pauses_left == 0 ? -EINTR : 0;
}

static void test_fork_killed(void **state)
{
	struct mm *mm = big_parent();
	u32 nr_forks = 0;

	assert_int_equal(mm_map(mm, 0x70000000, 0x70600000, VMA_READ | VMA_WRITE, NULL, NULL, 0), 0);
	for (uaddr_t ua = 0x70000000; ua < 0x70400000; ua += 0x1000)
		assert_int_equal(user_store(mm, ua, ua), 0); /* 1024 leaves: two steps and an end */
	mm_set_pause_hook(pause_until_killed);
	do {
		pauses_left = ++nr_forks;
		nr_pauses = 0;
		born = mm_fork(mm, 2, false);
		assert_sound(mm_check(mm));
		assert_sound(page_check());
	} while (!born);
	/* one step for each VMA when they are copied, one for each again with its leaves, two more in the large one */
	assert_true(nr_forks >= 2 * mm->nr_vmas + 2);
	mm_set_pause_hook(NULL);
	for (uaddr_t ua = 0x70000000; ua < 0x70400000; ua += 0x1000)
		assert_int_equal(user_load(born, ua), ua);
	mm_destroy(born);
	mm_destroy(mm);
	test_files_drop();
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
	return user_store(mm, 0x1fc000, 1) == 0;
}

static bool act_private_write(struct mm *mm)
{
	return user_store(mm, 0x50002000, 1) == 0;
}

static bool act_far_touch(struct mm *mm)
{
	return user_store(mm, 0x40000000, 1) == 0;
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
	child = mm_fork(mm, 2, false);
	assert_int_equal(sweep(act_cow, mm), 1);
	assert_int_equal(sweep(act_private_write, mm), 2);
	assert_int_equal(sweep(act_far_touch, child), 1);
	mm_destroy(child);
	assert_int_equal(sweep(act_hole, mm), 1);
	mm_destroy(mm);
	test_files_drop();
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
	test_files_drop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    MM_TEST(test_random),     MM_TEST(test_fork_refused),   MM_TEST(test_fork_killed),
	    MM_TEST(test_eager_fork), MM_TEST(test_others_refused),
	};

	return cmocka_run_group_tests(tests, mm_boot, NULL);
}
