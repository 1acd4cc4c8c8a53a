/* SPDX-License-Identifier: MIT */
/* Lazy memory at its edges: holes that system calls, fork and exec meet, and the limits of what may be touched. */
#include "../usertests/tests.h"

#define MIB (1024L * 1024)
#define PAGES(n) ((n) * (long)PAGE_BYTES)

static void test_arguments_in_holes(void)
{
	/* Untouched memory reads as zeros, for the kernel, too. */
	char *memory = sbrk_lazy(PAGES(64));

	CHECK(memory);
	memory = (char *)(((uintptr_t)memory + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1));
	int fd = (int)CHECK_OK(creat("zeros"));
	CHECK_EQ(write(fd, memory + 100, (size_t)PAGES(10)), PAGES(10));
	CHECK_EQ(file_size("zeros"), PAGES(10));
	close(fd);
	CHECK_EQ(unlink(memory + PAGES(20)), -ENOENT);
	CHECK_EQ(mkdir(memory + PAGES(21)), -ENOENT);
	CHECK_EQ(exec(memory + PAGES(22), NULL), -ENOENT);
	/* argv in a hole: no arguments at all. */
	int pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		exit(exec("/bin/true", (char *const *)(memory + PAGES(23))) < 0);
	CHECK_EQ(finish(pid), 0);
	/* Across the border from a page that is there to one that is not. */
	memcpy(memory + PAGES(31) - 4, "zero", 4);
	CHECK_EQ(open(memory + PAGES(31) - 4, O_RDONLY), -ENOENT);
	CHECK_EQ(mkdir("d"), 0);
	memcpy(memory + PAGES(33) - 1, "d", 1);
	CHECK_EQ(chdir(memory + PAGES(33) - 1), 0);
	CHECK_EQ(chdir(".."), 0);
}

static void test_fork_of_holes(void)
{
	const long size = 1024 * MIB, stride = 64 * MIB;
	char *memory = sbrk_lazy(size);

	CHECK(memory);
	for (long at = 0; at < size; at += 2 * stride)
		memory[at] = 1;
	for (int i = 0; i < 4; i++) {
		int pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			for (long at = 0; at < size; at += stride) {
				CHECK_EQ(memory[at], at % (2 * stride) == 0);
				memory[at] = (char)(10 + i);
			}
			for (long at = 0; at < size; at += stride)
				CHECK_EQ(memory[at], 10 + i);
			exit(0);
		}
	}
	finish_all(4);
	for (long at = 0; at < size; at += stride)
		CHECK_EQ(memory[at], at % (2 * stride) == 0);
}

static void test_outside(void)
{
	char *memory = sbrk_lazy(PAGES(100));

	CHECK(memory);
	uintptr_t end = ((uintptr_t)sbrk(0) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	CHECK_EQ(run_child(store_byte, (long)end - 1), 0);
	check_killed(store_byte, (long)end);
	check_killed(load_byte, (long)end + 17 * MIB);
	CHECK_EQ(read(0, (void *)end, 0), 0);
	int fd = (int)CHECK_OK(open("/dev/zero", O_RDONLY));
	CHECK_EQ(read(fd, (void *)end, 10), -EFAULT);
	CHECK_EQ(pipe((int *)end), -EFAULT);
	CHECK_EQ(open((char *)end, O_RDONLY), -EFAULT);
	close(fd);
	/* What was given back is outside, though it was inside. */
	CHECK(sbrk(-PAGES(50)));
	check_killed(store_byte, (long)end - 1);
	CHECK(sbrk_lazy(PAGES(50)));
	CHECK_EQ(run_child(load_byte, (long)end - 1), 0);
}

static long part; /* bytes */

static void fill_lazily(long seed)
{
	const long size = part;
	char *memory = sbrk_lazy(size);

	CHECK(memory);
	for (int round = 0; round < 3; round++) {
		pattern_fill(memory, (size_t)size, 0, (unsigned)(seed + round));
		CHECK(pattern_matches(memory, (size_t)size, 0, (unsigned)(seed + round)));
		CHECK(sbrk(-size));
		CHECK(sbrk_lazy(size) == memory);
		for (long at = 0; at < size; at += PAGES(7))
			CHECK_EQ(memory[at], 0);
	}
}

static void test_at_once(void)
{
	part = MIN(4 * MIB, PAGES((long)free_pages() / 8));
	for (int i = 0; i < 4; i++)
		start(fill_lazily, 10 * i);
	finish_all(4);
}

static void test_random(void)
{
	/* A heap that grows both ways of growing and shrinks, against a list of what was written. */
	enum { NR = 300 };
	static unsigned char written[NR];
	char *base = sbrk((long)(PAGE_BYTES - (uintptr_t)sbrk(0) % PAGE_BYTES));
	uint64_t state = 99;
	long nr = 0;

	base = sbrk(0);
	for (int step = 0; step < 4000; step++) {
		long i = nr ? (long)(random_next(&state) % (uint64_t)nr) : 0;
		long n = (long)(random_next(&state) % 20);
		switch (random_next(&state) % 6) {
		case 0:
			n = MIN(n, NR - nr);
			CHECK(random_next(&state) % 2 ? sbrk(PAGES(n)) : sbrk_lazy(PAGES(n)));
			memset(written + nr, 0, (size_t)n);
			nr += n;
			break;
		case 1:
			n = MIN(n, nr);
			CHECK(sbrk(-PAGES(n)));
			nr -= n;
			break;
		case 2:
			if (nr)
				base[PAGES(i) + 8 * i] = (char)(written[i] = (unsigned char)(step | 1));
			break;
		default:
			if (nr)
				CHECK_EQ((unsigned char)base[PAGES(i) + 8 * i], written[i]);
		}
	}
	CHECK(sbrk(0) == base + PAGES(nr));
}

static void touch_until_killed(long size)
{
	char *memory = sbrk_lazy(size);

	CHECK(memory);
	for (long at = 0; at < size; at += PAGES(1))
		memory[at] = 1;
	FAIL("wrote %ld bytes", size);
}

static void test_more_than_there_is(void)
{
	/* The one who touches too much dies; who holds memory beside it keeps it. */
	char *mine = sbrk_lazy(PAGES(200));

	CHECK(mine);
	pattern_fill(mine, (size_t)PAGES(200), 0, 3);
	for (int round = 0; round < 2; round++)
		check_killed(touch_until_killed, 8192 * MIB);
	CHECK(pattern_matches(mine, (size_t)PAGES(200), 0, 3));
}

extern const struct test tests_lazy[];
const struct test tests_lazy[] = {
    {"lazy-arguments", test_arguments_in_holes, 0, "system calls are given what nobody touched"},
    {"lazy-fork", test_fork_of_holes, 0, "fork of 1 GiB, mostly holes"},
    {"lazy-outside", test_outside, 0, "one byte beyond, in programs and calls"},
    {"lazy-at-once", test_at_once, 0, "four fill and drop up to 4 MiB each"},
    {"lazy-random", test_random, 0, "grown both ways and shrunk, against a model"},
    {"lazy-too-much", test_more_than_there_is, 0, "8 GiB reserved and touched"},
    {NULL, NULL, 0, NULL},
};
