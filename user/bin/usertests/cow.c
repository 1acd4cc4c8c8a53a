/* SPDX-License-Identifier: MIT */
/* fork's copy on write: who sees which write, who copies, who frees. */
#include "tests.h"

static char *memory;
static long nr;

static void take_memory(long pages)
{
	char *end = sbrk(0);

	CHECK(sbrk((long)(-(uintptr_t)end & (PAGE_BYTES - 1))));
	nr = pages;
	memory = sbrk(pages * (long)PAGE_BYTES);
	CHECK(memory);
	for (long i = 0; i < nr; i++)
		memory[i * (long)PAGE_BYTES] = (char)i;
}

static void check_memory(int add)
{
	for (long i = 0; i < nr; i++)
		CHECK_EQ(memory[i * (long)PAGE_BYTES], (char)(i + add));
}

static void write_memory(int add)
{
	for (long i = 0; i < nr; i++)
		memory[i * (long)PAGE_BYTES] = (char)(i + add);
}

static void test_isolation(void)
{
	int go[2];
	char c;

	take_memory(20);
	CHECK_EQ(pipe(go), 0);
	int pid = fork();
	if (pid == 0) {
		check_memory(0);
		write_memory(1);
		check_memory(1);
		close(go[1]);
		read(go[0], &c, 1); /* until the parent has written, too */
		check_memory(1);
		exit(0);
	}
	write_memory(2);
	close(go[1]);
	CHECK_EQ(finish(pid), 0);
	check_memory(2);
}

static void test_sole_owner(void)
{
	/* Once the other sharers are gone, a write copies nothing. */
	take_memory(30);
	int pid = fork();
	if (pid == 0)
		exit(0);
	CHECK_EQ(finish(pid), 0);
	uint64_t pages = settled_pages();
	write_memory(3);
	CHECK_EQ(settled_pages(), pages);
	check_memory(3);
}

static void test_shared_memory_is_shared(void)
{
	/* A fork of a process with 200 pages takes far less than 200. */
	int go[2];
	char c;

	take_memory(200);
	CHECK_EQ(pipe(go), 0);
	uint64_t pages = free_pages();
	int pid = fork();
	if (pid == 0) {
		close(go[1]);
		read(go[0], &c, 1);
		exit(0);
	}
	CHECK(pages - free_pages() < 60);
	close(go[1]);
	CHECK_EQ(finish(pid), 0);
}

static void test_system_calls_copy(void)
{
	/* What the kernel writes for the child must not reach the parent, and the other way round. */
	int fds[2];

	make_file("f", 8 * 4096, 1);
	take_memory(8);
	CHECK_EQ(pipe(fds), 0);
	int pid = fork();
	if (pid == 0) {
		int fd = (int)CHECK_OK(open("f", O_RDONLY));
		CHECK_EQ(read(fd, memory + 100, 4 * PAGE_BYTES), 4 * PAGE_BYTES);
		CHECK(pattern_matches(memory + 100, 4 * PAGE_BYTES, 0, 1));
		CHECK_EQ(read(fds[0], memory + 5 * PAGE_BYTES, 5), 5);
		CHECK_EQ(memcmp(memory + 5 * PAGE_BYTES, "hello", 5), 0);
		CHECK_EQ(fstat(fd, (struct stat *)(memory + 6 * PAGE_BYTES)), 0);
		CHECK_EQ(pipe((int *)(memory + 7 * PAGE_BYTES)), 0);
		exit(0);
	}
	CHECK_EQ(write(fds[1], "hello", 5), 5);
	CHECK_EQ(finish(pid), 0);
	check_memory(0);
}

static void write_half(long who)
{
	check_memory(0);
	for (long i = who % 2; i < nr; i += 2)
		memory[i * (long)PAGE_BYTES] = (char)(who + 50);
	yield();
	for (long i = 0; i < nr; i++)
		CHECK_EQ(memory[i * (long)PAGE_BYTES], i % 2 == who % 2 ? (char)(who + 50) : (char)i);
}

static void test_many_sharers(void)
{
	take_memory(16);
	for (int i = 0; i < 20; i++)
		start(write_half, i);
	finish_all(20);
	check_memory(0);
}

static void fork_again(long depth)
{
	check_memory((int)(9 - depth));
	write_memory((int)(10 - depth));
	if (depth > 0)
		CHECK_EQ(run_child(fork_again, depth - 1), 0);
	check_memory((int)(10 - depth));
}

static void test_generations(void)
{
	take_memory(10);
	CHECK_EQ(run_child(fork_again, 9), 0);
	check_memory(0);
}

static int tell[2];

static void outlive(long unused)
{
	/* The parent and its parent are gone; the shared pages are ours now. */
	while (getppid() != 1)
		sleep_ms(1);
	check_memory(0);
	write_memory(4);
	check_memory(4);
	CHECK_EQ(write(tell[1], "k", 1), 1);
}

static void fork_and_leave(long generations)
{
	if (generations > 0)
		start(fork_and_leave, generations - 1);
	else
		outlive(0);
}

static void test_exit_order(void)
{
	char c;

	take_memory(12);
	CHECK_EQ(pipe(tell), 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(run_child(fork_and_leave, 2), 0);
		CHECK_EQ(read(tell[0], &c, 1), 1);
	}
	check_memory(0);
	write_memory(1);
	check_memory(1);
}

static void shrink_and_grow(long unused)
{
	check_memory(0);
	CHECK(sbrk(-nr * (long)PAGE_BYTES));
	CHECK(sbrk(nr * (long)PAGE_BYTES));
	for (long i = 0; i < nr; i++)
		CHECK_EQ(memory[i * (long)PAGE_BYTES], 0);
}

static void test_shrink(void)
{
	take_memory(16);
	start(shrink_and_grow, 0);
	start(write_half, 1);
	finish_all(2);
	check_memory(0);
}

static void test_most_of_memory(void)
{
	/* More than half of what is free: a fork that copied could not work. */
	take_memory((long)(free_pages() * 6 / 10));
	for (int i = 0; i < 3; i++) {
		int pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			for (long k = 0; k < nr; k += nr / 10)
				memory[k * (long)PAGE_BYTES] = 'c';
			exit(0);
		}
	}
	finish_all(3);
	check_memory(0);
}

static void test_text_and_data(void)
{
	/* Initialised data and the stack are shared in the same way. */
	static volatile int data = 1234;
	volatile int on_stack = 77;
	int pid = fork();

	if (pid == 0) {
		data = 1;
		on_stack = 2;
		CHECK_EQ(data + on_stack, 3);
		exit(0);
	}
	CHECK_EQ(finish(pid), 0);
	CHECK_EQ(data, 1234);
	CHECK_EQ(on_stack, 77);
}

static void write_all_at_once(long who)
{
	for (int round = 0; round < 5; round++) {
		write_memory((int)who + round);
		check_memory((int)who + round);
	}
}

static void test_at_once(void)
{
	take_memory(64);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 4; i++)
			start(write_all_at_once, i + 1);
		write_memory(round);
		finish_all(4);
		check_memory(round);
		write_memory(0);
	}
}

const struct test tests_cow[] = {
    {"cow-isolation", test_isolation, 0, "parent and child do not see each other's writes"},
    {"cow-sole-owner", test_sole_owner, 0, "the last sharer copies nothing"},
    {"cow-sharing", test_shared_memory_is_shared, 0, "fork takes few pages"},
    {"cow-system-calls", test_system_calls_copy, 0, "the kernel's own writes copy, too"},
    {"cow-many-sharers", test_many_sharers, 0, "twenty sharers write half of the pages"},
    {"cow-generations", test_generations, 0, "fork after fork, each with its own view"},
    {"cow-exit-order", test_exit_order, 0, "parents leave before their children"},
    {"cow-shrink", test_shrink, 0, "sbrk gives back shared pages"},
    {"cow-big", test_most_of_memory, 0, "fork with more than half of memory"},
    {"cow-data", test_text_and_data, 0, "static data and the stack"},
    {"cow-at-once", test_at_once, 0, "sharers on all harts write the same pages"},
    {NULL, NULL, 0, NULL},
};
