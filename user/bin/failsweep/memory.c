/* SPDX-License-Identifier: MIT */
/* Scenarios: memory, and the kernel's copies to and from it. */
#include "failsweep.h"

#define PAGES 10
#define BYTES (PAGES * (long)PAGE_BYTES)

static char *area, *old_end;
static int file, ends[2];

static bool all_zero(const char *at, long size_bytes)
{
	for (long i = 0; i < size_bytes; i++)
		if (at[i])
			return false;
	return true;
}

static void prepare_end(void)
{
	old_end = sbrk(0);
}

static long act_sbrk(void)
{
	area = sbrk(BYTES);
	return area ? 0 : -ENOMEM;
}

/* A refused growth changed nothing, and the next one works. */
static void check_sbrk(long result)
{
	if (result < 0) {
		CHECK(sbrk(0) == old_end);
		area = sbrk(BYTES);
	}
	CHECK(area == old_end && all_zero(area, BYTES));
}

static void prepare_lazy(void)
{
	area = sbrk_lazy(BYTES);
	CHECK(area);
}

static long act_sbrk_lazy(void)
{
	area = sbrk_lazy(BYTES);
	return area ? 0 : -ENOMEM;
}

static long act_touch(void)
{
	for (long at = 0; at < BYTES; at += (long)PAGE_BYTES)
		area[at] = 1;
	return 0;
}

static void prepare_shrink(void)
{
	prepare_end();
	CHECK(sbrk(BYTES));
}

static long act_shrink(void)
{
	return sbrk(-BYTES) ? 0 : -ENOMEM;
}

static void check_shrink(long result)
{
	CHECK(result == 0 && sbrk(0) == old_end);
}

/* ---- copies ---- */

static void prepare_read(void)
{
	make_file("file", 0, BYTES);
	file = (int)CHECK_OK(open("file", O_RDONLY));
	prepare_lazy();
}

static long act_read(void)
{
	return read(file, area, (size_t)BYTES);
}

static void check_copied(long result)
{
	if (result > 0)
		CHECK(filled(area, 0, result) && all_zero(area + result, BYTES - result));
	else
		CHECK(all_zero(area, BYTES) || result < 0);
}

static void prepare_write(void)
{
	file = (int)CHECK_OK(creat("file"));
	prepare_lazy();
}

/* From pages that the kernel's copy is the first to look at. */
static long act_write(void)
{
	return write(file, area, 4 * PAGE_BYTES);
}

static void check_write(long result)
{
	struct stat st;

	CHECK_OK(fstat(file, &st));
	CHECK((long)st.st_size == MAX(result, 0));
}

static void prepare_pipe(void)
{
	CHECK_OK(pipe(ends));
	fill(buffer, 0, PAGE_BYTES);
	CHECK(write(ends[1], buffer, 4000) == 4000);
	prepare_lazy();
	area += 2048; /* across two pages */
}

static long act_pipe_read(void)
{
	return read(ends[0], area, 4000);
}

/* What was not delivered is still in the pipe. */
static void check_pipe(long result)
{
	long got = MAX(result, 0);

	if (got < 4000)
		CHECK(read(ends[0], area + got, (size_t)(4000 - got)) == 4000 - got);
	CHECK(filled(area, 0, 4000));
}

static void prepare_pipe_write(void)
{
	CHECK_OK(pipe(ends));
	prepare_lazy();
	area += 2048;
}

static long act_pipe_write(void)
{
	return write(ends[1], area, 4000);
}

static void check_pipe_write(long result)
{
	if (result > 0)
		CHECK(read(ends[0], buffer, 4000) == result && all_zero(buffer, result));
}

static long act_freemem(void)
{
	static struct freemem info;

	info.size = sizeof(info);
	return freemem(&info, buffer, BUFFER_BYTES);
}

static long act_lose(void)
{
	return kdebug(KDEBUG_LEAK_PAGES, 1);
}

const struct scenario memory_scenarios[] = {
    {"sbrk-eager", prepare_end, act_sbrk, check_sbrk, 0, TWICE},
    {"sbrk-lazy", prepare_end, act_sbrk_lazy, check_sbrk, 0, 0},
    {"sbrk-lazy-touch", prepare_lazy, act_touch, NULL, 0, MAY_DIE},
    {"sbrk-shrink", prepare_shrink, act_shrink, check_shrink, 0, 0},
    {"read-to-lazy", prepare_read, act_read, check_copied, BYTES, 0},
    {"write-from-lazy", prepare_write, act_write, check_write, 4 * PAGE_BYTES, 0},
    {"pipe-to-lazy", prepare_pipe, act_pipe_read, check_pipe, 4000, 0},
    {"pipe-from-lazy", prepare_pipe_write, act_pipe_write, check_pipe_write, 4000, 0},
    {"freemem-events", NULL, act_freemem, NULL, 0, 0},
    {"canary-loses-a-page", NULL, act_lose, NULL, 1, ONLY_NAMED},
    {NULL, NULL, NULL, NULL, 0, 0},
};
