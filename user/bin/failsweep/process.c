/* SPDX-License-Identifier: MIT */
/* Scenarios: processes. */
#include "books.h"
#include "failsweep.h"

static int child;
static char *cow;
static char *arguments[ARG_MAX_COUNT + 1];
#define COW_PAGES 10
#define PROGRAM "/bin/failsweep"

/* ---- fork ---- */

/* Areas far apart: every one needs tables of its own. */
static void prepare_big(void)
{
	for (uintptr_t i = 0; i < 4; i++) {
		char *at = mmap((void *)(0x400000000 + i * 0x40000000), 16 * PAGE_BYTES,
				PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		CHECK(at);
		memset(at, (int)i, 16 * PAGE_BYTES);
	}
	for (int i = 0; i < 8; i++)
		CHECK_OK(dup(1));
}

static long act_fork(void)
{
	child = fork();
	if (child == 0)
		exit(7);
	return child;
}

static void check_fork(long result)
{
	int status;

	if (result > 0)
		CHECK(wait_pid((int)result, &status) == result && status == 7);
	CHECK(wait(NULL) == -ECHILD);
	child = fork(); /* the next one must succeed */
	if (child == 0)
		exit(7);
	CHECK(wait_pid(child, &status) == child && status == 7);
}

/* ---- exec. When it succeeds, the new program says what became of the injection: probe_main. ---- */

static void prepare_exec(void)
{
	static char fd_text[8];

	snprintf(fd_text, sizeof(fd_text), "%d", nth_fd);
	memset(arguments, 0, sizeof(arguments));
	arguments[0] = "failsweep";
	arguments[1] = "--probe";
	arguments[2] = fd_text;
}

/* All that fits: ARG_MAX_COUNT strings that fill ARG_MAX_BYTES together with their pointers and the last, NULL. */
static void prepare_exec_limit(void)
{
	static char text[ARG_MAX_BYTES];
	long left = ARG_MAX_BYTES - (ARG_MAX_COUNT + 1) * 8;

	prepare_exec();
	for (int i = 0; i < 3; i++)
		left -= (long)strlen(arguments[i]) + 1;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	for (int i = 3; i < ARG_MAX_COUNT; i++) {
		long part = left / (ARG_MAX_COUNT - i); /* with its end */

		arguments[i] = text + sizeof(text) - part;
		left -= part;
	}
}

static long act_exec(void)
{
	return exec(PROGRAM, arguments);
}

static void check_exec_failed(long result)
{
	CHECK(result < 0);
	CHECK_OK(chdir("."));
}

static long act_exec_missing(void)
{
	return exec("/no/such/program", arguments) == -ENOENT ? 0 : -ENOMEM;
}

static void prepare_exec_bad(void)
{
	prepare_exec();
	make_file("program", 0, 5000);
}

static long act_exec_bad(void)
{
	long result = exec("program", arguments);

	return result == -EACCES || result == -ENOEXEC ? 0 : result;
}

/* ---- wait, kill ---- */

static int *status_place;

/* Ended, and a status to be put where no page is yet. */
static void prepare_wait(void)
{
	child = (int)CHECK_OK(fork());
	if (child == 0)
		exit(9);
	sleep_ms(20);
	status_place = sbrk_lazy(PAGE_BYTES);
	CHECK(status_place);
}

static long act_wait(void)
{
	return wait(status_place);
}

static void check_wait(long result)
{
	if (result > 0)
		CHECK(result == child && *status_place == 9);
	CHECK(wait(NULL) < 0 || result < 0);
}

static void prepare_idle(void)
{
	child = start_idle_child();
}

static long act_kill(void)
{
	int status = 0, result = kill(child);

	return result < 0 ? result : wait_pid(child, &status) == child && status == KILLED ? 0 : -1;
}

static void check_kill(long result)
{
	if (result < 0)
		end_idle_child(child);
}

/* ---- copy on write ---- */

static void prepare_cow(void)
{
	cow = sbrk(COW_PAGES * PAGE_BYTES);
	CHECK(cow);
	fill(cow, 0, COW_PAGES * PAGE_BYTES);
	child = start_idle_child();
	books_touch_image(); /* the fork made it shared again */
}

static long act_cow(void)
{
	for (long page = 0; page < COW_PAGES; page++)
		cow[page * (long)PAGE_BYTES] ^= 1;
	return 0;
}

static void check_cow(long result)
{
	for (long page = 0; page < COW_PAGES; page++)
		cow[page * (long)PAGE_BYTES] ^= 1;
	CHECK(filled(cow, 0, COW_PAGES * PAGE_BYTES));
	end_idle_child(child);
}

static int file;

static void prepare_cow_read(void)
{
	make_file("file", 0, COW_PAGES * PAGE_BYTES);
	file = (int)CHECK_OK(open("file", O_RDONLY));
	prepare_cow();
	memset(cow, 0, COW_PAGES * PAGE_BYTES);
	end_idle_child(child);
	child = start_idle_child();
	books_touch_image();
}

static long act_cow_read(void)
{
	return read(file, cow, COW_PAGES * PAGE_BYTES);
}

static void check_cow_read(long result)
{
	if (result > 0)
		CHECK(filled(cow, 0, result));
	end_idle_child(child);
}

/* ---- stack ---- */

static long __attribute__((noinline)) descend(int depth)
{
	volatile char frame[PAGE_BYTES];

	frame[0] = (char)depth;
	return depth > 0 ? descend(depth - 1) + frame[0] : 0;
}

static long act_stack(void)
{
	return descend(12);
}

const struct scenario process_scenarios[] = {
    {"fork", NULL, act_fork, check_fork, 0, MAY_DIE},
    {"fork-big", prepare_big, act_fork, check_fork, 0, MAY_DIE},
    {"exec", prepare_exec, act_exec, check_exec_failed, 0, MAY_DIE},
    {"exec-args-limit", prepare_exec_limit, act_exec, check_exec_failed, 0, MAY_DIE},
    {"exec-missing", prepare_exec, act_exec_missing, NULL, 0, 0},
    {"exec-not-a-program", prepare_exec_bad, act_exec_bad, NULL, 0, 0},
    {"wait-to-lazy-page", prepare_wait, act_wait, check_wait, 0, 0},
    {"kill-and-wait", prepare_idle, act_kill, check_kill, 0, MAY_DIE},
    {"cow-break", prepare_cow, act_cow, check_cow, 0, MAY_DIE},
    {"cow-break-by-read", prepare_cow_read, act_cow_read, check_cow_read, COW_PAGES *PAGE_BYTES, 0},
    {"stack-growth", NULL, act_stack, NULL, 0, MAY_DIE},
    {NULL, NULL, NULL, NULL, 0, 0},
};
