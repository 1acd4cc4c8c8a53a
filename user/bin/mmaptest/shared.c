/* SPDX-License-Identifier: MIT */
/* Memory without a file that parent and child share: whoever touches a page first, all see it; and when it goes. */
#include "../usertests/tests.h"

#define PAGES(n) ((n) * (long)PAGE_BYTES)

static char *map_shared(long nr_pages)
{
	char *memory =
	    mmap(NULL, (size_t)PAGES(nr_pages), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(memory);
	return memory;
}

/* Ends one phase of a program of several processes; each waits until all `nr` are there. */
struct barrier {
	int arrived, phase;
};

static void barrier_wait(struct barrier *barrier, int nr)
{
	int phase = __atomic_load_n(&barrier->phase, __ATOMIC_ACQUIRE);

	if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) == nr) {
		barrier->arrived = 0;
		__atomic_store_n(&barrier->phase, phase + 1, __ATOMIC_RELEASE);
	}
	while (__atomic_load_n(&barrier->phase, __ATOMIC_ACQUIRE) == phase)
		yield();
}

static void fill_pages(long address)
{
	pattern_fill((char *)address, (size_t)PAGES(6), 0, 5);
}

static void expect_pages(long address)
{
	CHECK(pattern_matches((char *)address, (size_t)PAGES(6), 0, 5));
}

static void test_child_first(void)
{
	char *memory = map_shared(6);

	CHECK_EQ(run_child(fill_pages, (long)memory), 0);
	expect_pages((long)memory);
	/* Read first, written then. */
	CHECK_EQ(munmap(memory, (size_t)PAGES(6)), 0);
	memory = map_shared(6);
	for (long i = 0; i < 6; i++)
		CHECK_EQ(memory[PAGES(i)], 0);
	CHECK_EQ(run_child(fill_pages, (long)memory), 0);
	expect_pages((long)memory);
}

static char *arena;
static int told[2];

static void wait_and_expect(long unused)
{
	char c;

	CHECK_EQ(read(told[0], &c, 1), 1);
	expect_pages((long)arena);
	CHECK_EQ(run_child(expect_pages, (long)arena), 0);
}

static void test_parent_first(void)
{
	arena = map_shared(6);
	CHECK_EQ(pipe(told), 0);
	int pid = start(wait_and_expect, 0);
	fill_pages((long)arena);
	CHECK_EQ(write(told[1], "x", 1), 1);
	CHECK_EQ(finish(pid), 0);
}

/* Everyone touches the same new pages at the same moment; nobody's byte may be lost. */
enum { RACERS = 4, RACES = 40 };

static void race(long who)
{
	struct barrier *barrier = (struct barrier *)arena;

	for (long i = 1; i <= RACES; i++) {
		barrier_wait(barrier, RACERS);
		arena[PAGES(i) + who] = (char)(i + who);
		barrier_wait(barrier, RACERS);
		for (long other = 0; other < RACERS; other++)
			CHECK_EQ(arena[PAGES(i) + other], i + other);
	}
}

static void test_all_first(void)
{
	arena = map_shared(RACES + 1);
	for (long who = 0; who < RACERS; who++)
		start(race, who);
	finish_all(RACERS);
	for (long i = 1; i <= RACES; i++)
		CHECK_EQ(arena[PAGES(i) + 3], i + 3);
	uint64_t before = settled_pages();
	CHECK_EQ(munmap(arena, (size_t)PAGES(RACES + 1)), 0);
	CHECK(settled_pages() >= before + RACES + 1);
}

/* What the last mapping of a part gives up is free, though the rest is still in use. */
static void give_up_middle(long unused)
{
	for (long i = 0; i < 60; i++)
		CHECK_EQ(arena[PAGES(i)], i + 1);
	CHECK_EQ(munmap(arena + PAGES(20), (size_t)PAGES(20)), 0);
	check_killed(load_byte, (long)arena + PAGES(20));
	CHECK_EQ(arena[PAGES(19)], 20);
	CHECK_EQ(arena[PAGES(40)], 41);
}

static void test_partial(void)
{
	uint64_t before, after;

	arena = map_shared(60);
	for (long i = 0; i < 60; i++)
		arena[PAGES(i)] = (char)(i + 1);
	CHECK_EQ(run_child(give_up_middle, 0), 0); /* we still have it */
	for (long i = 0; i < 60; i++)
		CHECK_EQ(arena[PAGES(i)], i + 1);
	before = settled_pages();
	give_up_middle(0);
	after = settled_pages();
	CHECK(after >= before + 18 && after <= before + 20);
	CHECK_EQ(munmap(arena, (size_t)PAGES(10)), 0);
	CHECK_EQ(munmap(arena + PAGES(50), (size_t)PAGES(10)), 0);
	CHECK(settled_pages() >= after + 18);
	CHECK_EQ(arena[PAGES(10)], 11);
	CHECK_EQ(arena[PAGES(49)], 50);
	CHECK_EQ(run_child(load_byte, (long)arena + PAGES(49)), 0);
}

/* The child unmaps its head, we our tail; what only one of us has is still right, and goes with him. */
static void keep_tail(long unused)
{
	char c;

	CHECK_EQ(munmap(arena, (size_t)PAGES(10)), 0);
	CHECK_EQ(write(told[1], "x", 1), 1);
	CHECK_EQ(read(told[0] + 2, &c, 1), 1);
	for (long i = 10; i < 20; i++)
		CHECK_EQ(arena[PAGES(i)], i + 1);
}

static void test_overlap(void)
{
	int back[2];
	char c;

	arena = map_shared(20);
	CHECK_EQ(pipe(told), 0);
	CHECK_EQ(pipe(back), 0);
	CHECK_EQ(back[0], told[0] + 2);
	int pid = start(keep_tail, 0);
	for (long i = 0; i < 20; i++)
		arena[PAGES(i)] = (char)(i + 1);
	CHECK_EQ(read(told[0], &c, 1), 1);
	uint64_t before = settled_pages();
	CHECK_EQ(munmap(arena + PAGES(10), (size_t)PAGES(10)), 0); /* the child's now */
	CHECK(settled_pages() <= before + 1);
	CHECK_EQ(write(back[1], "x", 1), 1);
	CHECK_EQ(finish(pid), 0);
	CHECK(settled_pages() >= before + 10);
	for (long i = 0; i < 10; i++)
		CHECK_EQ(arena[PAGES(i)], i + 1);
}

static void end_somehow(long how)
{
	char *const argv[] = {"true", NULL};

	arena[PAGES(how)] = (char)(how + 1);
	if (how == 1)
		kill(getpid());
	if (how == 2)
		exec("/bin/true", argv);
	if (how == 3)
		store_byte(0);
}

static void test_ends(void)
{
	arena = map_shared(4);
	for (long how = 0; how < 4; how++)
		CHECK_EQ(run_child(end_somehow, how), how == 1 || how == 3 ? KILLED : 0);
	for (long how = 0; how < 4; how++)
		CHECK_EQ(arena[PAGES(how)], how + 1);
}

static void test_rights(void)
{
	char *memory = mmap(NULL, (size_t)PAGES(2), PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(memory);
	CHECK_EQ(memory[PAGES(1)], 0);
	check_killed(store_byte, (long)memory + PAGES(1));
	check_killed(store_byte, (long)memory);
}

extern const struct test tests_shared[];
const struct test tests_shared[] = {
    {"shared-child-first", test_child_first, 0, "pages that the child touches first"},
    {"shared-parent-first", test_parent_first, 0, "pages that the parent touches first, after the fork"},
    {"shared-all-first", test_all_first, 0, "pages that four touch at once"},
    {"shared-partial", test_partial, 0, "parts unmapped are free when the last mapping of them goes"},
    {"shared-overlap", test_overlap, 0, "two processes keep different parts"},
    {"shared-ends", test_ends, 0, "exit, kill, exec and death of a sharer"},
    {"shared-rights", test_rights, 0, "read-only shared memory"},
    {NULL, NULL, 0, NULL},
};
