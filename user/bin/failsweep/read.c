/* SPDX-License-Identifier: MIT */
/* Scenarios: reading files, directories and /proc. */
#include "failsweep.h"

#define PAGE ((long)PAGE_BYTES)
#define DOUBLE_INDIRECT ((12 + 1024) * PAGE)
#define NR_NAMES 120

static int file;
static char path[32];

static void prepare_file(void)
{
	make_file("file", 0, 15 * PAGE);
	file = (int)CHECK_OK(open("file", O_RDONLY));
}

static long act_read(void)
{
	return read(file, buffer, 15 * PAGE_BYTES);
}

static void check_read(long result)
{
	CHECK(filled(buffer, 0, MAX(result, 0)));
	CHECK_OK(lseek(file, 0, SEEK_SET));
	CHECK(act_read() == 15 * PAGE && filled(buffer, 0, 15 * PAGE));
}

static void prepare_far(void)
{
	make_file("file", DOUBLE_INDIRECT - PAGE, DOUBLE_INDIRECT + PAGE);
	file = (int)CHECK_OK(open("file", O_RDONLY));
	CHECK_OK(lseek(file, DOUBLE_INDIRECT - 2 * PAGE, SEEK_SET));
}

static long act_read_far(void)
{
	return read(file, buffer, 3 * PAGE_BYTES);
}

/* Three blocks of names. */
static void prepare_names(void)
{
	char name[80];

	make_file("file", 0, 10);
	CHECK_OK(mkdir("names"));
	for (int i = 0; i < NR_NAMES; i++) {
		snprintf(name, sizeof(name), "names/%03d-a-name-long-enough-to-make-the-directory-large-%03d",
			 i, i);
		CHECK_OK(link("file", name));
	}
}

static long act_getdents(void)
{
	long fd = open("names", O_RDONLY), count = 0, size = 0;

	if (fd < 0)
		return fd;
	while ((size = getdents((int)fd, buffer, PAGE_BYTES)) > 0)
		for (long at = 0; at < size; at += ((struct dirent *)(buffer + at))->d_reclen)
			count++;
	close((int)fd);
	return size < 0 ? size : count;
}

static void check_getdents(long result)
{
	CHECK(act_getdents() == NR_NAMES + 2);
}

/* ---- /proc ---- */

/* Up to the size of the buffer: the rest is more of the same. */
static long read_path(const char *name)
{
	long fd = open(name, O_RDONLY), size;

	if (fd < 0)
		return fd;
	size = read((int)fd, buffer, BUFFER_BYTES);
	close((int)fd);
	return size;
}

static long act_audit(void)
{
	return read_path("/proc/audit");
}
static long act_page_owner(void)
{
	return read_path("/proc/page_owner");
}
static long act_meminfo(void)
{
	return read_path("/proc/meminfo");
}
static long act_slabinfo(void)
{
	return read_path("/proc/slabinfo");
}
static long act_lockstat(void)
{
	return read_path("/proc/lockstat");
}
static long act_ktrace(void)
{
	return read_path("/proc/ktrace");
}

static void prepare_pid(void)
{
	snprintf(path, sizeof(path), "/proc/%d/maps", getpid());
}
static long act_maps(void)
{
	return read_path(path);
}
static long act_status(void)
{
	return read_path("/proc/self/status");
}

static long act_proc_list(void)
{
	long fd = open("/proc", O_RDONLY), size;

	if (fd < 0)
		return fd;
	size = getdents((int)fd, buffer, BUFFER_BYTES);
	close((int)fd);
	return size;
}

const struct scenario read_scenarios[] = {
    {"read-uncached", prepare_file, act_read, check_read, 15 * PAGE_BYTES, 0},
    {"read-double-indirect", prepare_far, act_read_far, NULL, 3 * PAGE_BYTES, 0},
    {"getdents-large", prepare_names, act_getdents, check_getdents, NR_NAMES + 2, 0},
    {"proc-audit", NULL, act_audit, NULL, 0, 0},
    {"proc-page-owner", NULL, act_page_owner, NULL, 0, 0},
    {"proc-meminfo", NULL, act_meminfo, NULL, 0, 0},
    {"proc-slabinfo", NULL, act_slabinfo, NULL, 0, 0},
    {"proc-lockstat", NULL, act_lockstat, NULL, 0, 0},
    {"proc-ktrace", NULL, act_ktrace, NULL, 0, 0},
    {"proc-pid-maps", prepare_pid, act_maps, NULL, 0, 0},
    {"proc-self-status", NULL, act_status, NULL, 0, 0},
    {"proc-list", NULL, act_proc_list, NULL, 0, 0},
    {NULL, NULL, NULL, NULL, 0, 0},
};
