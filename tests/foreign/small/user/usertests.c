/* SPDX-License-Identifier: MIT */
/*
 * Tests of the kernel, by its system calls. Each runs in a process of its own and passes by ending with status 0:
 *
 *     test fork: OK
 *     ...
 *     ALL TESTS PASSED
 *
 * At the end as many pages must be free as before the first test.
 */
#include "user.h"

#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			print("failed: line %d ", __LINE__);                                                 \
			exit(1);                                                                             \
		}                                                                                            \
	} while (0)

static char shared[5 * PGSIZE];

/* The status of a child that runs the function. */
static int in_child(void (*function)(void))
{
	int status, pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		function();
		exit(0);
	}
	CHECK(wait(&status) == pid);
	return status;
}

static void test_fork(void)
{
	int sum = 0, status;

	for (int i = 0; i < 10; i++) {
		int pid = fork();

		CHECK(pid >= 0);
		if (pid == 0)
			exit(i);
	}
	for (int i = 0; i < 10; i++) {
		CHECK(wait(&status) > 0);
		sum += status;
	}
	CHECK(sum == 45 && wait(NULL) == -1);
}

static void write_shared(void)
{
	for (int i = 0; i < (int)sizeof(shared); i += 512) {
		CHECK(shared[i] == 7);
		shared[i] = 8;
	}
	for (int i = 0; i < (int)sizeof(shared); i += 512)
		CHECK(shared[i] == 8);
}

static void test_copy(void)
{
	for (int i = 0; i < (int)sizeof(shared); i += 512)
		shared[i] = 7;
	for (int i = 0; i < 3; i++)
		CHECK(in_child(write_shared) == 0);
	for (int i = 0; i < (int)sizeof(shared); i += 512)
		CHECK(shared[i] == 7);
	write_shared(); /* nobody shares them any more */
}

static void test_sbrk(void)
{
	char *start = sbrk(20 * PGSIZE);

	CHECK(start != FAILED);
	for (int i = 0; i < 20; i++) {
		CHECK(start[i * PGSIZE] == 0);
		start[i * PGSIZE] = (char)i;
	}
	CHECK(sbrk(-10 * PGSIZE) == start + 20 * PGSIZE);
	CHECK(sbrk(10 * PGSIZE) == start + 10 * PGSIZE);
	CHECK(start[9 * PGSIZE] == 9 && start[10 * PGSIZE] == 0);
	CHECK(sbrk(-(1 << 30)) == FAILED);
}

static void run_hello(void)
{
	exec("hello", "world");
	exit(1);
}

static void run_missing(void)
{
	CHECK(exec("nothing", "") == -1);
}

static void run_broken(void)
{
	CHECK(exec("broken", "") == -1);
}

static void test_exec(void)
{
	CHECK(in_child(run_hello) == 42);
	CHECK(in_child(run_missing) == 0);
	CHECK(in_child(run_broken) == 0);
}

/* Writes more than a pipe holds; the child checks every byte. */
static void test_pipe(void)
{
	char bytes[100];
	int fds[2], pid, status, n, next = 0;

	CHECK(pipe(fds) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(fds[1]);
		while ((n = read(fds[0], bytes, sizeof(bytes))) > 0)
			for (int i = 0; i < n; i++)
				CHECK(bytes[i] == (char)next++);
		exit(next == 5000 ? 0 : 1);
	}
	close(fds[0]);
	for (int i = 0; i < 50; i++) {
		for (int j = 0; j < 100; j++)
			bytes[j] = (char)next++;
		CHECK(write(fds[1], bytes, sizeof(bytes)) == sizeof(bytes));
	}
	close(fds[1]);
	CHECK(wait(&status) == pid && status == 0);
}

static void test_pipe_limits(void)
{
	int fds[2], n = 0;
	char byte = 1;

	CHECK(pipe(NULL) == 0 || pipe((int *)-8UL) == -1);
	while (pipe(fds) == 0)
		n++;
	CHECK(n >= 3 && pipe(fds) == -1);
	close(fds[0]);
	CHECK(write(fds[1], &byte, 1) == -1); /* nobody can read it */
}

static void touch_mapping(void)
{
	char *map = mmap(6 * PGSIZE, 1);

	CHECK(map != FAILED);
	for (int i = 0; i < 6; i += 2)
		map[i * PGSIZE] = (char)(i + 1);
	CHECK(map[2 * PGSIZE] == 3 && map[3 * PGSIZE] == 0);
	CHECK(munmap(map + PGSIZE, PGSIZE) == -1);
	CHECK(munmap(map, 2 * PGSIZE) == 0);
	CHECK(munmap(map + 5 * PGSIZE, PGSIZE) == 0);
	CHECK(map[4 * PGSIZE] == 5);
}

/* A mapping that parent and child have, each with its own contents. */
static void test_mmap_fork(void)
{
	char *map = mmap(3 * PGSIZE, 1);
	int status, pid;

	map[0] = map[PGSIZE] = 1;
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		map[0] = 2;
		map[2 * PGSIZE] = 2;
		exit(map[PGSIZE] == 1 ? 0 : 1);
	}
	CHECK(wait(&status) == pid && status == 0);
	CHECK(map[0] == 1 && map[PGSIZE] == 1 && map[2 * PGSIZE] == 0);
	CHECK(munmap(map, 3 * PGSIZE) == 0);
}

static void test_mmap(void)
{
	CHECK(in_child(touch_mapping) == 0);
	touch_mapping();
}

static void write_readonly(void)
{
	char *map = mmap(PGSIZE, 0);

	*(volatile char *)map = 1;
}

static void read_kernel(void)
{
	(void)*(volatile char *)0x80000000UL;
}

static void write_guard(void)
{
	char *top = sbrk(0);

	*(volatile char *)(top - 2 * PGSIZE) = 1;
}

/* Accesses that end the process. */
static void test_faults(void)
{
	CHECK(in_child(write_readonly) == -1);
	CHECK(in_child(read_kernel) == -1);
	CHECK(in_child(write_guard) == -1);
	CHECK(write(1, (char *)0x80000000UL, 1) == -1);
}

static void spin(void)
{
	for (;;)
		;
}

static void test_kill(void)
{
	int fds[2], status, pids[2];
	char byte;

	CHECK(pipe(fds) == 0);
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i] == 0 && i == 0)
			spin();
		if (pids[i] == 0)
			read(fds[0], &byte, 1); /* sleeps: we can write, too, and do not */
	}
	for (int i = 0; i < 2; i++)
		CHECK(kill(pids[i]) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(wait(&status) > 0 && status == -1);
	CHECK(kill(12345) == -1);
}

/* As many processes as there are. */
static void test_many(void)
{
	int n = 0, pid, fds[2];
	char byte;

	CHECK(pipe(fds) == 0);
	while ((pid = fork()) > 0)
		n++;
	if (pid == 0) {
		close(fds[1]);
		read(fds[0], &byte, 1);
		exit(0);
	}
	close(fds[1]); /* lets them go */
	CHECK(n > 10);
	while (n-- > 0)
		CHECK(wait(NULL) > 0);
}

/* All memory; then neither fork() nor a mapping finds any. */
static void test_memory(void)
{
	char *map = mmap(8 * PGSIZE, 1);
	int big = 64 * PGSIZE, pid = 0, n = 0;

	while (sbrk(big) != FAILED)
		;
	while (sbrk(PGSIZE) != FAILED)
		;
	CHECK(freepages() == 0);
	CHECK(sbrk(-12 * PGSIZE) != FAILED);
	pid = fork(); /* the tables of so much memory need more than that */
	CHECK(pid == -1);
	CHECK(pipe((int *)shared) == 0);
	while (sbrk(PGSIZE) != FAILED)
		n++;
	CHECK(n > 0);
	*(volatile char *)map = 1; /* ends this process */
	exit(0);
}

static void test_oom(void)
{
	CHECK(in_child(test_memory) == -1);
}

static void work(void)
{
	for (int i = 0; i < 3; i++) {
		test_copy();
		touch_mapping();
		test_sbrk();
		sbrk(-20 * PGSIZE);
		CHECK(in_child(run_hello) == 42);
		yield();
	}
}

/* Four at a time, on as many harts as there are. */
static void test_parallel(void)
{
	int status;

	for (int i = 0; i < 4; i++) {
		int pid = fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			work();
			exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		CHECK(wait(&status) > 0 && status == 0);
}

static void leave_orphan(void)
{
	CHECK(fork() >= 0); /* both end now; the child may be the last */
}

static void test_orphan(void)
{
	for (int i = 0; i < 5; i++)
		CHECK(in_child(leave_orphan) == 0);
}

static const struct {
	const char *name;
	void (*function)(void);
} tests[] = {
    {"fork", test_fork},         {"copy", test_copy},          {"sbrk", test_sbrk},
    {"exec", test_exec},         {"pipe", test_pipe},          {"pipelimits", test_pipe_limits},
    {"mmap", test_mmap},         {"mmapfork", test_mmap_fork}, {"faults", test_faults},
    {"kill", test_kill},         {"many", test_many},          {"oom", test_oom},
    {"parallel", test_parallel}, {"orphan", test_orphan},
};

/* Orphans are reaped by init some time after their end; until then they have pages. */
static void wait_for_orphans(int wanted)
{
	for (int tries = 0; processes() > wanted && tries < 1000; tries++)
		pause(1);
}

int main(const char *only)
{
	int before = freepages(), running = processes(), after, failed = 0, ran = 0;

	for (u32 i = 0; i < NELEM(tests); i++) {
		int passed;

		if (only[0] && !equal(only, tests[i].name))
			continue;
		print("test %s: ", tests[i].name);
		passed = in_child(tests[i].function) == 0;
		print("%s\n", passed ? "OK" : "FAILED");
		failed += !passed;
		ran++;
	}
	wait_for_orphans(running);
	after = freepages();
	print("free pages: %d before, %d after\n", before, after);
	if (after < before)
		print("lost some free pages %d (out of %d)\n", before - after, before);
	failed += after != before || ran == 0;
	print(failed ? "SOME TESTS FAILED\n" : "ALL TESTS PASSED\n");
	return failed ? 1 : 0;
}
