/* SPDX-License-Identifier: MIT */
/* Scenarios: mmap and munmap. The file is 16 pages long: its last ones are behind an indirect block. */
#include "failsweep.h"

#define PAGES 16
#define BYTES (PAGES * (long)PAGE_BYTES)
#define FAR ((void *)0x500000000)

static char *area;
static int file;

static void map(int prot, int flags, int fd)
{
	area = mmap(NULL, (size_t)BYTES, prot, flags, fd, 0);
	CHECK(area);
}

static void open_file(void)
{
	make_file("file", 0, BYTES);
	file = (int)CHECK_OK(open("file", O_RDWR));
}

/* ---- anonymous ---- */

static long act_anonymous(void)
{
	area =
	    mmap(FAR, (size_t)BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return area ? 0 : -ENOMEM;
}

static long act_anonymous_touch(void)
{
	if (act_anonymous() < 0)
		return -ENOMEM;
	for (long at = 0; at < BYTES; at += (long)PAGE_BYTES)
		area[at] = 1;
	return 0;
}

static void map_shared(void)
{
	area =
	    mmap(FAR, (size_t)BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static long act_shared(void)
{
	map_shared();
	return area ? 0 : -ENOMEM;
}

static void prepare_shared_memory(void)
{
	map_shared();
	CHECK(area);
}

/* Places far apart: each needs nodes of its own. */
static long act_shared_touch(void)
{
	for (long i = 0; i < BYTES; i += 3 * (long)PAGE_BYTES)
		area[i] = 1;
	return 0;
}

static void check_shared_touch(long result)
{
	CHECK(act_shared_touch() == 0);
	CHECK_OK(munmap(area, (size_t)BYTES));
}

static void prepare_shared_filled(void)
{
	prepare_shared_memory();
	fill(area, 0, 8 * PAGE_BYTES);
}

/* The child touches pages that we have touched, and others; 7: it was refused nothing. */
static long act_shared_fork(void)
{
	int child = fork(), status;

	if (child == 0) {
		for (long i = 0; i < BYTES; i += (long)PAGE_BYTES)
			area[i] = 2;
		exit(7);
	}
	if (child < 0)
		return child;
	CHECK(wait_pid(child, &status) == child);
	return status == 7 ? 0 : -ENOMEM;
}

static void check_shared_fork(long result)
{
	CHECK(wait(NULL) == -ECHILD);
	for (long i = 0; i < BYTES; i += (long)PAGE_BYTES) {
		CHECK(result < 0 || area[i] == 2);
		CHECK(i >= 8 * (long)PAGE_BYTES || filled(area + i + 1, i + 1, PAGE_BYTES - 1));
	}
	CHECK(act_shared_fork() == 0);
	CHECK(area[BYTES - PAGE_BYTES] == 2);
}

static void prepare_anonymous(void)
{
	map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fill(area, 0, BYTES);
}

static void prepare_over(void)
{
	area =
	    mmap(FAR, (size_t)BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(area);
	fill(area, 0, BYTES);
}

/* A new area in the middle of an old one. */
static long act_over(void)
{
	return mmap(area + 4 * PAGE_BYTES, 2 * PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		    -1, 0)
		   ? 0
		   : -ENOMEM;
}

static void check_over(long result)
{
	CHECK(filled(area, 0, 4 * PAGE_BYTES));
	CHECK(filled(area + 6 * PAGE_BYTES, 6 * PAGE_BYTES, BYTES - 6 * (long)PAGE_BYTES));
	if (result == 0)
		CHECK(area[4 * PAGE_BYTES] == 0);
}

static long act_split(void)
{
	return munmap(area + 4 * PAGE_BYTES, 2 * PAGE_BYTES);
}

static void check_split(long result)
{
	if (result < 0)
		CHECK(filled(area, 0, BYTES));
	else
		check_over(-1);
	CHECK_OK(munmap(area, (size_t)BYTES));
}

/* ---- files ---- */

static long act_map_file(void)
{
	area = mmap(NULL, (size_t)BYTES, PROT_READ, MAP_PRIVATE, file, 0);
	return area ? 0 : -ENOMEM;
}

static long act_map_shared(void)
{
	area = mmap(NULL, (size_t)BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	return area ? 0 : -ENOMEM;
}

static void check_mapped(long result)
{
	if (result == 0)
		CHECK(filled(area, 0, BYTES));
	check_file("file", 0, BYTES);
}

/* A writable shared mapping gives a hole its blocks. */
static void prepare_hole(void)
{
	file = (int)CHECK_OK(creat("file"));
	CHECK_OK(ftruncate(file, BYTES));
}

static void check_hole(long result)
{
	check_file("file", BYTES, BYTES);
}

static void prepare_private(void)
{
	open_file();
	map(PROT_READ | PROT_WRITE, MAP_PRIVATE, file);
}

static void prepare_shared(void)
{
	open_file();
	map(PROT_READ | PROT_WRITE, MAP_SHARED, file);
}

static long act_read_pages(void)
{
	for (long at = 0; at < BYTES; at += (long)PAGE_BYTES)
		if (!filled(area + at, at, 1))
			return -EIO;
	return 0;
}

static long act_write_pages(void)
{
	for (long at = 0; at < BYTES; at += (long)PAGE_BYTES)
		area[at] ^= 1;
	return 0;
}

/* Pages that are in the table already, read-only. */
static void prepare_private_read(void)
{
	prepare_private();
	CHECK(act_read_pages() == 0);
}

static void check_private(long result)
{
	check_file("file", 0, BYTES);
}

/* Through the kernel's copy: an error, not a death. */
static long act_copy_to_private(void)
{
	lseek(file, 0, SEEK_SET);
	return read(file, area, (size_t)BYTES);
}

/* Pages that were written back and are dirty again. */
static void prepare_dirty(void)
{
	prepare_shared();
	CHECK(act_write_pages() == 0);
	CHECK_OK(fsync(file));
	CHECK(act_write_pages() == 0);
	CHECK_OK(fsync(file));
	for (long at = 0; at < BYTES; at += (long)PAGE_BYTES)
		area[at + 1] ^= 2;
}

static long act_unmap(void)
{
	return munmap(area, (size_t)BYTES);
}

static void check_dirty(long result)
{
	if (result < 0)
		CHECK_OK(munmap(area, (size_t)BYTES));
	CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	CHECK(read(file, buffer, BUFFER_BYTES) == BYTES);
	for (long at = 0; at < BYTES; at += (long)PAGE_BYTES) {
		buffer[at + 1] ^= 2;
		if (!filled(buffer + at, at, PAGE_BYTES))
			FAIL("page %ld, written through the mapping, is lost", at / (long)PAGE_BYTES);
	}
}

const struct scenario mmap_scenarios[] = {
    {"mmap-anonymous", NULL, act_anonymous, NULL, 0, 0},
    {"mmap-anonymous-touch", NULL, act_anonymous_touch, NULL, 0, MAY_DIE},
    {"mmap-shared-memory", NULL, act_shared, NULL, 0, 0},
    {"shared-memory-touch", prepare_shared_memory, act_shared_touch, check_shared_touch, 0, MAY_DIE},
    {"shared-memory-fork", prepare_shared_filled, act_shared_fork, check_shared_fork, 0, MAY_DIE},
    {"shared-memory-split", prepare_shared_filled, act_split, NULL, 0, TWICE},
    {"mmap-over-a-mapping", prepare_over, act_over, check_over, 0, TWICE},
    {"munmap-split", prepare_anonymous, act_split, check_split, 0, TWICE},
    {"mmap-file-private", open_file, act_map_file, check_mapped, 0, 0},
    {"mmap-file-shared", open_file, act_map_shared, check_mapped, 0, 0},
    {"mmap-file-hole", prepare_hole, act_map_shared, check_hole, 0, 0},
    {"private-page-read", prepare_private, act_read_pages, check_private, 0, MAY_DIE},
    {"private-page-write", prepare_private, act_write_pages, check_private, 0, MAY_DIE},
    {"private-page-cow", prepare_private_read, act_write_pages, check_private, 0, MAY_DIE},
    {"private-page-copy-out", prepare_private, act_copy_to_private, check_private, BYTES, 0},
    {"shared-page-read", prepare_shared, act_read_pages, check_private, 0, MAY_DIE},
    {"shared-page-write", prepare_shared, act_write_pages, NULL, 0, MAY_DIE},
    {"munmap-dirty", prepare_dirty, act_unmap, check_dirty, 0, 0},
    {"munmap-dirty-warm", prepare_dirty, act_unmap, check_dirty, 0, KEEPS_CACHE},
    {NULL, NULL, NULL, NULL, 0, 0},
};
