/* SPDX-License-Identifier: MIT */
/* Kernel stacks: guard pages, reuse, refusal, and the stack that a hart stands on. */
#include <host/host_mm.h>
#include <kernel/audit.h>
#include <kernel/kstack.h>

/* KSTACK-1, KSTACK-2: a guard below each stack, and a slot of its own. */
static void test_kstack(void **state)
{
	void *stacks[100];

	for (u32 round = 0; round < 30; round++) {
		for (u32 i = 0; i < 100; i++) {
			stacks[i] = kstack_alloc((u16)(i + 1));
			assert_non_null(stacks[i]);
			assert_int_equal(((u64)stacks[i] - KSTACK_BASE) % KSTACK_SLOT_BYTES,
					 KSTACK_SLOT_BYTES - KSTACK_BYTES);
			for (u32 p = 0; p < KSTACK_PAGES; p++) {
				struct page *page = kstack_page(stacks[i], p);

				assert_int_equal(host_kernel_mapped((u64)stacks[i] + p * PAGE_SIZE),
						 page_to_pa(page));
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
	books_free -= 1; /* the window's table stays for ever */
}

/* TASK-2: the stack of a hart that has not left it is not freed. */
static void test_kstack_in_use(void **state)
{
	void *stack = kstack_alloc(5);
	static int task;

	harts[1].current = (struct task *)&task;
	harts[1].kernel_sp = (u64)stack + KSTACK_BYTES;
	kstack_free(stack, 5);
	assert_int_equal(audit_nr_incidents(), ++books_incidents);
	assert_non_null(kstack_page(stack, 0));
	assert_false(page_put(kstack_page(stack, 1), REF_KSTACK,
			      HOLDER(5, 1))); /* fault 2: put behind kstack's back */
	assert_int_equal(audit_nr_incidents(), ++books_incidents);
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
		assert_int_equal(page_nr_free(), books_free);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    MM_TEST(test_kstack),
	    MM_TEST(test_kstack_in_use),
	    MM_TEST(test_kstack_refused),
	};

	return cmocka_run_group_tests(tests, mm_boot, NULL);
}
