/* SPDX-License-Identifier: MIT */
/* Processes: fork, exit, wait, kill, sleep, time. */
#include "tests.h"

static void exit_with(long status)
{
	exit((int)status);
}

static void sleep_long(long unused)
{
	sleep_ms(1000000);
	FAIL("slept through being killed");
}

static void spin(long unused)
{
	for (;;)
		__asm__ volatile("");
}

static void test_exit_status(void)
{
	static const int statuses[] = {0,   1,    2,  42,   127,        128,        255,
				       256, 1000, -2, -100, 0x7fffffff, -0x7fffffff};

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		CHECK_EQ(run_child(exit_with, statuses[i]), statuses[i]);
}

static void test_fork_wait(void)
{
	int pids[40];

	for (int i = 0; i < 40; i++)
		pids[i] = start(exit_with, i);
	for (int i = 0; i < 40; i++) {
		int status = -1;
		int pid = (int)CHECK_OK(wait(&status));
		CHECK(status >= 0 && status < 40);
		CHECK_EQ(pid, pids[status]);
		pids[status] = 0; /* none comes twice */
	}
	CHECK_EQ(wait(NULL), -ECHILD);
}

static void test_wait_misuse(void)
{
	int status;

	CHECK_EQ(wait(&status), -ECHILD);
	CHECK_EQ(wait_nohang(&status), -ECHILD);
	int pid = start(sleep_long, 0);
	CHECK_EQ(wait_nohang(&status), 0);
	CHECK_EQ(sys_wait(&status, 77), -EINVAL);
	CHECK_EQ(kill(pid), 0);
	/* A bad place for the status is refused before the child is gone. */
	CHECK_EQ(wait((int *)0xffffffc080200000), -EFAULT);
	CHECK_EQ(finish(pid), KILLED);
}

static void grow_chain(long depth)
{
	exit(depth == 0 ? 1 : run_child(grow_chain, depth - 1) + 1);
}

/* Each makes two until the depth is reached; the statuses count the leaves. */
static void count_tree(long depth)
{
	int status, leaves = 0;

	if (depth == 0)
		exit(1);
	start(count_tree, depth - 1);
	start(count_tree, depth - 1);
	while (wait(&status) > 0)
		leaves += status;
	exit(leaves);
}

static void test_fork_tree(void)
{
	CHECK_EQ(run_child(count_tree, 5), 32);
	CHECK_EQ(run_child(grow_chain, 20), 21);
}

static void wait_for_init(long pipe_end)
{
	char c = 'i';

	while (getppid() != 1)
		sleep_ms(1);
	CHECK_EQ(write((int)pipe_end, &c, 1), 1);
}

static void leave_orphan(long pipe_end)
{
	start(wait_for_init, pipe_end);
	exit(0);
}

static void test_orphans_go_to_init(void)
{
	int fds[2];
	char c = 0;

	CHECK_EQ(pipe(fds), 0);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(run_child(leave_orphan, fds[1]), 0);
		CHECK_EQ(read(fds[0], &c, 1), 1);
		CHECK_EQ(c, 'i');
	}
}

static void test_pids(void)
{
	int me = getpid();

	CHECK(me > 1);
	int pid = fork();
	if (pid == 0) {
		CHECK(getpid() != me);
		CHECK_EQ(getppid(), me);
		exit(getpid() & 0x7fff);
	}
	CHECK(pid > 1 && pid != me);
	CHECK_EQ(finish(pid), pid & 0x7fff);
}

static void test_kill(void)
{
	static void (*const bodies[])(long) = {sleep_long, spin};
	static const int nobody[] = {0, -1, -2, 32000, 32767, 40000, 0x7fffffff};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		for (int round = 0; round < 5; round++) {
			int pid = start(bodies[i], 0);
			if (round & 1)
				sleep_ms(2);
			CHECK_EQ(kill(pid), 0);
			CHECK_EQ(finish(pid), KILLED);
			CHECK_EQ(kill(pid), -ESRCH);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(nobody); i++)
		CHECK_EQ(kill(nobody[i]), -ESRCH);
}

static void kill_self(long unused)
{
	kill(getpid());
	FAIL("still here");
}

static void wait_for_spinning_child(long unused)
{
	wait(NULL);
	FAIL("wait returned");
}

static void test_kill_self_and_waiter(void)
{
	CHECK_EQ(run_child(kill_self, 0), KILLED);
	/* A process that waits for its child dies; the child goes on, and is init's. */
	int fds[2];
	int child;
	CHECK_EQ(pipe(fds), 0);
	int parent = fork();
	if (parent == 0) {
		child = start(sleep_long, 0);
		CHECK_EQ(write(fds[1], &child, sizeof(child)), sizeof(child));
		wait_for_spinning_child(0);
	}
	CHECK_EQ(read(fds[0], &child, sizeof(child)), sizeof(child));
	sleep_ms(5);
	CHECK_EQ(kill(parent), 0);
	CHECK_EQ(finish(parent), KILLED);
	CHECK_EQ(kill(child), 0);
}

/* Kills at a random point of a child that forks, writes and exits all the time. */
static void make_trouble(long seed)
{
	uint64_t state = (uint64_t)seed;
	char name[24];

	snprintf(name, sizeof(name), "t%ld", seed);
	for (;;) {
		int fd = creat(name);
		write(fd, buffer, random_next(&state) % 5000);
		close(fd);
		unlink(name);
		int pid = fork();
		if (pid == 0)
			exit(0);
		wait(NULL);
	}
}

static void test_kill_anywhere(void)
{
	uint64_t state = 5;

	for (int round = 0; round < 25; round++) {
		int pid = start(make_trouble, round);
		sleep_ms((long)(random_next(&state) % 12));
		CHECK_EQ(kill(pid), 0);
		CHECK_EQ(finish(pid), KILLED);
	}
}

static void two_children(long rounds)
{
	for (long i = 0; i < rounds; i++) {
		int a = start(exit_with, 0), b = start(exit_with, 0);
		CHECK(a != b);
		finish_all(2);
	}
}

static void test_fork_and_exit_at_once(void)
{
	for (int i = 0; i < 4; i++)
		start(two_children, 15);
	finish_all(4);
}

static void count_up(long page)
{
	volatile long *counter = (volatile long *)(buffer + page);

	for (long i = 0; i < 300000; i++)
		++*counter;
	CHECK_EQ(*counter, 300000);
}

static void test_preemption(void)
{
	/* More spinning processes than harts; somebody else still gets his turn, and they theirs. */
	int spinning[10];

	for (int i = 0; i < 10; i++)
		spinning[i] = start(spin, 0);
	CHECK_EQ(run_child(count_up, 4096), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(kill(spinning[i]), 0);
	for (int i = 0; i < 10; i++) {
		int status;
		CHECK(wait(&status) > 0);
		CHECK_EQ(status, KILLED);
	}
	memset(buffer, 0, sizeof(buffer));
	for (int i = 0; i < 8; i++)
		start(count_up, i * 4096);
	finish_all(8);
}

static void hold_on(long fd)
{
	char c;

	read((int)fd, &c, 1);
}

static void test_many_processes(void)
{
	int hold[2], made = 0, pid = 0;

	CHECK_EQ(pipe(hold), 0);
	for (; made < 100 && (pid = fork()) > 0; made++)
		;
	if (pid == 0 && made < 100) {
		close(hold[1]);
		hold_on(hold[0]);
		exit(0);
	}
	CHECK(made >= 40 && (pid > 0 || pid == -ENOMEM || pid == -EAGAIN));
	close(hold[1]);
	finish_all(made);
	CHECK_EQ(wait(NULL), -ECHILD);
}

static void test_time(void)
{
	long before = uptime();

	CHECK(before > 0);
	CHECK_EQ(sleep_ms(0), 0);
	CHECK_EQ(sleep_ms(30), 0);
	long slept = uptime() - before;
	CHECK(slept >= 30);
	CHECK(slept < 5000);
	CHECK_EQ(sleep_ms(-1), -EINVAL);
	for (int i = 0; i < 100; i++) {
		long now = uptime();
		CHECK(now >= before);
		before = now;
		yield();
	}
}

static void sleep_for(long ms)
{
	long begin = uptime();

	CHECK_EQ(sleep_ms(ms), 0);
	CHECK(uptime() - begin >= ms);
}

static void test_many_sleepers(void)
{
	for (long i = 0; i < 20; i++)
		start(sleep_for, 1 + (i * 7) % 40);
	finish_all(20);
}

static void test_shared_offset(void)
{
	make_file("shared", 100, 3);
	int fd = (int)CHECK_OK(open("shared", O_RDONLY));
	int pid = fork();
	if (pid == 0) {
		CHECK_EQ(read(fd, buffer, 60), 60);
		close(fd);
		exit(0);
	}
	CHECK_EQ(finish(pid), 0);
	CHECK_EQ(read(fd, buffer, 100), 40);
	CHECK(pattern_matches(buffer, 40, 60, 3));
	/* The child's directory is its own. */
	CHECK_EQ(mkdir("below"), 0);
	pid = fork();
	if (pid == 0)
		exit(chdir("below"));
	CHECK_EQ(finish(pid), 0);
	CHECK_OK(file_size("shared"));
}

const struct test tests_process[] = {
    {"exit-status", test_exit_status, 0, "statuses arrive as they were given to exit"},
    {"fork-wait", test_fork_wait, 0, "40 children, each waited for once"},
    {"wait-misuse", test_wait_misuse, 0, "no children, WNOHANG, unknown flags, a bad address"},
    {"fork-tree", test_fork_tree, 0, "a tree and a chain of processes"},
    {"orphans-to-init", test_orphans_go_to_init, 0, "children of the dead become init's"},
    {"pids", test_pids, 0, "getpid and getppid"},
    {"kill", test_kill, 0, "of sleeping and spinning processes, and of nobody"},
    {"kill-self", test_kill_self_and_waiter, 0, "a process kills itself; a waiting parent is killed"},
    {"kill-anywhere", test_kill_anywhere, 0, "at random moments of fork, write and unlink"},
    {"fork-exit-race", test_fork_and_exit_at_once, 0, "forks and exits on all harts at once"},
    {"preemption", test_preemption, 0, "more spinning processes than harts"},
    {"many-processes", test_many_processes, 0, "100 children alive at once"},
    {"time", test_time, 0, "sleep and uptime"},
    {"many-sleepers", test_many_sleepers, 0, "20 sleepers wake in time"},
    {"shared-offset", test_shared_offset, 0, "what parent and child share of files and directory"},
    {NULL, NULL, 0, NULL},
};
