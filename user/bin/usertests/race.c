/* SPDX-License-Identifier: MIT */
/* Several processes at the same names and files. */
#include "tests.h"

static void write_own(long who)
{
	char name[16];

	snprintf(name, sizeof(name), "own%ld", who);
	for (int round = 0; round < 4; round++) {
		make_file(name, 20000 + who * 1000, (unsigned)(who + round));
		check_file(name, 20000 + who * 1000, (unsigned)(who + round));
	}
	CHECK_EQ(unlink(name), 0);
}

static void test_own_files(void)
{
	for (int i = 0; i < 4; i++)
		start(write_own, i);
	finish_all(4);
}

static void append_records(long who)
{
	int fd = (int)CHECK_OK(open("log", O_WRONLY | O_APPEND));
	char record[64];

	memset(record, 'A' + (int)who, sizeof(record));
	for (int i = 0; i < 100; i++)
		CHECK_EQ(write(fd, record, sizeof(record)), sizeof(record));
	close(fd);
}

static void test_append_together(void)
{
	int counts[4] = {0};
	char record[64];

	make_file("log", 0, 0);
	for (int i = 0; i < 4; i++)
		start(append_records, i);
	finish_all(4);
	int fd = (int)CHECK_OK(open("log", O_RDONLY));
	while (read_full(fd, record, sizeof(record)) == sizeof(record)) {
		for (size_t i = 1; i < sizeof(record); i++)
			CHECK_EQ(record[i], record[0]);
		CHECK(record[0] >= 'A' && record[0] < 'E');
		counts[record[0] - 'A']++;
	}
	for (int i = 0; i < 4; i++)
		CHECK_EQ(counts[i], 100);
}

static void write_shared(long fd)
{
	memset(buffer, 'a' + getpid() % 26, 100);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(write((int)fd, buffer, 100), 100);
}

static void test_one_offset(void)
{
	/* Writers that share an open file also share its offset: no record falls on another. */
	int fd = (int)CHECK_OK(creat("shared"));
	for (int i = 0; i < 4; i++)
		start(write_shared, fd);
	finish_all(4);
	CHECK_EQ(file_size("shared"), 4 * 100 * 100);
}

static void create_delete(long who)
{
	char name[4] = {'n', 0, 0, 0};

	for (int i = 0; i < 60; i++) {
		name[1] = (char)('0' + i % 4);
		int fd = open(name, O_RDWR | O_CREAT, 0644);
		if (fd >= 0) {
			write(fd, &who, sizeof(who));
			close(fd);
		}
		unlink(name);
	}
}

static void test_create_delete(void)
{
	for (int i = 0; i < 4; i++)
		start(create_delete, i);
	finish_all(4);
	struct dir dir;
	int entries = 0;
	CHECK_EQ(dir_open(&dir, "."), 0);
	while (dir_read(&dir))
		entries++;
	CHECK_EQ(entries, 2);
}

static void take_exclusive(long unused)
{
	int taken = 0;
	char name[16];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
		CHECK(fd >= 0 || fd == -EEXIST);
		if (fd >= 0)
			taken++;
		close(fd);
	}
	exit(taken);
}

static void test_exclusive(void)
{
	int total = 0, status;

	for (int i = 0; i < 4; i++)
		start(take_exclusive, 0);
	for (int i = 0; i < 4; i++) {
		CHECK(wait(&status) > 0);
		CHECK(status >= 0);
		total += status;
	}
	CHECK_EQ(total, 40);
}

static void link_and_unlink(long who)
{
	uint64_t state = (uint64_t)who * 77 + 1;

	for (int i = 0; i < 80; i++) {
		switch (random_next(&state) % 3) {
		case 0:
			close(open("name", O_RDWR | O_CREAT, 0644));
			break;
		case 1:
			link("file", "name");
			break;
		default:
			unlink("name");
		}
	}
}

static void test_link_unlink(void)
{
	struct stat st;

	make_file("file", 3000, 1);
	for (int i = 0; i < 4; i++)
		start(link_and_unlink, i);
	finish_all(4);
	unlink("name");
	CHECK_EQ(stat("file", &st), 0);
	CHECK_EQ(st.st_nlink, 1);
	check_file("file", 3000, 1);
}

static void make_and_remove_dirs(long who)
{
	uint64_t state = (uint64_t)who * 1313 + 3;

	for (int i = 0; i < 60; i++) {
		switch (random_next(&state) % 5) {
		case 0:
			mkdir("d");
			break;
		case 1:
			mkdir("d/e");
			break;
		case 2:
			close(open("d/e/f", O_RDWR | O_CREAT, 0644));
			break;
		case 3:
			unlink("d/e/f");
			rmdir("d/e");
			break;
		default:
			rmdir("d");
		}
	}
}

static void test_directories_together(void)
{
	for (int i = 0; i < 4; i++)
		start(make_and_remove_dirs, i);
	finish_all(4);
	unlink("d/e/f");
	rmdir("d/e");
	rmdir("d");
	CHECK_EQ(stat("d", &(struct stat){0}), -ENOENT);
}

static void read_while_truncated(long unused)
{
	int fd = (int)CHECK_OK(open("f", O_RDONLY));

	for (int i = 0; i < 60; i++) {
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		long n = CHECK_OK(read_full(fd, buffer, 20000));
		/* A page was there or not; zeros stand where it was cut and grew again. */
		for (long k = 0; k < n; k++)
			CHECK(buffer[k] == 't' || buffer[k] == 0);
	}
}

static void truncate_and_write(long unused)
{
	int fd = (int)CHECK_OK(open("f", O_RDWR));

	memset(buffer, 't', 20000);
	for (int i = 0; i < 60; i++) {
		CHECK_EQ(ftruncate(fd, (i * 331) % 20000), 0);
		CHECK_EQ(lseek(fd, (i * 977) % 15000, SEEK_SET), (i * 977) % 15000);
		CHECK_EQ(write(fd, buffer, 5000), 5000);
	}
}

static void test_truncate_together(void)
{
	memset(buffer, 't', 20000);
	int fd = (int)CHECK_OK(creat("f"));
	CHECK_EQ(write(fd, buffer, 20000), 20000);
	close(fd);
	for (int i = 0; i < 2; i++) {
		start(read_while_truncated, 0);
		start(truncate_and_write, 0);
	}
	finish_all(4);
}

static void sync_all(long rounds)
{
	for (long i = 0; i < rounds; i++)
		CHECK_OK(sync());
}

static void test_sync_together(void)
{
	for (int i = 0; i < 3; i++)
		start(write_own, i);
	start(sync_all, 20);
	finish_all(4);
}

static void open_and_read(long seed)
{
	static const char *const paths[] = {"/README", "/bin/true", "/bin/sh", "/init", "/proc/meminfo", "f"};
	uint64_t state = (uint64_t)seed + 9;

	for (int i = 0; i < 40; i++) {
		int fd = (int)CHECK_OK(open(paths[random_next(&state) % ARRAY_SIZE(paths)], O_RDONLY));
		CHECK_OK(read_full(fd, buffer, sizeof(buffer)));
		close(fd);
	}
}

static void drop_again(long rounds)
{
	for (long i = 0; i < rounds; i++)
		CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
}

static void test_drop_together(void)
{
	make_file("f", 30000, 1);
	for (int i = 0; i < 3; i++)
		start(open_and_read, i);
	start(drop_again, 30);
	start(write_own, 7);
	finish_all(5);
	check_file("f", 30000, 1);
}

const struct test tests_race[] = {
    {"race-own-files", test_own_files, 0, "four writers, a file each"},
    {"race-append", test_append_together, 0, "four append records to one file"},
    {"race-offset", test_one_offset, 0, "four share one offset"},
    {"race-create-delete", test_create_delete, 0, "the same names made and removed"},
    {"race-exclusive", test_exclusive, 0, "O_EXCL gives each name once"},
    {"race-link-unlink", test_link_unlink, 0, "one name linked, made and removed by four"},
    {"race-directories", test_directories_together, 0, "directories made and removed below each other"},
    {"race-truncate", test_truncate_together, 0, "readers and writers of a file that shrinks and grows"},
    {"race-sync", test_sync_together, 0, "sync among writers"},
    {"race-drop", test_drop_together, 0, "caches dropped among readers and writers"},
    {NULL, NULL, 0, NULL},
};
