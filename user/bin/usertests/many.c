/* SPDX-License-Identifier: MIT */
/* Mappings by the thousand: what they cost a fork, and what becomes of a page that all of them show. */
#include "tests.h"

#define MANY 32000
#define FEW 3000 /* where there is little memory: a page holds about 30 */

static long nr_mappings(void)
{
	return free_pages() > 8000 ? MANY : FEW;
}

static void map_one_by_one(long nr)
{
	for (long i = 0; i < nr; i++) {
		char *memory =
		    mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(memory);
		if (i % 100 == 0)
			*memory = (char)i;
	}
}

static void end_at_once(long arg) {}

static void test_mappings(void)
{
	long nr = nr_mappings(), before;

	map_one_by_one(nr);
	before = uptime();
	int pid = start(end_at_once, 0);
	printf("  fork of %ld mappings: %ld ms\n", nr, uptime() - before);
	CHECK_EQ(finish(pid), 0);
}

static void fork_for_ever(long fd)
{
	map_one_by_one(nr_mappings());
	CHECK_EQ(write((int)fd, "x", 1), 1);
	for (;;) {
		int pid = fork();

		if (pid == 0)
			exit(0);
		if (pid > 0)
			wait_pid(pid, NULL);
	}
}

/* Killed at any place in a fork: it ends, and what the fork had made goes. */
static void test_killed(void)
{
	for (long i = 0; i < 5; i++) {
		int ends[2], status;
		char byte;

		CHECK_OK(pipe(ends));
		int pid = start(fork_for_ever, ends[1]);
		CHECK_EQ(read(ends[0], &byte, 1), 1);
		sleep_ms(1 + 7 * i);
		long before = uptime();
		CHECK_EQ(kill(pid), 0);
		CHECK_EQ(wait_pid(pid, &status), pid);
		CHECK_EQ(status, KILLED);
		printf("  killed in a fork: %ld ms\n", uptime() - before);
		close(ends[0]);
		close(ends[1]);
	}
}

/* ---- references ---- */

#define MAPPINGS_EACH 2400

static char *shown_at[MAPPINGS_EACH];

static void wait_for_end(long fd)
{
	char byte;

	read((int)fd, &byte, 1);
}

/* Children of a process with a page mapped 2400 times have it as often: a fork is refused before the page's count ends. */
static void test_references(void)
{
	static char page[PAGE_BYTES];
	int nr = 0, ends[2], pid = 0;
	int fd = (int)CHECK_OK(creat("page"));

	CHECK_EQ(write(fd, page, PAGE_BYTES), PAGE_BYTES);
	for (int i = 0; i < MAPPINGS_EACH; i++) {
		shown_at[i] = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_PRIVATE, fd, 0);
		CHECK(shown_at[i]);
		CHECK_EQ(*shown_at[i], 0);
	}
	CHECK_OK(pipe(ends));
	for (; nr < 40; nr++) {
		pid = fork();
		if (pid == 0) {
			close(ends[1]);
			wait_for_end(ends[0]);
			exit(0);
		}
		if (pid < 0)
			break;
	}
	CHECK_EQ(pid, -ENOMEM);
	printf("  %d references to a page, then fork says ENOMEM\n", (nr + 1) * MAPPINGS_EACH);
	close(ends[1]);
	finish_all(nr);
	/* With the others gone there is room again. */
	CHECK_EQ(run_child(load_byte, (long)shown_at[0]), 0);
	for (int i = 0; i < MAPPINGS_EACH; i++)
		CHECK_EQ(munmap(shown_at[i], PAGE_BYTES), 0);
}

const struct test tests_many[] = {
    {"many-mappings", test_mappings, 0, "a fork with 32000 mappings"},
    {"many-killed", test_killed, 0, "killed in such a fork"},
    {"many-references", test_references, 0, "more references to a page than it can have"},
    {NULL, NULL, 0, NULL},
};
