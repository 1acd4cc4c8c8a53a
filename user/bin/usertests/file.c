/* SPDX-License-Identifier: MIT */
/* Regular files: open, read, write, seek, truncate, descriptors. */
#include "tests.h"

static void test_open_modes(void)
{
	char c;

	CHECK_EQ(open("new", O_RDONLY), -ENOENT);
	CHECK_EQ(open("nowhere/new", O_RDWR | O_CREAT), -ENOENT);
	int fd = (int)CHECK_OK(open("new", O_WRONLY | O_CREAT | O_EXCL, 0644));
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(read(fd, &c, 1), -EBADF);
	close(fd);
	CHECK_EQ(open("new", O_RDWR | O_CREAT | O_EXCL, 0644), -EEXIST);
	fd = (int)CHECK_OK(open("new", O_RDONLY | O_CREAT));
	CHECK_EQ(write(fd, "x", 1), -EBADF);
	CHECK_EQ(read(fd, buffer, 10), 3);
	CHECK_EQ(read(fd, buffer, 10), 0);
	CHECK(ftruncate(fd, 0) < 0);
	close(fd);
	CHECK_EQ(open("new", O_RDONLY | O_DIRECTORY), -ENOTDIR);
	CHECK_EQ(open("new/x", O_RDONLY), -ENOTDIR);
	fd = (int)CHECK_OK(open("new", O_RDWR | O_TRUNC));
	CHECK_EQ(file_size("new"), 0);
	CHECK_EQ(read(fd, buffer, 10), 0);
	close(fd);
	CHECK_EQ(open(".", O_RDWR), -EISDIR);
	CHECK_EQ(open(".", O_WRONLY | O_TRUNC), -EISDIR);
	fd = (int)CHECK_OK(open(".", O_RDONLY));
	CHECK_EQ(read(fd, buffer, 10), -EISDIR);
	close(fd);
	CHECK_EQ(open("", O_RDONLY), -ENOENT);
	CHECK_EQ(open("", O_RDWR | O_CREAT), -ENOENT);
}

static void test_write_read(void)
{
	make_file("f", 10, 1);
	check_file("f", 10, 1);
	make_file("f", 4096, 2);
	check_file("f", 4096, 2);
	make_file("f", 4097, 3);
	check_file("f", 4097, 3);
	make_file("f", 60000, 4); /* past the direct blocks */
	check_file("f", 60000, 4);
	make_file("f", 5, 5);
	check_file("f", 5, 5);
}

static void test_seek(void)
{
	make_file("f", 9000, 1);
	int fd = (int)CHECK_OK(open("f", O_RDWR));
	static const long places[] = {0, 1, 4095, 4096, 4097, 8191, 8192, 8999};
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		CHECK_EQ(lseek(fd, places[i], SEEK_SET), places[i]);
		CHECK_EQ(read(fd, buffer, 1), 1);
		CHECK(pattern_matches(buffer, 1, (uint64_t)places[i], 1));
		CHECK_EQ(lseek(fd, 0, SEEK_CUR), places[i] + 1);
	}
	CHECK_EQ(lseek(fd, -5, SEEK_END), 8995);
	CHECK_EQ(read(fd, buffer, 100), 5);
	CHECK_EQ(lseek(fd, -10, SEEK_CUR), 8990);
	CHECK_EQ(lseek(fd, -1, SEEK_SET), -EINVAL);
	CHECK_EQ(lseek(fd, -10000, SEEK_CUR), -EINVAL);
	CHECK_EQ(lseek(fd, 0, 3), -EINVAL);
	CHECK_EQ(lseek(fd, 0, -1), -EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 8990);
	CHECK_EQ(lseek(fd, 100000, SEEK_SET), 100000);
	CHECK_EQ(read(fd, buffer, 10), 0);
	/* Written into the middle, across a page's edge. */
	pattern_fill(buffer, 200, 7000, 2);
	CHECK_EQ(lseek(fd, 4000, SEEK_SET), 4000);
	CHECK_EQ(write(fd, buffer, 200), 200);
	CHECK_EQ(lseek(fd, 3999, SEEK_SET), 3999);
	CHECK_EQ(read(fd, buffer, 202), 202);
	CHECK(pattern_matches(buffer, 1, 3999, 1) && pattern_matches(buffer + 1, 200, 7000, 2) &&
	      pattern_matches(buffer + 201, 1, 4200, 1));
	CHECK_EQ(file_size("f"), 9000);
}

static bool all_zero(const char *bytes, long n)
{
	for (long i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

/* A hole at each depth of the block map: direct, indirect, double indirect. */
static void test_holes(void)
{
	static const long places[] = {20000, 100000, 12L * 4096 + 1024L * 4096 + 5000};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		uint64_t blocks = free_blocks(), inodes = free_inodes();
		int fd = (int)CHECK_OK(creat("holes"));
		CHECK_EQ(lseek(fd, places[i], SEEK_SET), places[i]);
		CHECK_EQ(write(fd, "end", 3), 3);
		CHECK_EQ(file_size("holes"), places[i] + 3);
		CHECK(blocks - free_blocks() <= 3);
		CHECK_EQ(lseek(fd, places[i] - 5000, SEEK_SET), places[i] - 5000);
		CHECK_EQ(read_full(fd, buffer, 5003), 5003);
		CHECK(all_zero(buffer, 5000) && memcmp(buffer + 5000, "end", 3) == 0);
		/* And into the middle of nothing. */
		CHECK_EQ(lseek(fd, places[i] / 2, SEEK_SET), places[i] / 2);
		CHECK_EQ(write(fd, "mid", 3), 3);
		CHECK_EQ(lseek(fd, places[i] / 2 - 10, SEEK_SET), places[i] / 2 - 10);
		CHECK_EQ(read_full(fd, buffer, 23), 23);
		CHECK(all_zero(buffer, 10) && memcmp(buffer + 10, "mid", 3) == 0 &&
		      all_zero(buffer + 13, 10));
		close(fd);
		CHECK_EQ(unlink("holes"), 0);
		check_disk_free(blocks, inodes);
	}
}

static void test_append(void)
{
	make_file("f", 100, 1);
	int fd = (int)CHECK_OK(open("f", O_RDWR | O_APPEND));
	for (int i = 0; i < 60; i++) {
		pattern_fill(buffer, 200, 100 + 200UL * (unsigned)i, 1);
		CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
		CHECK_EQ(write(fd, buffer, 200), 200);
	}
	close(fd);
	check_file("f", 100 + 60 * 200, 1);
}

static void test_truncate(void)
{
	static const long sizes[] = {59999, 49153, 49152, 49151, 8193, 8192, 8191, 4096, 100, 1, 0};
	uint64_t blocks = free_blocks();

	make_file("f", 60000, 1);
	int fd = (int)CHECK_OK(open("f", O_RDWR));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		CHECK_EQ(ftruncate(fd, sizes[i]), 0);
		check_file("f", sizes[i], 1);
	}
	CHECK(free_blocks() + 1 >= blocks); /* the directory may have got its block */
	/* What was cut off does not come back: the longer file ends in zeros. */
	close(fd);
	make_file("f", 10000, 1);
	fd = (int)CHECK_OK(open("f", O_RDWR));
	CHECK_EQ(ftruncate(fd, 5000), 0);
	CHECK_EQ(ftruncate(fd, 20000), 0);
	CHECK_EQ(read_full(fd, buffer, 30000), 20000);
	CHECK(pattern_matches(buffer, 5000, 0, 1) && all_zero(buffer + 5000, 15000));
	CHECK_EQ(ftruncate(fd, -1), -EINVAL);
	CHECK(ftruncate(fd, 1L << 60) < 0);
	CHECK_EQ(file_size("f"), 20000);
	CHECK_EQ(ftruncate(99, 0), -EBADF);
}

static void test_truncate_while_open(void)
{
	make_file("f", 5000, 1);
	int reader = (int)CHECK_OK(open("f", O_RDONLY));
	CHECK_EQ(read(reader, buffer, 1000), 1000);
	int writer = (int)CHECK_OK(open("f", O_WRONLY | O_TRUNC));
	CHECK_EQ(read(reader, buffer, 1000), 0);
	CHECK_EQ(write(writer, "0123456789", 10), 10);
	CHECK_EQ(lseek(reader, 4, SEEK_SET), 4);
	CHECK_EQ(read(reader, buffer, 100), 6);
	CHECK_EQ(memcmp(buffer, "456789", 6), 0);
}

static void test_descriptors(void)
{
	int fds[NOFILE], n = 0, fd;

	make_file("f", 10, 1);
	while ((fd = open("f", O_RDONLY)) >= 0)
		fds[n++] = fd;
	CHECK_EQ(fd, -EMFILE);
	CHECK(n >= NOFILE - 4);
	CHECK_EQ(dup(0), -EMFILE);
	CHECK_EQ(open("other", O_RDWR | O_CREAT), -EMFILE);
	/* The lowest free one is given. */
	CHECK_EQ(close(fds[5]), 0);
	CHECK_EQ(close(fds[3]), 0);
	CHECK_EQ(dup(fds[0]), fds[3]);
	CHECK_EQ(open("f", O_RDONLY), fds[5]);
	CHECK_EQ(close(fds[5]), 0);
	CHECK_EQ(close(fds[5]), -EBADF);
	/* A duplicate shares the offset, and lives on without its original. */
	CHECK_EQ(read(fds[0], buffer, 4), 4);
	CHECK_EQ(close(fds[0]), 0);
	CHECK_EQ(read(fds[3], buffer, 100), 6);
	CHECK_EQ(dup(fds[0]), -EBADF);
}

static void test_stat(void)
{
	struct stat a, b;

	make_file("a", 5000, 1);
	CHECK_EQ(link("a", "b"), 0);
	CHECK_EQ(stat("a", &a), 0);
	CHECK_EQ(stat("b", &b), 0);
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(a.st_nlink, 2);
	CHECK_EQ(a.st_size, 5000);
	CHECK_EQ(a.st_blocks, 16);
	CHECK_EQ(a.st_mode & S_IFMT, S_IFREG);
	CHECK_EQ(unlink("a"), 0);
	CHECK_EQ(stat("a", &a), -ENOENT);
	CHECK_EQ(stat("b", &b), 0);
	CHECK_EQ(b.st_nlink, 1);
	check_file("b", 5000, 1);
	CHECK_EQ(stat(".", &a), 0);
	CHECK_EQ(a.st_mode & S_IFMT, S_IFDIR);
	CHECK_EQ(a.st_nlink, 2);
	CHECK_EQ(mkdir("d"), 0);
	CHECK_EQ(stat(".", &a), 0);
	CHECK_EQ(a.st_nlink, 3);
	CHECK_EQ(rmdir("d"), 0);
	CHECK_EQ(stat(".", &a), 0);
	CHECK_EQ(a.st_nlink, 2);
}

static void test_sync(void)
{
	struct freemem info;

	make_file("f", 20000, 1);
	CHECK_EQ(freemem_read(&info), 0);
	int fd = (int)CHECK_OK(open("f", O_RDWR));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	pattern_fill(buffer, 1, 0, 1);
	CHECK_EQ(write(fd, buffer, 1), 1);
	CHECK_EQ(sync(), 0);
	CHECK_EQ(freemem_read(&info), 0);
	CHECK_EQ(info.cached_dirty, 0);
	CHECK_EQ(fsync(77), -EBADF);
	/* Read back from the disk, not from the cache. */
	close(fd);
	CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	check_file("f", 20000, 1);
}

static void test_devices(void)
{
	struct stat st;

	int fd = (int)CHECK_OK(open("/dev/null", O_RDWR));
	CHECK_EQ(write(fd, buffer, 1000), 1000);
	CHECK_EQ(read(fd, buffer, 1000), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_mode & S_IFMT, S_IFCHR);
	close(fd);
	fd = (int)CHECK_OK(open("/dev/zero", O_RDWR));
	memset(buffer, 1, 10000);
	CHECK_EQ(read(fd, buffer, 10000), 10000);
	CHECK(all_zero(buffer, 10000));
	close(fd);
	fd = (int)CHECK_OK(open("/dev/console", O_WRONLY));
	CHECK_EQ(write(fd, "", 0), 0);
	CHECK_EQ(write(fd, (char *)8, 5), -EFAULT);
	close(fd);
	/* A node of our own for the same device; and one for a device that is not there. */
	int null_device = (int)st.st_rdev;
	CHECK_EQ(mknod("null", S_IFCHR | 0644, null_device), 0);
	fd = (int)CHECK_OK(open("null", O_RDWR));
	CHECK_EQ(write(fd, buffer, 77), 77);
	close(fd);
	CHECK_EQ(mknod("null", S_IFCHR | 0644, null_device), -EEXIST);
	CHECK_EQ(mknod("none", S_IFCHR | 0644, 0xff00), 0);
	CHECK(open("none", O_RDWR) < 0);
	CHECK(mknod("odd", S_IFBLK, 1) < 0);
	CHECK(mknod("odd", S_IFCHR, 0x10000) < 0);
}

const struct test tests_file[] = {
    {"open-modes", test_open_modes, 0, "flags of open and what each descriptor may do"},
    {"write-read", test_write_read, 0, "files of several sizes read back"},
    {"seek", test_seek, 0, "lseek, reads and writes anywhere"},
    {"holes", test_holes, 0, "holes below direct, indirect and double-indirect blocks"},
    {"append", test_append, 0, "O_APPEND writes at the end wherever the offset is"},
    {"truncate", test_truncate, 0, "ftruncate to shorter and longer"},
    {"truncate-open", test_truncate_while_open, 0, "O_TRUNC under a reader"},
    {"descriptors", test_descriptors, 0, "all of them used, closed, duplicated"},
    {"stat", test_stat, 0, "sizes, links, kinds"},
    {"sync", test_sync, 0, "fsync and sync leave nothing dirty and lose nothing"},
    {"devices", test_devices, 0, "null, zero, console, and nodes made by mknod"},
    {NULL, NULL, 0, NULL},
};
