/* SPDX-License-Identifier: MIT */
/* What /proc says of each page: pagemap, kpagecount, kpageflags, pages, allocinfo. Formats are Linux's where it has them. */
#include "tests.h"

#define PAGE_BYTES 4096UL
#define PAGEMAP_PRESENT (1UL << 63)
#define PAGEMAP_EXCLUSIVE (1UL << 56)
#define PAGEMAP_FILE (1UL << 61)
#define PAGEMAP_PFN ((1UL << 55) - 1)
#define KPF_BUDDY 10
#define KPF_ANON 12
#define KPF_NOPAGE 20
#define KPF_PGTABLE 26

/* Entry number `index` of such a file. */
static uint64_t entry_of(const char *path, uint64_t index)
{
	uint64_t entry = 0;
	int fd = (int)CHECK_OK(open(path, O_RDONLY));

	CHECK_EQ(lseek(fd, (long)(index * sizeof(entry)), SEEK_SET), index * sizeof(entry));
	CHECK_EQ(read(fd, &entry, sizeof(entry)), sizeof(entry));
	close(fd);
	return entry;
}

static uint64_t map_of(const void *va)
{
	return entry_of("/proc/self/pagemap", (uint64_t)va / PAGE_BYTES);
}

static void look_at_shared(long va)
{
	uint64_t entry = map_of((void *)va);

	CHECK(entry & PAGEMAP_PRESENT);
	CHECK(!(entry & PAGEMAP_EXCLUSIVE));
	CHECK_EQ(entry_of("/proc/kpagecount", entry & PAGEMAP_PFN), 2);
	*(volatile char *)va = 1;
	CHECK((map_of((void *)va) & PAGEMAP_PFN) != (entry & PAGEMAP_PFN));
	CHECK(map_of((void *)va) & PAGEMAP_EXCLUSIVE);
}

static uint64_t hex_number(const char **at)
{
	uint64_t value = 0;

	for (;; (*at)++) {
		char c = **at;

		if (c >= '0' && c <= '9')
			value = value * 16 + (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (uint64_t)(c - 'a') + 10;
		else
			return value;
	}
}

/*
 * As Linux's page-types walks a process: each range of maps, whose line has ten fields; its entries in pagemap; what
 * kpageflags and kpagecount say of each page that is there.
 */
static void walk_as_page_types(void)
{
	uint64_t nr_present = 0;
	long size;
	char *text = read_file("/proc/self/maps", &size);

	for (const char *line = text; *line;) {
		uint64_t va = hex_number(&line), end;

		CHECK(*line++ == '-');
		end = hex_number(&line);
		CHECK(end > va &&
		      (*line == ' ' && strchr("r-", line[1]) && strchr("ps", line[4]) && line[5] == ' '));
		line += 6;
		hex_number(&line); /* offset, device, inode */
		CHECK(*line++ == ' ');
		hex_number(&line);
		CHECK(*line++ == ':');
		hex_number(&line);
		CHECK(line[0] == ' ' && line[1] >= '0' && line[1] <= '9');
		for (; va < end; va += PAGE_BYTES) {
			uint64_t entry = map_of((void *)va), flags;

			if (!(entry & PAGEMAP_PRESENT))
				continue;
			nr_present++;
			flags = entry_of("/proc/kpageflags", entry & PAGEMAP_PFN);
			CHECK(!(flags & (1UL << KPF_NOPAGE | 1UL << KPF_BUDDY)));
			CHECK(entry & PAGEMAP_FILE || flags & 1UL << KPF_ANON);
			CHECK(entry_of("/proc/kpagecount", entry & PAGEMAP_PFN) > 0);
		}
		while (*line && *line++ != '\n')
			;
	}
	CHECK(nr_present >= 3); /* text, data, stack */
	free(text);
}

static void test_pagemap(void)
{
	char *heap = sbrk_lazy(3 * PAGE_BYTES);
	char *va = (char *)(((uint64_t)heap + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1));

	CHECK_EQ(map_of(va), 0);
	*va = 1;
	uint64_t entry = map_of(va);
	CHECK((entry & (PAGEMAP_PRESENT | PAGEMAP_EXCLUSIVE)) == (PAGEMAP_PRESENT | PAGEMAP_EXCLUSIVE));
	CHECK(!(entry & PAGEMAP_FILE));
	CHECK_EQ(entry_of("/proc/kpagecount", entry & PAGEMAP_PFN), 1);
	CHECK(entry_of("/proc/kpageflags", entry & PAGEMAP_PFN) & 1UL << KPF_ANON);
	run_child(look_at_shared, (long)va);
	make_file("f", PAGE_BYTES, 1);
	int mapped = (int)CHECK_OK(open("f", O_RDONLY));
	const volatile char *file = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, mapped, 0);
	CHECK(file != NULL);
	(void)file[0];
	CHECK(map_of((const void *)file) & PAGEMAP_FILE);
	walk_as_page_types();
	/* Nothing lies at 0 or above the user's half, and the file ends there. */
	CHECK_EQ(map_of(NULL), 0);
	int fd = (int)CHECK_OK(open("/proc/self/pagemap", O_RDONLY));
	CHECK_EQ(lseek(fd, 1L << 40, SEEK_SET), 1L << 40);
	CHECK_EQ(read(fd, buffer, 8), 0);
	/* A piece that begins and ends inside an entry. */
	CHECK_EQ(lseek(fd, (long)((uint64_t)va / PAGE_BYTES * 8 + 4), SEEK_SET),
		 (uint64_t)va / PAGE_BYTES * 8 + 4);
	uint32_t high = 0;
	CHECK_EQ(read(fd, &high, 3), 3);
	CHECK_EQ(high, map_of(va) >> 32 & 0xffffff);
	CHECK_EQ(read(fd, &high, 1), 1);
	CHECK_EQ(high & 0xff, map_of(va) >> 56);
	close(fd);
	CHECK(write((int)CHECK_OK(open("/proc/kpageflags", O_RDONLY)), "x", 1) < 0);
}

static void test_kpageflags(void)
{
	const uint64_t first = 0x80000000UL / PAGE_BYTES;
	uint64_t entries[64];
	struct freemem info;
	uint64_t nr_buddy = 0, nr_tables = 0;
	long size;

	CHECK_EQ(entry_of("/proc/kpageflags", 5), 1UL << KPF_NOPAGE);
	CHECK_EQ(entry_of("/proc/kpagecount", 5), 0);
	int fd = (int)CHECK_OK(open("/proc/kpageflags", O_RDONLY));
	CHECK_EQ(freemem_read(&info), 0);
	CHECK_EQ(lseek(fd, (long)(first * 8), SEEK_SET), first * 8);
	uint64_t nr = 0;
	while ((size = CHECK_OK(read(fd, entries, sizeof(entries)))) > 0) {
		for (long i = 0; i < size / 8; i++) {
			nr_buddy += entries[i] >> KPF_BUDDY & 1;
			nr_tables += entries[i] >> KPF_PGTABLE & 1;
		}
		nr += (uint64_t)size / 8;
	}
	close(fd);
	CHECK(nr > info.total);
	CHECK(nr_tables >= 3);
	/* Pages come and go meanwhile, but not many. */
	CHECK(nr_buddy <= info.free + 500 && nr_buddy + 1000 >= info.free);
}

/* The number at the start of a line, decimal. */
static uint64_t leading_number(const char *line)
{
	uint64_t value = 0;

	while (*line == ' ')
		line++;
	CHECK(*line >= '0' && *line <= '9');
	for (; *line >= '0' && *line <= '9'; line++)
		value = value * 10 + (uint64_t)(*line - '0');
	return value;
}

static void test_allocinfo(void)
{
	struct freemem info;
	uint64_t bytes = 0;
	long size;
	char *text = read_file("/proc/allocinfo", &size);

	CHECK(text && size > 0);
	CHECK_EQ(freemem_read(&info), 0);
	CHECK(strstr(text, "allocinfo - version: 1.0\n") == text);
	for (char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n'))
		if (line[1] != '#')
			bytes += leading_number(line + 1);
	CHECK(bytes % PAGE_BYTES == 0);
	CHECK(bytes > 0 && bytes <= info.total * PAGE_BYTES + (2UL << 20));
	free(text);
}

static void test_pages(void)
{
	char line[64];
	long size;
	char *text;
	char *va = sbrk(2 * PAGE_BYTES);

	va[PAGE_BYTES] = 1;
	snprintf(line, sizeof(line), "\n0x%lx ", map_of(va + PAGE_BYTES) & PAGEMAP_PFN);
	text = read_file("/proc/pages", &size);
	CHECK(text && size > 0);
	char *at = strstr(text, line);
	CHECK(at != NULL);
	char *end = strchr(at + 1, '\n');
	CHECK(end != NULL);
	*end = 0;
	CHECK(strstr(at, " anon ") != NULL);
	free(text);
}

const struct test tests_proc_pages[] = {
    {"pagemap", test_pagemap, 0, "/proc/PID/pagemap and kpagecount before and after a copy on write"},
    {"kpageflags", test_kpageflags, 0, "/proc/kpageflags agrees with freemem"},
    {"allocinfo", test_allocinfo, 0, "/proc/allocinfo adds up to no more than there is"},
    {"proc-pages", test_pages, 0, "/proc/pages names a page of ours"},
    {NULL, NULL, 0, NULL},
};
