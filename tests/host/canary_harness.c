/* SPDX-License-Identifier: MIT */
/*
 * Must fail, in each of the three ways that the tests rely on; run-host-tests is red if it passes. One program shows
 * one failure, so each way runs in a child, and the program fails as it should only if all children do.
 */
#include <host/host_test.h>
#include <kernel/page.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct holder holder = {1, 1};

static int boot(void **state)
{
	host_boot(8UL << 20, 1);
	return 0;
}

/* An invariant that is broken must be reported by the check. */
static void test_broken_count(void **state)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, holder, 0);

	page->count = -1;
	assert_sound(page_check());
}

/* A panic that no test expects must end the program. */
static void test_panic(void **state)
{
	panic("canary");
}

/* The sanitizers must be awake. */
static void test_out_of_bounds(void **state)
{
	u8 *bytes = malloc(16);

	bytes[host_random_below(1) + 16] = 1;
	free(bytes);
}

static bool child_fails(void (*test)(void **state))
{
	const struct CMUnitTest tests[] = {{"canary", test, NULL, NULL, NULL}};
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		exit(cmocka_run_group_tests(tests, boot, NULL));
	waitpid(pid, &status, 0);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

int main(void)
{
	bool all = child_fails(test_broken_count) & child_fails(test_panic) & child_fails(test_out_of_bounds);

	return all ? 1 : 0;
}
