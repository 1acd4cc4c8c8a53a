/* SPDX-License-Identifier: MIT */
/* Mappings at their edges: a model of many of them, memory that ends, generations of sharers. */
#include "../usertests/tests.h"

#define PAGES(n) ((n) * (long)PAGE_BYTES)
#define MIB (1024L * 1024)

/*
 * An arena of which random parts are mapped and unmapped. The model knows of each page whether it is mapped and which
 * byte it holds; a page that is mapped anew is empty.
 */
enum { ARENA = 64 };
static char *arena;
static bool mapped[ARENA];
static char held[ARENA];

static void model_map(long first, long nr)
{
	char *at = mmap(arena + PAGES(first), (size_t)PAGES(nr), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(at == arena + PAGES(first));
	for (long i = first; i < first + nr; i++) {
		mapped[i] = true;
		held[i] = 0;
	}
}

static void model_unmap(long first, long nr)
{
	CHECK_EQ(munmap(arena + PAGES(first), (size_t)PAGES(nr)), 0);
	memset(mapped + first, 0, (size_t)nr);
}

static void model_check(long unused)
{
	for (long i = 0; i < ARENA; i++)
		if (mapped[i])
			CHECK_EQ(arena[PAGES(i)], held[i]);
}

static void test_random(void)
{
	uint64_t state = 4711;

	arena = mmap(NULL, PAGES(ARENA), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(arena);
	model_unmap(0, ARENA);
	for (int step = 0; step < 3000; step++) {
		long first = (long)(random_next(&state) % ARENA);
		long nr = 1 + (long)(random_next(&state) % (uint64_t)MIN(ARENA - first, 12));
		switch (random_next(&state) % 8) {
		case 0:
			model_map(first, nr);
			break;
		case 1:
			model_unmap(first, nr);
			break;
		default:
			if (mapped[first])
				arena[PAGES(first)] = held[first] = (char)(step | 1);
		}
		if (step % 100 == 0)
			CHECK_EQ(run_child(model_check, 0), 0);
	}
	model_check(0);
	for (long i = 0; i < ARENA; i += 7)
		if (!mapped[i])
			check_killed(load_byte, (long)arena + PAGES(i));
}

static void descend(long depth)
{
	volatile int *counters = (volatile int *)arena;

	__atomic_fetch_add(&counters[depth], 1, __ATOMIC_RELAXED);
	if (depth == 0)
		return;
	start(descend, depth - 1);
	start(descend, depth - 1);
	finish_all(2);
}

static void test_generations(void)
{
	/* Everyone in a tree of processes counts in the same page. */
	arena = mmap(NULL, PAGES(2), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(arena);
	arena[PAGES(1)] = 1;
	descend(5);
	for (int depth = 0; depth <= 5; depth++)
		CHECK_EQ(((volatile int *)arena)[depth], 1 << (5 - depth));
	CHECK_EQ(munmap(arena, PAGES(2)), 0);
}

static void take_everything(long ms)
{
	for (long step = MIB; step >= (long)PAGE_BYTES;)
		if (!sbrk(step))
			step /= 2;
	sleep_ms(ms);
}

static void test_without_memory(void)
{
	/* Dirty pages of a file are written back to make room, and read again when they are looked at. */
	const long size = PAGES(100);

	make_file("f", size, 1);
	int fd = (int)CHECK_OK(open("f", O_RDWR));
	char *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(memory);
	pattern_fill(memory, (size_t)size, 0, 2);
	int status = run_child(take_everything, 0);
	CHECK(status == 0 || status == KILLED);
	CHECK(pattern_matches(memory, (size_t)size, 0, 2));
	CHECK_EQ(munmap(memory, (size_t)size), 0);
	status = run_child(take_everything, 0);
	CHECK(status == 0 || status == KILLED);
	check_file("f", size, 2);
	close(fd);
}

static void map_without_memory(long unused)
{
	/* Mapping needs little; touching needs pages that are not there. */
	long nr = 0;

	for (long step = MIB; step >= (long)PAGE_BYTES;)
		if (!sbrk(step))
			step /= 2;
	while (nr < 2000 &&
	       mmap(NULL, (size_t)PAGES(1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
		nr++;
	char *memory = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (long at = 0; memory && at < 64 * MIB; at += PAGES(1))
		memory[at] = 1;
	CHECK(!memory);
}

static void test_map_without_memory(void)
{
	int status = run_child(map_without_memory, 0);

	CHECK(status == 0 || status == KILLED);
}

static void test_two_files(void)
{
	/* The same file twice, privately and shared, in two processes. */
	make_file("f", PAGES(4), 1);
	int fd = (int)CHECK_OK(open("f", O_RDWR));
	char *shared = mmap(NULL, PAGES(4), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *private = mmap(NULL, PAGES(4), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(shared && private);
	close(fd);
	private[PAGES(1)] = 'p';
	int pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		shared[0] = 's';
		shared[PAGES(1)] = 't';
		private[PAGES(2)] = 'c';
		CHECK_EQ(private[PAGES(1)], 'p');
		exit(0);
	}
	CHECK_EQ(finish(pid), 0);
	CHECK_EQ(shared[0], 's');
	CHECK_EQ(shared[PAGES(1)], 't');
	CHECK_EQ(private[PAGES(1)], 'p');
	CHECK(private[PAGES(2)] == shared[PAGES(2)]);
	CHECK_EQ(munmap(shared, PAGES(4)), 0);
	CHECK_EQ(munmap(private, PAGES(4)), 0);
	fd = (int)CHECK_OK(open("f", O_RDONLY));
	CHECK_EQ(read(fd, buffer, (size_t)PAGES(2)), PAGES(2));
	CHECK(buffer[0] == 's' && buffer[PAGES(1)] == 't');
	close(fd);
}

static void test_killed_while_writing(void)
{
	/* Whoever wrote into a shared mapping and died: what was written is in the file, and the page is back. */
	make_file("f", PAGES(8), 1);
	for (int round = 0; round < 10; round++) {
		int pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			int fd = (int)CHECK_OK(open("f", O_RDWR));
			char *memory = mmap(NULL, PAGES(8), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
			CHECK(memory);
			memory[PAGES(7)] = (char)round;
			for (unsigned seed = 1;; seed++)
				pattern_fill(memory, PAGES(7), 0, seed);
		}
		sleep_ms(5);
		CHECK_EQ(kill(pid), 0);
		CHECK_EQ(finish(pid), KILLED);
	}
	CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	CHECK_EQ(file_size("f"), PAGES(8));
}

extern const struct test tests_mmap_more[];
const struct test tests_mmap_more[] = {
    {"mmap-random", test_random, 0, "parts mapped and unmapped at random, against a model"},
    {"mmap-generations", test_generations, 0, "a tree of processes counts in one page"},
    {"mmap-pressure", test_without_memory, 0, "dirty mapped pages while another takes all memory"},
    {"mmap-no-memory", test_map_without_memory, 0, "mappings made and touched without memory"},
    {"mmap-twice", test_two_files, 0, "one file, private and shared"},
    {"mmap-killed", test_killed_while_writing, 0, "killed while it writes a shared mapping"},
    {NULL, NULL, 0, NULL},
};
