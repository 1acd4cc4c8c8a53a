/* SPDX-License-Identifier: MIT */
/* Large files, many files, full disks. Sizes follow what the disk has. */
#include "tests.h"

/* The smaller of a wish and what the disk can hold with some room left. */
static long affordable(long size_bytes)
{
	long room = (long)(free_blocks() * 4096 * 3 / 4);

	return MIN(size_bytes, room);
}

static void write_read(long size_bytes, long chunk)
{
	int fd = (int)CHECK_OK(creat("big"));

	for (long done = 0; done < size_bytes; done += chunk) {
		pattern_fill(buffer, (size_t)chunk, (uint64_t)done, 6);
		CHECK_EQ(write(fd, buffer, (size_t)chunk), chunk);
	}
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	long done = 0, n;
	while ((n = CHECK_OK(read(fd, buffer, 10000))) > 0) {
		if (!pattern_matches(buffer, (size_t)n, (uint64_t)done, 6))
			FAIL("wrong contents near byte %ld", done);
		done += n;
	}
	CHECK_EQ(done, (size_bytes + chunk - 1) / chunk * chunk);
	close(fd);
}

static void test_bigwrite(void)
{
	uint64_t blocks = free_blocks(), inodes = free_inodes();

	write_read(affordable(1024 * 1024 + 5), 4096);
	CHECK_EQ(unlink("big"), 0);
	check_disk_free(blocks, inodes);
}

static void test_write_sizes(void)
{
	static const long chunks[] = {499, 513, 4095, 4097, 12288, 30001, 65536};

	for (size_t i = 0; i < ARRAY_SIZE(chunks); i++) {
		write_read(chunks[i] * 3, chunks[i]);
		CHECK_EQ(unlink("big"), 0);
	}
}

static void test_double_indirect(void)
{
	/* 12 direct and 1024 indirect blocks hold 4.05 MiB; beyond them lies the double-indirect tree. */
	write_read(affordable(6 * 1024 * 1024), 65536);
	CHECK_EQ(unlink("big"), 0);
}

static void name_file(char *name, size_t size_bytes, int i)
{
	snprintf(name, size_bytes, "file-%d", i);
}

static void test_many_files(void)
{
	int n = (int)MIN(free_inodes() / 2, 200UL);
	char name[32];
	struct dirent *entry;
	struct dir dir;
	int seen = 0;

	for (int i = 0; i < n; i++) {
		name_file(name, sizeof(name), i);
		make_file(name, i % 50, (unsigned)i);
	}
	CHECK_EQ(dir_open(&dir, "."), 0);
	while ((entry = dir_read(&dir)) != NULL)
		seen += strncmp(entry->d_name, "file-", 5) == 0;
	CHECK_EQ(dir.length_bytes, 0);
	dir_close(&dir);
	CHECK_EQ(seen, n);
	/* Every third goes and comes back with other contents. */
	for (int i = 0; i < n; i += 3) {
		name_file(name, sizeof(name), i);
		CHECK_EQ(unlink(name), 0);
		CHECK_EQ(unlink(name), -ENOENT);
	}
	for (int i = 0; i < n; i += 3) {
		name_file(name, sizeof(name), i);
		make_file(name, 60, 1);
	}
	for (int i = 0; i < n; i++) {
		name_file(name, sizeof(name), i);
		check_file(name, i % 3 ? i % 50 : 60, i % 3 ? (unsigned)i : 1);
		CHECK_EQ(unlink(name), 0);
	}
}

static void test_disk_full(void)
{
	uint64_t blocks = free_blocks(), inodes = free_inodes();
	int fd = (int)CHECK_OK(creat("all"));
	long n, total = 0;

	memset(buffer, 'd', sizeof(buffer));
	while ((n = write(fd, buffer, sizeof(buffer))) > 0)
		total += n;
	CHECK_EQ(n, -ENOSPC);
	CHECK(free_blocks() <= 2);
	CHECK_EQ(file_size("all"), total);
	/* The disk is full for everyone, and names are still found. */
	int other = open("other", O_RDWR | O_CREAT, 0644);
	if (other >= 0)
		CHECK_EQ(write(other, buffer, 8192), -ENOSPC);
	CHECK(mkdir("directory") < 0 || free_blocks() > 0);
	CHECK_EQ(lseek(fd, total - 5, SEEK_SET), total - 5);
	CHECK_EQ(read(fd, buffer, 10), 5);
	CHECK_EQ(buffer[0], 'd');
	close(fd);
	CHECK_EQ(unlink("all"), 0);
	close(other);
	unlink("other");
	rmdir("directory");
	check_disk_free(blocks, inodes);
	make_file("again", 10000, 1);
	check_file("again", 10000, 1);
}

static void test_inodes_out(void)
{
	uint64_t inodes = free_inodes();
	char name[32];
	int made = 0, fd;

	for (;; made++) {
		name_file(name, sizeof(name), made);
		fd = open(name, O_RDWR | O_CREAT, 0644);
		if (fd < 0)
			break;
		close(fd);
	}
	CHECK_EQ(fd, -ENOSPC);
	CHECK_EQ(made, inodes);
	CHECK_EQ(mkdir("directory"), -ENOSPC);
	for (int i = 0; i < made; i++) {
		name_file(name, sizeof(name), i);
		CHECK_EQ(unlink(name), 0);
	}
	for (int tries = 0; free_inodes() != inodes && tries < 100; tries++)
		sleep_ms(10);
	CHECK_EQ(free_inodes(), inodes);
	CHECK_EQ(mkdir("directory"), 0);
}

static void test_names(void)
{
	char name[NAME_MAX + 2];
	char path[PATH_MAX + 2];

	for (int length = 1; length <= NAME_MAX; length += length < 250 ? 31 : 1) {
		memset(name, 'n', (size_t)length);
		name[length] = 0;
		make_file(name, 10, (unsigned)length);
		check_file(name, 10, (unsigned)length);
	}
	memset(name, 'n', NAME_MAX + 1);
	name[NAME_MAX + 1] = 0;
	CHECK_EQ(open(name, O_RDWR | O_CREAT), -ENAMETOOLONG);
	CHECK_EQ(mkdir(name), -ENAMETOOLONG);
	CHECK_EQ(unlink(name), -ENAMETOOLONG);
	/* Names of which one begins the other, and odd ones. */
	make_file("ab", 1, 1);
	make_file("abc", 2, 2);
	CHECK_EQ(file_size("ab"), 1);
	CHECK_EQ(open("a", O_RDONLY), -ENOENT);
	make_file("\xff\x80 \n\x01", 3, 3);
	CHECK_EQ(file_size("\xff\x80 \n\x01"), 3);
	/* The longest path there can be, and one byte more. */
	memset(path, '/', sizeof(path));
	path[0] = '.';
	path[PATH_MAX - 3] = 'a';
	path[PATH_MAX - 2] = 'b';
	path[PATH_MAX - 1] = 0;
	CHECK_EQ(file_size(path), 1);
	memset(path, '/', sizeof(path));
	path[0] = '.';
	path[PATH_MAX - 1] = 'a';
	path[PATH_MAX] = 0;
	CHECK_EQ(open(path, O_RDONLY), -ENAMETOOLONG);
}

const struct test tests_big[] = {
    {"bigwrite", test_bigwrite, 0, "1 MiB written and read back"},
    {"write-sizes", test_write_sizes, 0, "writes of odd sizes up to 64 KiB"},
    {"double-indirect", test_double_indirect, TEST_SLOW, "6 MiB, through the double-indirect blocks"},
    {"many-files", test_many_files, 0, "200 files made, listed, replaced, removed"},
    {"disk-full", test_disk_full, TEST_SLOW, "until no block is free"},
    {"inodes-out", test_inodes_out, TEST_SLOW, "until no inode is free"},
    {"names", test_names, 0, "long, odd and similar names; the longest path"},
    {NULL, NULL, 0, NULL},
};
