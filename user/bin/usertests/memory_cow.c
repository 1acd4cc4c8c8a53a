/* SPDX-License-Identifier: MIT */
/* Copies on write that find no memory: the writer dies, the other sharers and the kernel live, every page comes back. */
#include "tests.h"

static char *memory;
static long nr;

/* More than half of what is free, so that a second copy of all of it has no room. */
static void hold_most(void)
{
	nr = (long)(free_pages() * 6 / 10);
	memory = sbrk(nr * (long)PAGE_BYTES);
	CHECK(memory);
	for (long i = 0; i < nr; i++)
		*(long *)(memory + i * (long)PAGE_BYTES) = i;
}

static void check_held(void)
{
	for (long i = 0; i < nr; i++)
		CHECK_EQ(*(long *)(memory + i * (long)PAGE_BYTES), i);
}

static void write_all(long unused)
{
	for (long i = 0; i < nr; i++)
		*(long *)(memory + i * (long)PAGE_BYTES) = -i;
	FAIL("copied %ld pages", nr);
}

static void test_writer_is_killed(void)
{
	hold_most();
	for (int round = 0; round < 2; round++) {
		check_killed(write_all, 0);
		check_held();
	}
}

/* The kernel is the one who writes to the shared pages, for the child. */
static void read_over_all(long unused)
{
	int fd = (int)CHECK_OK(open("/dev/zero", O_RDONLY));
	long done = 0, n;

	while (done < nr && (n = read(fd, memory + done * (long)PAGE_BYTES, 64 * PAGE_BYTES)) > 0)
		done += n / (long)PAGE_BYTES;
	CHECK(done < nr);
}

static void test_copy_to_user(void)
{
	hold_most();
	int status = run_child(read_over_all, 0);
	CHECK(status == 0 || status == KILLED);
	check_held();
}

static void test_others_live_on(void)
{
	/* Two writers want what is there for less than one; a third process only looks. */
	hold_most();
	start_together(2, write_all, 0);
	for (int i = 0; i < 3; i++)
		check_held();
	for (int i = 0; i < 2; i++) {
		int status = 0;
		CHECK(wait(&status) > 0);
		CHECK_EQ(status, KILLED);
	}
	check_held();
}

const struct test tests_memory_cow[] = {
    {"memory-cow", test_writer_is_killed, 0, "a child that writes more shared pages than can be copied"},
    {"memory-cow-read", test_copy_to_user, 0, "the same, written by a read"},
    {"memory-cow-two", test_others_live_on, TEST_SLOW, "two such children at once"},
    {NULL, NULL, 0, NULL},
};
