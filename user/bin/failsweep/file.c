/* SPDX-License-Identifier: MIT */
/* Scenarios: contents of files. Page 12 is the first behind an indirect block, page 1036 behind a double one. */
#include "failsweep.h"

#define PAGE ((long)PAGE_BYTES)
#define INDIRECT (12 * PAGE)
#define DOUBLE_INDIRECT ((12 + 1024) * PAGE)
#define PART (3 * PAGE + 100) /* what a write brings */

static long start; /* where it goes */
static long size_before;
static int file;

static void open_at(long from, long size_bytes, long position)
{
	make_file("file", from, size_bytes);
	file = (int)CHECK_OK(open("file", O_RDWR));
	CHECK_OK(lseek(file, position, SEEK_SET));
	start = position;
	size_before = size_bytes;
	fill(buffer, start, PART);
}

/* ---- write ---- */

static void prepare_direct(void)
{
	open_at(0, PAGE + 10, PAGE + 10);
}
static void prepare_indirect(void)
{
	open_at(0, INDIRECT - PAGE, INDIRECT - PAGE);
}
static void prepare_double(void)
{
	open_at(DOUBLE_INDIRECT - 2 * PAGE, DOUBLE_INDIRECT - PAGE, DOUBLE_INDIRECT - PAGE);
}

static long act_write(void)
{
	return write(file, buffer, PART);
}

/* The file is as long as the write said, with the old and the new bytes in it. */
static void check_grown(long result)
{
	long end = start + MAX(result, 0);

	check_file("file", start >= DOUBLE_INDIRECT - PAGE ? DOUBLE_INDIRECT - 2 * PAGE : 0,
		   MAX(end, size_before));
}

/* Parts of pages whose other bytes are on the disk only. */
static void prepare_overwrite(void)
{
	open_at(0, 16 * PAGE, 11 * PAGE - 50);
}

static void prepare_sparse(void)
{
	open_at(0, 0, DOUBLE_INDIRECT + 5 * PAGE);
}

static void check_sparse(long result)
{
	if (result > 0)
		check_file("file", start, start + result);
	else
		check_file("file", 0, 0);
}

/* Into a hole in the middle: the size stays. */
static void prepare_hole(void)
{
	file = (int)CHECK_OK(creat("file"));
	CHECK_OK(ftruncate(file, 20 * PAGE));
	start = INDIRECT;
	CHECK_OK(lseek(file, start, SEEK_SET));
	fill(buffer, start, PART);
}

static void check_hole(long result)
{
	long done = MAX(result, 0);
	struct stat st;

	CHECK_OK(fstat(file, &st));
	CHECK((long)st.st_size == 20 * PAGE);
	CHECK_OK(lseek(file, start, SEEK_SET));
	CHECK(read(file, buffer, BUFFER_BYTES) == 8 * PAGE);
	CHECK(filled(buffer, start, done));
	for (long i = (done + PAGE - 1) / PAGE * PAGE; i < 8 * PAGE; i++)
		CHECK(buffer[i] == 0);
}

static void prepare_append(void)
{
	open_at(0, INDIRECT - PAGE, INDIRECT - PAGE);
	close(file);
	file = (int)CHECK_OK(open("file", O_WRONLY | O_APPEND));
}

/* ---- truncate ---- */

static void prepare_truncate(void)
{
	open_at(0, 16 * PAGE, 0);
}
static void prepare_truncate_double(void)
{
	open_at(DOUBLE_INDIRECT - 2 * PAGE, DOUBLE_INDIRECT + 2 * PAGE, 0);
}

static long act_truncate(void)
{
	return ftruncate(file, PAGE + 77);
}

static void check_truncated(long result)
{
	check_file("file", 0, result < 0 ? size_before : PAGE + 77);
}
static void check_truncated_double(long result)
{
	if (result < 0)
		check_file("file", DOUBLE_INDIRECT - 2 * PAGE, size_before);
	else
		check_file("file", PAGE + 77, PAGE + 77);
}

static long act_grow(void)
{
	return ftruncate(file, 40 * PAGE);
}

static void check_grown_by_truncate(long result)
{
	struct stat st;

	CHECK_OK(fstat(file, &st));
	CHECK((long)st.st_size == (result < 0 ? size_before : 40 * PAGE));
}

static long act_open_truncate(void)
{
	long fd = open("file", O_WRONLY | O_TRUNC);

	if (fd >= 0)
		close((int)fd);
	return fd;
}

static void check_open_truncate(long result)
{
	check_file("file", 0, result < 0 ? size_before : 0);
}

/* ---- to the disk ---- */

static void prepare_unwritten(void)
{
	open_at(0, 16 * PAGE, 0);
}

static long act_fsync(void)
{
	return fsync(file);
}
static long act_sync(void)
{
	return sync();
}

static void check_whole(long result)
{
	CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	check_file("file", 0, size_before);
}

/* ---- the end of a file that has no name any more ---- */

static void prepare_unlinked(void)
{
	open_at(DOUBLE_INDIRECT - 2 * PAGE, DOUBLE_INDIRECT + 2 * PAGE, 0);
	CHECK_OK(unlink("file"));
}

static long act_close(void)
{
	return close(file);
}

const struct scenario file_scenarios[] = {
    {"write-direct", prepare_direct, act_write, check_grown, PART, 0},
    {"write-indirect", prepare_indirect, act_write, check_grown, PART, 0},
    {"write-double-indirect", prepare_double, act_write, check_grown, PART, 0},
    {"write-warm", prepare_indirect, act_write, check_grown, PART, KEEPS_CACHE},
    {"write-over", prepare_overwrite, act_write, check_whole, PART, 0},
    {"write-sparse", prepare_sparse, act_write, check_sparse, PART, 0},
    {"write-into-hole", prepare_hole, act_write, check_hole, PART, 0},
    {"write-append", prepare_append, act_write, check_grown, PART, 0},
    {"truncate-shrink", prepare_truncate, act_truncate, check_truncated, 0, 0},
    {"truncate-double", prepare_truncate_double, act_truncate, check_truncated_double, 0, 0},
    {"truncate-grow", prepare_truncate, act_grow, check_grown_by_truncate, 0, 0},
    {"open-truncate", prepare_truncate, act_open_truncate, check_open_truncate, 0, 0},
    {"fsync", prepare_unwritten, act_fsync, check_whole, 0, KEEPS_CACHE},
    {"fsync-cold", prepare_unwritten, act_fsync, check_whole, 0, 0},
    {"sync", prepare_unwritten, act_sync, check_whole, 0, KEEPS_CACHE},
    {"close-unlinked", prepare_unlinked, act_close, NULL, 0, 0},
    {NULL, NULL, NULL, NULL, 0, 0},
};
