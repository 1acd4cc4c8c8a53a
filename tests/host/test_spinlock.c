/* SPDX-License-Identifier: MIT */
/* SPIN-2 and SPIN-3: what the lock checks let through, and that they stop everything else, naming it. */
#include <host/host_test.h>
#include <kernel/spinlock.h>
#include <string.h>

static struct spinlock outer = SPINLOCK_INIT(audit);
static struct spinlock inner = SPINLOCK_INIT(buddy);
static struct spinlock inner_too = SPINLOCK_INIT(buddy);

static void release_all(void)
{
	this_hart()->ranks_held = 0;
	this_hart()->irq_off_depth = 0;
	spin_init(&outer, LOCK_audit, NULL);
	spin_init(&inner, LOCK_buddy, NULL);
	spin_init(&inner_too, LOCK_buddy, "second");
}

static void test_good_order(void **state)
{
	release_all();
	spin_lock(&outer);
	assert_true(spin_held(&outer));
	assert_false(spin_held(&inner));
	spin_lock(&inner);
	assert_int_equal(this_hart()->irq_off_depth, 2);
	spin_unlock(&outer); /* not the one taken last */
	assert_true(spin_held(&inner));
	spin_unlock(&inner);
	assert_int_equal(this_hart()->irq_off_depth, 0);
	assert_int_equal(this_hart()->ranks_held, 0);
	assert_int_equal(inner.nr_acquires, 1);
}

static void test_wrong_order(void **state)
{
	release_all();
	if (HOST_PANICS()) {
		assert_non_null(strstr(host_panic_text, "lock order: audit"));
		assert_non_null(strstr(host_panic_text, "rank buddy is held"));
	} else {
		spin_lock(&inner);
		spin_lock(&outer);
		fail();
	}
}

static void test_same_rank(void **state)
{
	release_all();
	if (HOST_PANICS()) {
		assert_non_null(strstr(host_panic_text, "lock order: second"));
	} else {
		spin_lock(&inner);
		spin_lock(&inner_too);
		fail();
	}
}

static void test_twice(void **state)
{
	release_all();
	if (HOST_PANICS()) {
		assert_non_null(strstr(host_panic_text, "spinlock buddy taken twice by hart 0"));
	} else {
		spin_lock(&inner);
		spin_lock(&inner);
		fail();
	}
}

static void test_unnamed(void **state)
{
	struct spinlock nobody = {0};

	release_all();
	if (HOST_PANICS()) {
		assert_non_null(strstr(host_panic_text, "never initialised"));
	} else {
		spin_lock(&nobody);
		fail();
	}
}

static void test_release_of_anothers(void **state)
{
	release_all();
	host_hart = 1;
	this_hart()->index = 1;
	spin_lock(&inner);
	host_hart = 0;
	if (HOST_PANICS()) {
		assert_non_null(strstr(host_panic_text, "released by hart 0, held by hart 1"));
	} else {
		spin_unlock(&inner);
		fail();
	}
}

/* A lock that another hart holds is waited for, and the failure counted; the hart that holds it keeps its name on it. */
static void let_go(void)
{
	host_hart = 1;
	assert_true(spin_held(&inner));
	spin_unlock(&inner);
	host_hart = 0;
}

static void test_wait(void **state)
{
	u64 before = lock_rank_contended(LOCK_buddy);

	release_all();
	host_hart = 1;
	this_hart()->index = 1;
	spin_lock(&inner);
	host_hart = 0;
	host_relax_hook = let_go;
	spin_lock(&inner);
	assert_true(spin_held(&inner));
	assert_int_equal(inner.nr_contended, 1);
	assert_int_equal(lock_rank_contended(LOCK_buddy), before + 1);
	spin_unlock(&inner);
	assert_int_equal(this_hart()->irq_off_depth, 0);
}

/* Within a push, interrupts are not turned off again; only the last pop turns them on. */
static void test_irq_depth(void **state)
{
	release_all();
	irq_push();
	spin_lock(&inner);
	assert_int_equal(this_hart()->irq_off_depth, 2);
	spin_unlock(&inner);
	irq_pop();
	assert_int_equal(this_hart()->irq_off_depth, 0);
	if (HOST_PANICS())
		assert_non_null(strstr(host_panic_text, "irq_pop without irq_push on hart 0"));
	else
		irq_pop();
}

static void test_names(void **state)
{
	assert_string_equal(lock_rank_name(LOCK_kprintf), "kprintf");
	assert_string_equal(lock_rank_name(LOCK_NR), "(bad rank)");
	spin_init(&inner, LOCK_buddy, NULL);
	assert_string_equal(inner.name, "buddy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good_order), cmocka_unit_test(test_wrong_order),
	    cmocka_unit_test(test_same_rank),  cmocka_unit_test(test_twice),
	    cmocka_unit_test(test_unnamed),    cmocka_unit_test(test_release_of_anothers),
	    cmocka_unit_test(test_wait),       cmocka_unit_test(test_irq_depth),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
