/* SPDX-License-Identifier: MIT */
/* When there is no memory: errors or a killed process, never more, and afterwards every page is back. */
#include "tests.h"

#define MIB (1024L * 1024)

/* Takes memory until there is none, in smaller and smaller pieces. */
static long take_everything(void)
{
	long taken = 0;

	for (long step = MIB; step >= (long)PAGE_BYTES;) {
		if (sbrk(step))
			taken += step;
		else
			step /= 2;
	}
	return taken;
}

static void take_and_leave(long unused)
{
	uint64_t pages = free_pages();
	long taken = take_everything();

	/* Nearly all that was free (or in caches) could be had. */
	CHECK(taken / (long)PAGE_BYTES + 150 >= (long)pages);
}

static void test_take_all(void)
{
	uint64_t before;

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(run_child(take_and_leave, 0), 0);
		CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
		if (i > 0)
			CHECK_EQ(free_pages(), before);
		before = free_pages();
	}
}

static void take_and_give_back(long unused)
{
	long taken = take_everything();
	uint64_t pages = free_pages();

	CHECK(sbrk(-taken));
	CHECK(free_pages() >= pages + (uint64_t)(taken / (long)PAGE_BYTES));
}

static void test_give_back(void)
{
	CHECK_EQ(run_child(take_and_give_back, 0), 0);
}

static void touch_too_much(long unused)
{
	struct freemem info;

	CHECK_EQ(freemem_read(&info), 0);
	long size = (long)info.total * 4096 + 16 * MIB;
	volatile char *memory = sbrk_lazy(size);
	CHECK(memory);
	for (long at = 0; at < size; at += (long)PAGE_BYTES)
		memory[at] = 1;
	FAIL("wrote %ld bytes into a machine of %lu pages", size, info.total);
}

static void test_lazy_all(void)
{
	check_killed(touch_too_much, 0);
}

static void read_too_much(long unused)
{
	/* The kernel runs out of memory for us in the middle of a copy. */
	int fd = (int)CHECK_OK(open("/dev/zero", O_RDONLY));
	take_everything();
	char *memory = sbrk_lazy(8 * MIB);
	CHECK(memory);
	long n = read(fd, memory, 8 * MIB);
	CHECK(n < 8 * MIB);
}

static void test_copy_without_memory(void)
{
	int status = run_child(read_too_much, 0);

	CHECK(status == 0 || status == KILLED);
}

static void read_with_pages_left(long keep_pages)
{
	/* The page that is copied from must not be the one that is evicted for the page that is copied to. */
	int fd = (int)CHECK_OK(open("f", O_RDONLY));
	char *memory = sbrk_lazy((long)PAGE_BYTES);

	CHECK(memory);
	take_everything();
	CHECK(sbrk(-keep_pages * (long)PAGE_BYTES));
	long n = read(fd, memory, PAGE_BYTES);
	CHECK(n <= 0 || pattern_matches(memory, (size_t)n, 0, 1));
}

static void test_read_with_pages_left(void)
{
	make_file("f", (long)PAGE_BYTES, 1);
	for (long keep = 0; keep < 6; keep++) {
		CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
		int status = run_child(read_with_pages_left, keep);
		CHECK(status == 0 || status == KILLED);
	}
}

static void fork_without_memory(long unused)
{
	int made = 0, pid;

	take_everything();
	while (made < 50 && (pid = fork()) > 0)
		made++;
	if (made < 50 && pid == 0) {
		/* Every write needs a page of its own. */
		for (char *at = (char *)buffer; at < buffer + sizeof(buffer); at += PAGE_BYTES)
			*at = 1;
		exit(0);
	}
	CHECK(made == 50 || pid == -ENOMEM || pid == -EAGAIN);
	while (wait(NULL) > 0)
		;
}

static void test_fork_without_memory(void)
{
	int status = run_child(fork_without_memory, 0);

	CHECK(status == 0 || status == KILLED);
}

static void fork_until_none(long unused)
{
	/* Each child holds some memory of its own, until fork or the memory ends. */
	int made = 0, pid = 0;
	int hold[2];
	char c;
	long piece = (long)free_pages() / 12 * (long)PAGE_BYTES;

	CHECK_EQ(pipe(hold), 0);
	for (; made < 40 && (pid = fork()) > 0; made++) {
		/* Let it take its memory first. */
		sleep_ms(2);
	}
	if (pid == 0 && made < 40) {
		close(hold[1]);
		sbrk(piece);
		read(hold[0], &c, 1);
		exit(0);
	}
	close(hold[1]);
	while (wait(NULL) > 0)
		;
}

static void test_fork_until_none(void)
{
	int status = run_child(fork_until_none, 0);

	CHECK(status == 0 || status == KILLED);
}

static void exec_without_memory(long keep_pages)
{
	char *const argv[] = {"true", NULL};

	take_everything();
	CHECK(sbrk(-keep_pages * (long)PAGE_BYTES));
	for (int i = 0; i < 3; i++) {
		/* From one who has nothing left: it works, or is refused, or fork is. */
		int pid = fork();
		if (pid == 0) {
			int err = exec("/bin/true", argv);
			CHECK_EQ(err, -ENOMEM);
			exit(0);
		}
		if (pid > 0)
			wait(NULL);
	}
}

static void test_exec_without_memory(void)
{
	for (long keep = 1; keep <= 64; keep = keep * 4) {
		int status = run_child(exec_without_memory, keep);
		CHECK(status == 0 || status == KILLED);
	}
}

static void calls_without_memory(long keep_pages)
{
	int fds[2];

	take_everything();
	CHECK(sbrk(-keep_pages * (long)PAGE_BYTES));
	for (int i = 0; i < 4; i++) {
		if (pipe(fds) == 0) {
			CHECK(write(fds[1], buffer, 100) != 0);
			close(fds[0]);
			close(fds[1]);
		}
		int fd = open("f", O_RDWR | O_CREAT, 0644);
		if (fd >= 0) {
			write(fd, buffer, 30000);
			lseek(fd, 0, SEEK_SET);
			read(fd, buffer, 30000);
			close(fd);
		}
		mkdir("d");
		unlink("f");
		rmdir("d");
		fd = open("/proc/meminfo", O_RDONLY);
		if (fd >= 0)
			close(fd);
	}
	unlink("f");
	rmdir("d");
}

static void test_calls_without_memory(void)
{
	for (long keep = 1; keep <= 40; keep = keep * 5) {
		int status = run_child(calls_without_memory, keep);
		CHECK(status == 0 || status == KILLED);
		unlink("f");
		rmdir("d");
	}
}

static void grab_and_hold(long ms)
{
	take_everything();
	sleep_ms(ms);
}

static void test_others_live_on(void)
{
	/* While one process holds all memory the others do their work or are told that they cannot. */
	make_file("f", 20000, 1);
	int hog = start(grab_and_hold, 100);
	sleep_ms(30);
	for (int i = 0; i < 20; i++) {
		int fd = open("f", O_RDONLY);
		if (fd >= 0) {
			long n = read(fd, buffer, 20000);
			CHECK(n <= 20000);
			CHECK(n <= 0 || pattern_matches(buffer, (size_t)n, 0, 1));
			close(fd);
		}
	}
	CHECK_EQ(finish(hog), 0);
	check_file("f", 20000, 1);
}

static void two_takers(long unused)
{
	for (int i = 0; i < 3; i++) {
		long taken = take_everything();
		CHECK(sbrk(-taken));
	}
}

static void test_two_takers(void)
{
	start_together(2, two_takers, 0);
	for (int i = 0; i < 2; i++) {
		int status = 12345;
		CHECK(wait(&status) > 0);
		CHECK(status == 0 || status == KILLED);
	}
}

#define NR_SHARERS 40

/* Takes its pages by turns with the others, tells that it has them, and keeps them until all are told to go. */
static void take_share(long nr, int *nr_done, int hold)
{
	char *memory = sbrk_lazy(nr * (long)PAGE_BYTES), c;

	CHECK(memory);
	for (long i = 0; i < nr; i++) {
		memory[i * (long)PAGE_BYTES] = 1;
		yield();
	}
	__atomic_fetch_add(nr_done, 1, __ATOMIC_SEQ_CST);
	read(hold, &c, 1);
	exit(0);
}

static void test_cache_makes_room(void)
{
	/* Many want at once what the cache has, all of it dirty: each must wait for the disk, and none may die. */
	int *nr_done = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long free_before = (long)free_pages();
	long share = free_before * 8 / 10 / NR_SHARERS - 14; /* besides its stacks and tables */
	int hold[2], made = 0, dead = 0;

	CHECK(nr_done && share > 0);
	make_file("f", MIN(free_before / 4, (long)free_blocks() / 2) * (long)PAGE_BYTES, 1);
	CHECK_EQ(pipe(hold), 0);
	for (; made < NR_SHARERS; made++) {
		if (CHECK_OK(fork()) == 0) {
			close(hold[1]);
			take_share(share, nr_done, hold[0]);
		}
	}
	while (dead + __atomic_load_n(nr_done, __ATOMIC_SEQ_CST) < made) {
		if (wait_nohang(NULL) > 0)
			dead++;
		else
			sleep_ms(1);
	}
	close(hold[1]);
	while (wait(NULL) > 0)
		;
	CHECK_EQ(dead, 0);
}

const struct test tests_memory_out[] = {
    {"memory-all", test_take_all, 0, "one process takes all there is, three times"},
    {"memory-back", test_give_back, 0, "taken and given back by sbrk"},
    {"memory-lazy", test_lazy_all, 0, "more is touched than there is"},
    {"memory-copy", test_copy_without_memory, 0, "no memory in the middle of a read"},
    {"memory-read", test_read_with_pages_left, 0, "reading a page into the last page there is"},
    {"memory-fork", test_fork_without_memory, 0, "fork of a process that has everything"},
    {"memory-forks", test_fork_until_none, TEST_SLOW, "forks until memory ends"},
    {"memory-exec", test_exec_without_memory, TEST_SLOW, "exec with a few pages left"},
    {"memory-calls", test_calls_without_memory, TEST_SLOW, "pipes and files with a few pages left"},
    {"memory-others", test_others_live_on, 0, "the others, while one holds everything"},
    {"memory-two", test_two_takers, TEST_SLOW, "two processes fight for all of it"},
    {"memory-cached", test_cache_makes_room, TEST_SLOW, "many want at once what dirty pages of a file have"},
    {NULL, NULL, 0, NULL},
};
