/* SPDX-License-Identifier: MIT */
/* Files and directories that are used after their last name is gone. */
#include "tests.h"

static void test_unlinked_open(void)
{
	uint64_t blocks, inodes;

	make_file("f", 1, 1); /* the directory's block */
	blocks = free_blocks();
	inodes = free_inodes();
	make_file("g", 30000, 2);
	int fd = (int)CHECK_OK(open("g", O_RDWR));
	CHECK_EQ(unlink("g"), 0);
	CHECK_EQ(open("g", O_RDONLY), -ENOENT);
	struct stat st;
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_size, 30000);
	/* A new file of that name is another. */
	make_file("g", 500, 3);
	CHECK_EQ(read_full(fd, buffer, 40000), 30000);
	CHECK(pattern_matches(buffer, 30000, 0, 2));
	pattern_fill(buffer, 10000, 30000, 2);
	CHECK_EQ(write(fd, buffer, 10000), 10000);
	CHECK_EQ(sync(), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(read_full(fd, buffer, 50000), 40000);
	CHECK(pattern_matches(buffer, 40000, 0, 2));
	check_file("g", 500, 3);
	CHECK_EQ(unlink("g"), 0);
	CHECK(free_blocks() < blocks);
	close(fd);
	check_disk_free(blocks, inodes);
}

static int ready[2];

static void hold_orphan(long size_bytes)
{
	char name[32];

	snprintf(name, sizeof(name), "orphan-%d", getpid());
	make_file(name, size_bytes, 1);
	CHECK_OK(open(name, O_RDWR));
	CHECK_EQ(unlink(name), 0);
	CHECK_EQ(write(ready[1], "r", 1), 1);
	sleep_ms(1000000);
}

static void test_orphan_of_killed(void)
{
	static const long sizes[] = {0, 100, 5000, 60000, 200000};
	int pids[ARRAY_SIZE(sizes)];
	char c;

	make_file("f", 1, 1);
	CHECK_EQ(sync(), 0);
	uint64_t blocks = free_blocks(), inodes = free_inodes();
	CHECK_EQ(pipe(ready), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		pids[i] = start(hold_orphan, sizes[i]);
		CHECK_EQ(read(ready[0], &c, 1), 1);
	}
	CHECK_EQ(free_inodes(), inodes - ARRAY_SIZE(sizes));
	CHECK(free_blocks() < blocks);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		CHECK_EQ(kill(pids[i]), 0);
		CHECK_EQ(finish(pids[i]), KILLED);
	}
	check_disk_free(blocks, inodes);
}

static void test_dirty_unlinked(void)
{
	/* Dirty pages of a file whose last name goes are dropped, never written, never kept. */
	for (int round = 0; round < 10; round++) {
		make_file("dirty", 50000, (unsigned)round);
		CHECK_EQ(unlink("dirty"), 0);
	}
	for (int round = 0; round < 10; round++) {
		int fd = (int)CHECK_OK(creat("dirty"));
		CHECK_EQ(unlink("dirty"), 0);
		CHECK_EQ(write(fd, buffer, 20000), 20000);
		close(fd);
	}
	struct freemem info;
	CHECK_EQ(sync(), 0);
	CHECK_EQ(freemem_read(&info), 0);
	CHECK_EQ(info.cached_dirty, 0);
}

static void test_removed_cwd(void)
{
	struct dir dir;
	int entries = 0;

	CHECK_EQ(mkdir("gone"), 0);
	CHECK_EQ(chdir("gone"), 0);
	CHECK_EQ(rmdir("../gone"), 0);
	CHECK_EQ(open("x", O_RDWR | O_CREAT), -ENOENT);
	CHECK_EQ(mkdir("x"), -ENOENT);
	CHECK_EQ(link("/README", "x"), -ENOENT);
	CHECK(unlink("x") < 0);
	if (dir_open(&dir, ".") == 0) {
		while (dir_read(&dir))
			entries++;
		CHECK(entries <= 2);
		dir_close(&dir);
	}
	CHECK_EQ(chdir("/"), 0);
}

static void test_removed_parent(void)
{
	CHECK_EQ(mkdir("a"), 0);
	CHECK_EQ(mkdir("a/b"), 0);
	int pid = fork();
	if (pid == 0) {
		CHECK_EQ(chdir("a/b"), 0);
		CHECK_EQ(rmdir("../../a/b"), 0);
		CHECK_EQ(rmdir("/tmp/usertests/a"), 0);
		/* Neither place exists, yet both are held by this process. */
		CHECK(open("../x", O_RDWR | O_CREAT) < 0);
		chdir("..");
		exit(0);
	}
	CHECK_EQ(finish(pid), 0);
	CHECK_EQ(stat("a", &(struct stat){0}), -ENOENT);
}

const struct test tests_unlinked[] = {
    {"unlinked-open", test_unlinked_open, 0, "read and written after the last name is gone"},
    {"orphans", test_orphan_of_killed, 0, "unlinked files of processes that are killed"},
    {"dirty-unlinked", test_dirty_unlinked, 0, "unlink with dirty pages, again and again"},
    {"removed-cwd", test_removed_cwd, 0, "in a directory that was removed"},
    {"removed-parent", test_removed_parent, 0, "below a directory that was removed"},
    {NULL, NULL, 0, NULL},
};
