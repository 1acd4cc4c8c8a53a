/* SPDX-License-Identifier: MIT */
/* Files that change under their mappings: stores among syncs, ends that move, blocks that come late. */
#include "../usertests/tests.h"

#define PAGES(n) ((n) * (long)PAGE_BYTES)

enum { SIZE = 8 }; /* pages of file and mapping */
static volatile char *memory;
static int fd;

static void map_new_file(void)
{
	make_file("f", PAGES(SIZE), 1);
	fd = (int)CHECK_OK(open("f", O_RDWR));
	memory = mmap(NULL, (size_t)PAGES(SIZE), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(memory);
}

static int first_byte(long page)
{
	unsigned char c;

	CHECK_EQ(lseek(fd, PAGES(page), SEEK_SET), PAGES(page));
	CHECK_EQ(read(fd, &c, 1), 1);
	return c;
}

/* A number that a file of /proc gives for a name. */
static long number_of(const char *path, const char *name)
{
	char *text = read_file(path, NULL), *at = text;

	CHECK(text);
	while (strncmp(at, name, strlen(name)) != 0) {
		at = strchr(at, '\n');
		CHECK(at && at[1]);
		at++;
	}
	at += strlen(name);
	*strchr(at, '\n') = 0;
	long number = parse_number(at + 1);
	free(text);
	return number;
}

/* ---- stores and syncs ---- */

static long dirty_pages(void)
{
	return number_of("/proc/vmstat", "nr_dirty");
}

static void test_dirty_again(void)
{
	map_new_file();
	memory[0] = memory[PAGES(1)] = 1;
	for (int i = 2; i < 6; i++) {
		/* After each sync a page is clean; the store makes it dirty, though it was stored to before. */
		CHECK_EQ(i % 2 ? sync() : fsync(fd), 0);
		memory[0] = (char)i; /* the file system's own pages are dirty now, too */
		long before = dirty_pages();
		memory[PAGES(1)] = (char)i;
		CHECK_EQ(dirty_pages(), before + 1);
		memory[PAGES(1) + 1] = (char)i;
		CHECK_EQ(dirty_pages(), before + 1);
	}
	CHECK_EQ(munmap((void *)memory, (size_t)PAGES(SIZE)), 0);
	CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	CHECK_EQ(first_byte(0), 5);
	CHECK_EQ(first_byte(1), 5);
}

/* Counts in the file as fast as it can; the memory shared with the parent says how far it came, and when to stop. */
struct race {
	volatile long count, stop;
};
static struct race *race;

static void count_in_file(long unused)
{
	volatile long *word = (volatile long *)memory;

	while (!race->stop) {
		*word = *word + 1;
		race->count++;
	}
}

static void test_store_and_sync(void)
{
	long stored;

	race = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(race);
	map_new_file();
	*(volatile long *)memory = 0;
	int pid = start(count_in_file, 0);
	CHECK_EQ(munmap((void *)memory, (size_t)PAGES(SIZE)), 0);
	for (int i = 0; i < 200; i++) {
		long seen = race->count;
		CHECK_EQ(i % 20 ? fsync(fd) : sync(), 0);
		while (race->count == seen) /* after the sync it goes on */
			yield();
	}
	race->stop = 1;
	CHECK_EQ(finish(pid), 0);
	CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(read(fd, &stored, sizeof(stored)), sizeof(stored));
	CHECK_EQ(stored, race->count);
}

/* ---- the end moves ---- */

static void use_last_page(long writes)
{
	race->count = 1;
	for (;;) {
		if (writes)
			memory[PAGES(SIZE - 1)]++;
		else
			(void)memory[PAGES(SIZE - 1)];
	}
}

static void test_cut_while_used(void)
{
	race = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(race);
	for (long writes = 0; writes < 2; writes++) {
		map_new_file();
		race->count = 0;
		int pid = start(use_last_page, writes);
		while (!race->count)
			yield();
		/* It runs on another hart, or will again on this one: either way it must die of it. */
		CHECK_EQ(ftruncate(fd, PAGES(SIZE - 1)), 0);
		CHECK_EQ(finish(pid), KILLED);
		check_killed(load_byte, (long)memory + PAGES(SIZE - 1));
		CHECK(pattern_matches((void *)memory, (size_t)PAGES(SIZE - 1), 0, 1));
		CHECK_EQ(munmap((void *)memory, (size_t)PAGES(SIZE)), 0);
		close(fd);
	}
}

static void test_cut_private(void)
{
	char *copy;

	map_new_file();
	copy = mmap(NULL, (size_t)PAGES(SIZE), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(copy);
	copy[PAGES(2)] = copy[PAGES(6)] = 'c';
	uint64_t pages = settled_pages();
	CHECK_EQ(ftruncate(fd, PAGES(4) + 10), 0);
	CHECK(settled_pages() >= pages + 1); /* the copy of page 6 is gone at once */
	check_killed(load_byte, (long)copy + PAGES(5));
	check_killed(load_byte, (long)copy + PAGES(6));
	CHECK_EQ(copy[PAGES(2)], 'c');
	CHECK_EQ(copy[PAGES(4) + 11], 0);
	/* Longer again: zeros, in the file and in every mapping. */
	CHECK_EQ(ftruncate(fd, PAGES(SIZE)), 0);
	CHECK(copy[PAGES(6)] == 0 && memory[PAGES(6)] == 0 && first_byte(6) == 0);
	memory[PAGES(6)] = 'm';
	CHECK_EQ(copy[PAGES(6)], 'm'); /* not copied yet */
}

static void test_grow(void)
{
	/* Blocks for what was no part of the file when it was mapped. */
	map_new_file();
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(ftruncate(fd, PAGES(4)), 0);
	CHECK_EQ(lseek(fd, PAGES(SIZE), SEEK_SET), PAGES(SIZE));
	CHECK_EQ(write(fd, "x", 1), 1);
	for (long i = 0; i < SIZE; i++) {
		CHECK_EQ(memory[PAGES(i)], 0);
		memory[PAGES(i)] = (char)(i + 1);
	}
	CHECK_EQ(munmap((void *)memory, (size_t)PAGES(SIZE)), 0);
	CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	for (long i = 0; i < SIZE; i++)
		CHECK_EQ(first_byte(i), i + 1);
	/* A file may be longer than the disk, as long as nobody can write it all. */
	CHECK_EQ(ftruncate(fd, 1L << 30), 0);
	CHECK_EQ(ftruncate(fd, 0), 0);
}

/*
 * One cuts the file and lets it grow, others touch the mapping all the while, through the kernel's copies, which survive
 * it. While the file is empty nobody can reach a page, and what is there afterwards is the file's own.
 */
enum { TOUCHERS = 3, ROUNDS = 40 };
struct cutting {
	volatile long round; /* odd: the file is empty */
	volatile long seen[TOUCHERS];
	volatile bool stop;
};
static struct cutting *cutting;

static void touch(long who)
{
	int zero = (int)CHECK_OK(open("/dev/zero", O_RDONLY)), other = (int)CHECK_OK(creat("g"));
	uint64_t state = (uint64_t)who;

	while (!cutting->stop) {
		long round = cutting->round, page = (long)(random_next(&state) % SIZE);
		char *place = (char *)memory + PAGES(page) + 100 * (who + 1);
		long got;

		CHECK_EQ(lseek(other, 0, SEEK_SET), 0);
		got = who ? read(zero, place, 8) : write(other, place, 8); /* a store; a load */
		if (got != -EFAULT)
			CHECK_EQ(got, 8);
		if (round % 2 && cutting->round == round && !cutting->stop)
			CHECK_EQ(got, -EFAULT);
		cutting->seen[who] = round;
		if (page == 0) /* with one hart the others wait */
			yield();
	}
}

/* Until each has touched something in this round. One that has failed would never come. */
static void wait_for_touchers(void)
{
	for (long who = 0; who < TOUCHERS; who++)
		while (cutting->seen[who] != cutting->round) {
			CHECK_EQ(wait_nohang(NULL), 0);
			yield();
		}
}

static void test_cut_and_touch(void)
{
	cutting = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(cutting);
	map_new_file();
	for (long who = 0; who < TOUCHERS; who++)
		start(touch, who);
	for (int round = 0; round < ROUNDS; round++) {
		CHECK_EQ(ftruncate(fd, 0), 0);
		cutting->round++;
		wait_for_touchers();
		cutting->round++; /* before it is true */
		CHECK_EQ(ftruncate(fd, PAGES(SIZE)), 0);
		wait_for_touchers();
		for (long page = 0; page < SIZE; page++) {
			CHECK_EQ(memory[PAGES(page)], 0);
			memory[PAGES(page)] = (char)(round | 1);
			CHECK_EQ((char)first_byte(page), (char)(round | 1));
		}
		if (round % 16 == 0)
			CHECK_EQ(fsync(fd), 0);
	}
	cutting->stop = true;
	finish_all(TOUCHERS);
}

extern const struct test tests_file_changes[];
const struct test tests_file_changes[] = {
    {"mmap-dirty-again", test_dirty_again, 0, "a store after a sync is seen by the next one"},
    {"mmap-store-and-sync", test_store_and_sync, 0, "one stores while another syncs"},
    {"mmap-cut-while-used", test_cut_while_used, 0, "a page that another process uses is cut off"},
    {"mmap-cut-private", test_cut_private, 0, "private copies beyond the new end, and the file longer again"},
    {"mmap-grow", test_grow, 0, "blocks for what came after the mapping"},
    {"mmap-cut-and-touch", test_cut_and_touch, 0, "three touch what a fourth cuts and lets grow"},
    {NULL, NULL, 0, NULL},
};
