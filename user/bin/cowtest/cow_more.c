/* SPDX-License-Identifier: MIT */
/* Copy on write at its edges: many sharers, deep stacks, sharers that die or exec in the middle of a copy. */
#include "../usertests/tests.h"

enum { NR = 24 };
static char *memory;

static void take_memory(void)
{
	char *end = sbrk(0);

	CHECK(sbrk((long)(-(uintptr_t)end & (PAGE_BYTES - 1))));
	memory = sbrk(NR * (long)PAGE_BYTES);
	CHECK(memory);
	pattern_fill(memory, NR * PAGE_BYTES, 0, 1);
}

static void check_memory(void)
{
	CHECK(pattern_matches(memory, NR * PAGE_BYTES, 0, 1));
}

static void write_for_ever(long unused)
{
	for (unsigned seed = 2;; seed++)
		pattern_fill(memory, NR * PAGE_BYTES, 0, seed);
}

static void test_killed_in_the_middle(void)
{
	take_memory();
	for (int round = 0; round < 20; round++) {
		int pid = start(write_for_ever, 0);
		if (round % 4)
			sleep_ms(round % 4);
		CHECK_EQ(kill(pid), 0);
		CHECK_EQ(finish(pid), KILLED);
		check_memory();
	}
}

static void test_exec_in_the_middle(void)
{
	char *const argv[] = {"true", NULL};

	take_memory();
	for (int round = 0; round < NR; round++) {
		int pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			memset(memory, 9, (size_t)round * PAGE_BYTES);
			exec("/bin/true", argv);
			exit(1);
		}
		CHECK_EQ(finish(pid), 0);
	}
	check_memory();
}

/* Each call writes its own part of the stack, then looks at its caller's. */
static int recurse(int depth, const volatile char *callers, char wanted)
{
	volatile char mine[500];

	for (size_t i = 0; i < sizeof(mine); i++)
		mine[i] = (char)depth;
	if (depth > 0 && recurse(depth - 1, mine, (char)depth) != depth - 1)
		return -1;
	for (size_t i = 0; callers && i < sizeof(mine); i++)
		if (callers[i] != wanted)
			return -1;
	return depth;
}

static void use_stack(long unused)
{
	CHECK_EQ(recurse(200, NULL, 0), 200);
}

static void test_stacks(void)
{
	/* The stack is grown first, so that all share its pages and each child writes all of them. */
	use_stack(0);
	for (int i = 0; i < 6; i++)
		start(use_stack, 0);
	use_stack(0);
	finish_all(6);
}

static void test_three_hundred_sharers(void)
{
	/* More than a count of eight bits could tell. */
	int hold[2], made = 0, wanted = (int)MIN(300, free_pages() / 20);
	char c;

	take_memory();
	CHECK_EQ(pipe(hold), 0);
	for (; made < wanted; made++) {
		int pid = fork();
		if (pid < 0)
			break;
		if (pid == 0) {
			close(hold[1]);
			read(hold[0], &c, 1);
			memory[made % NR * (long)PAGE_BYTES]++;
			exit(0);
		}
	}
	CHECK_EQ(made, wanted);
	check_memory();
	close(hold[0]);
	close(hold[1]);
	finish_all(made);
	check_memory();
}

static void test_private_file(void)
{
	/* A file's pages: shared with the cache, with the parent, with the brother. */
	make_file("f", NR * 4096L, 1);
	int fd = (int)CHECK_OK(open("f", O_RDWR));
	memory = mmap(NULL, NR * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(memory);
	check_memory();
	for (int i = 0; i < 4; i++) {
		int pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			pattern_fill(memory, NR * PAGE_BYTES, 0, 5 + (unsigned)i);
			yield();
			CHECK(pattern_matches(memory, NR * PAGE_BYTES, 0, 5 + (unsigned)i));
			exit(0);
		}
	}
	finish_all(4);
	check_memory();
	check_file("f", NR * 4096L, 1);
	close(fd);
}

static void test_copies_are_freed(void)
{
	/* A child's copies and the shared originals, counted one by one. */
	int done[2], go[2];
	char c = 0;

	take_memory();
	CHECK_EQ(pipe(done), 0);
	CHECK_EQ(pipe(go), 0);
	int pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		memory[0]++;
		CHECK_EQ(write(done[1], &c, 1), 1);
		read(go[0], &c, 1);
		for (int i = 1; i < NR; i++)
			memory[i * (long)PAGE_BYTES]++;
		CHECK_EQ(write(done[1], &c, 1), 1);
		read(go[0], &c, 1);
		exit(0);
	}
	CHECK_EQ(read(done[0], &c, 1), 1);
	uint64_t before = settled_pages();
	CHECK_EQ(write(go[1], &c, 1), 1);
	CHECK_EQ(read(done[0], &c, 1), 1);
	CHECK_EQ(before - settled_pages(), NR - 1);
	close(go[1]);
	CHECK_EQ(finish(pid), 0);
	before = settled_pages();
	memset(memory, 3, NR * PAGE_BYTES);
	CHECK_EQ(settled_pages(), before);
}

extern const struct test tests_cow_more[];
const struct test tests_cow_more[] = {
    {"cow-killed", test_killed_in_the_middle, 0, "sharers are killed while they copy"},
    {"cow-exec", test_exec_in_the_middle, 0, "sharers exec when they have copied some"},
    {"cow-stacks", test_stacks, 0, "seven write one deep stack"},
    {"cow-300", test_three_hundred_sharers, TEST_SLOW,
     "three hundred share, or as many as there is room for"},
    {"cow-file", test_private_file, 0, "private pages of a file"},
    {"cow-counted", test_copies_are_freed, 0, "a copy is one page, and the last sharer needs none"},
    {NULL, NULL, 0, NULL},
};
