/* SPDX-License-Identifier: MIT */
/*
 * The page allocator when all harts want it at once. Whether they wait for each other is read from the device
 * `statistics`: the failed test-and-sets on its locks since boot.
 */
#include "../usertests/tests.h"

#define MIB (1024L * 1024)
#define BUSY_HARTS 4 /* processes that work at once */

/* The first number behind a '=' in the device's text. */
static long nr_contended(void)
{
	static char text[512];
	int fd = (int)CHECK_OK(open("/dev/statistics", O_RDONLY));
	long n = CHECK_OK(read(fd, text, sizeof(text) - 1));
	uint64_t value = 0;

	CHECK(read(fd, text + n, 1) < 0);
	close(fd);
	text[n] = 0;
	const char *number = strchr(text, '=');
	CHECK(number && number[1] == ' ');
	for (number += 2; *number >= '0' && *number <= '9'; number++)
		value = value * 10 + (uint64_t)(*number - '0');
	return (long)value;
}

/* Caches of two pages a batch, so that harts meet now and then, and room for few processes. */
static bool machine_is_small(void)
{
	struct freemem info;

	CHECK_EQ(freemem_read(&info), 0);
	return info.total < 8192;
}

static void check_contended(long before, long allowed)
{
	long nr = nr_contended() - before;

	if (nr > allowed && machine_is_small()) {
		printf("  %ld failed test-and-sets: allowed where caches are two pages a batch\n", nr);
	} else if (nr > allowed) {
		char *text = read_file("/proc/lockstat", NULL);
		if (text)
			write_full(2, text, strlen(text));
		FAIL("%ld failed test-and-sets", nr);
	}
}

/* All begin together: none is still being made while another allocates. */
static int gate[2];

static void wait_at_gate(void)
{
	char c;

	close(gate[1]);
	read(gate[0], &c, 1);
	close(gate[0]);
}

static void open_gate(void)
{
	close(gate[0]);
	close(gate[1]);
}

static void grow_and_shrink(long times)
{
	wait_at_gate();
	for (long i = 0; i < times; i++) {
		char *page = sbrk((long)PAGE_BYTES);
		CHECK(page);
		*page = 1;
		CHECK(sbrk(-(long)PAGE_BYTES));
	}
}

/*
 * A hart that a hypervisor stops while it holds the buddy, for the moment of a batch, lets another meet it: once in
 * tens of thousands of pages. Without caches, harts meet at every tenth.
 */
#define PAIRS 10000
#define PAGES_A_MEETING 10000

static void test_pages_without_waiting(void)
{
	CHECK_EQ(pipe(gate), 0);
	for (int i = 0; i < BUSY_HARTS; i++)
		start(grow_and_shrink, PAIRS);
	sleep_ms(50);
	long before = nr_contended();
	open_gate();
	finish_all(BUSY_HARTS);
	check_contended(before, BUSY_HARTS * 2 * PAIRS / PAGES_A_MEETING);
}

static void grow_in_steps(long seed)
{
	uint64_t state = (uint64_t)seed;
	long held = 0;

	wait_at_gate();
	for (int i = 0; i < 400; i++) {
		long pages = (long)(random_next(&state) % 32);
		if (held > 100 || (held && i % 3 == 0)) {
			pages = MIN(pages, held);
			CHECK(sbrk(-pages * (long)PAGE_BYTES));
			held -= pages;
		} else {
			CHECK(sbrk(pages * (long)PAGE_BYTES));
			held += pages;
		}
	}
}

static void test_batches(void)
{
	/* So much at once that the caches are filled and emptied: harts may meet, nothing may be lost. */
	CHECK_EQ(pipe(gate), 0);
	for (int i = 0; i < 2 * BUSY_HARTS; i++)
		start(grow_in_steps, i + 1);
	open_gate();
	finish_all(2 * BUSY_HARTS);
}

static void fork_and_wait(long times)
{
	wait_at_gate();
	for (long i = 0; i < times; i++) {
		int pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			buffer[0] = 1;
			exit(0);
		}
		CHECK_EQ(finish(pid), 0);
	}
}

/*
 * What one hart takes for a child, another may give back: such pages go through the buddy, in batches, where harts can
 * meet. Without caches they would at almost every fork.
 */
#define FORKS 60

static void test_forks_seldom_wait(void)
{
	CHECK_EQ(pipe(gate), 0);
	for (int i = 0; i < BUSY_HARTS; i++)
		start(fork_and_wait, FORKS);
	sleep_ms(50);
	long before = nr_contended();
	open_gate();
	finish_all(BUSY_HARTS);
	check_contended(before, BUSY_HARTS * FORKS / 20);
}

static void leave_pages_in_cache(long unused)
{
	/* Wherever this runs, it allocates and frees more than a cache keeps. */
	for (int i = 0; i < 20; i++) {
		CHECK(sbrk(128 * (long)PAGE_BYTES));
		CHECK(sbrk(-128 * (long)PAGE_BYTES));
	}
}

static void fill_caches(void)
{
	for (int i = 0; i < 2 * BUSY_HARTS; i++)
		start(leave_pages_in_cache, 0);
	finish_all(2 * BUSY_HARTS);
}

static uint64_t pages_in_caches(void)
{
	struct freemem info;
	uint64_t nr = 0;

	CHECK_EQ(freemem_read(&info), 0);
	for (size_t i = 0; i < ARRAY_SIZE(info.per_hart); i++)
		nr += info.per_hart[i];
	return nr;
}

static void take_everything(long unused)
{
	long taken = 0;

	for (long step = MIB; step >= (long)PAGE_BYTES;) {
		if (sbrk(step))
			taken += step;
		else
			step /= 2;
	}
	/* To the last page, whosever cache it was in; what the kernel freed meanwhile is not worth a dispute. */
	uint64_t left = free_pages();
	if (left > 16)
		FAIL("%lu pages are free and could not be had, %lu of them in caches", left,
		     pages_in_caches());
	CHECK(sbrk(-taken));
}

/* The write-back's thread may hold a record, part of a page, for the moment of one count: two must agree. */
static uint64_t pages_without_caches(void)
{
	uint64_t last, now = 0;

	do {
		last = now;
		CHECK_OK(sync());
		CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
		now = free_pages();
		sleep_ms(10);
	} while (now != last);
	return now;
}

static void test_stealing(void)
{
	for (int round = 0; round < 2; round++) {
		uint64_t before = pages_without_caches();
		fill_caches();
		CHECK(pages_in_caches() > 0);
		CHECK_EQ(run_child(take_everything, 0), 0);
		CHECK_EQ(pages_without_caches(), before);
	}
}

static void take_by_turns(long unused)
{
	for (int i = 0; i < 2; i++) {
		void *all = NULL;
		long step = 32 * MIB;
		while (step >= (long)PAGE_BYTES && !(all = sbrk(step)))
			step /= 2;
		if (all)
			CHECK(sbrk(-step));
	}
}

static void test_stealing_from_each_other(void)
{
	start_together(BUSY_HARTS, take_by_turns, 0);
	for (int i = 0; i < BUSY_HARTS; i++) {
		int status = 12345;
		CHECK(wait(&status) > 0);
		CHECK(status == 0 || status == KILLED);
	}
}

static void fork_tree(long depth)
{
	if (depth == 0)
		return;
	start(fork_tree, depth - 1);
	start(fork_tree, depth - 1);
	CHECK(sbrk(5 * (long)PAGE_BYTES));
	finish_all(2);
}

static void test_fork_storm(void)
{
	for (int round = 0; round < 3; round++)
		CHECK_EQ(run_child(fork_tree, machine_is_small() ? 4 : 6), 0);
}

extern const struct test tests_kalloc[];
const struct test tests_kalloc[] = {
    {"kalloc-pages", test_pages_without_waiting, 0, "four take and return a page without meeting"},
    {"kalloc-forks", test_forks_seldom_wait, 0, "four fork and wait"},
    {"kalloc-batches", test_batches, 0, "eight grow and shrink by more than a cache holds"},
    {"kalloc-steal", test_stealing, 0, "one takes all memory, out of all caches"},
    {"kalloc-steal-two", test_stealing_from_each_other, 0, "four want more than there is"},
    {"kalloc-storm", test_fork_storm, 0, "fork upon fork, each with memory of its own"},
    {NULL, NULL, 0, NULL},
};
