/* SPDX-License-Identifier: MIT */
/* Directories and names. */
#include "tests.h"

static int count_entries(const char *path)
{
	struct dir dir;
	int n = 0;

	CHECK_EQ(dir_open(&dir, path), 0);
	while (dir_read(&dir))
		n++;
	CHECK_EQ(dir.length_bytes, 0);
	dir_close(&dir);
	return n;
}

static uint64_t inode_of(const char *path)
{
	struct stat st;

	CHECK_EQ(stat(path, &st), 0);
	return st.st_ino;
}

static void test_dots(void)
{
	CHECK_EQ(mkdir("a"), 0);
	CHECK_EQ(mkdir("a/b"), 0);
	CHECK_EQ(inode_of("a/."), inode_of("a"));
	CHECK_EQ(inode_of("a/b/.."), inode_of("a"));
	CHECK_EQ(inode_of("a/b/../.."), inode_of("."));
	CHECK_EQ(inode_of("a//b///"), inode_of("a/b"));
	CHECK_EQ(inode_of("./a/../a/./b/../b"), inode_of("a/b"));
	CHECK_EQ(inode_of("/.."), inode_of("/"));
	CHECK_EQ(inode_of("/../../tmp/usertests"), inode_of("."));
	CHECK_EQ(stat("missing/..", &(struct stat){0}), -ENOENT);
	make_file("f", 1, 1);
	CHECK_EQ(stat("f/.", &(struct stat){0}), -ENOTDIR);
	CHECK_EQ(stat("f/..", &(struct stat){0}), -ENOTDIR);
	CHECK_EQ(count_entries("a"), 3);
	/* Across the mount points. */
	CHECK_EQ(inode_of("/proc/.."), inode_of("/"));
	CHECK_EQ(inode_of("/dev/../README"), inode_of("/README"));
}

static void test_mkdir_rmdir(void)
{
	make_file("f", 1, 1);
	CHECK_EQ(mkdir("d"), 0);
	CHECK_EQ(mkdir("d"), -EEXIST);
	CHECK_EQ(mkdir("f"), -EEXIST);
	CHECK_EQ(mkdir("f/x"), -ENOTDIR);
	CHECK_EQ(mkdir("no/x"), -ENOENT);
	CHECK_EQ(mkdir(""), -ENOENT);
	CHECK(mkdir("/") < 0);
	CHECK(mkdir(".") < 0);
	CHECK(mkdir("..") < 0);
	make_file("d/f", 1, 1);
	CHECK_EQ(rmdir("d"), -ENOTEMPTY);
	CHECK_EQ(unlink("d/f"), 0);
	CHECK_EQ(mkdir("d/e"), 0);
	CHECK_EQ(rmdir("d"), -ENOTEMPTY);
	CHECK_EQ(rmdir("d/e"), 0);
	CHECK_EQ(rmdir("f"), -ENOTDIR);
	CHECK_EQ(unlink("d"), -EISDIR);
	CHECK_EQ(rmdir("d/."), -EINVAL);
	CHECK(rmdir("d/..") < 0);
	CHECK(rmdir(".") < 0);
	CHECK(rmdir("..") < 0);
	CHECK(rmdir("/") < 0);
	CHECK(rmdir("/proc") < 0);
	CHECK(unlink(".") < 0);
	CHECK(unlink("..") < 0);
	CHECK(unlink("/") < 0);
	CHECK_EQ(rmdir("d"), 0);
	CHECK_EQ(rmdir("d"), -ENOENT);
	CHECK_EQ(unlink("f/x"), -ENOTDIR);
	CHECK_EQ(mkdir("slash/"), 0);
	CHECK_EQ(rmdir("slash/"), 0);
}

static void test_links(void)
{
	make_file("f", 100, 1);
	CHECK_EQ(mkdir("d"), 0);
	CHECK_EQ(link("f", "d/g"), 0);
	CHECK_EQ(link("f", "f"), -EEXIST);
	CHECK_EQ(link("f", "d/g"), -EEXIST);
	CHECK_EQ(link("f", "d"), -EEXIST);
	CHECK_EQ(link("none", "x"), -ENOENT);
	CHECK_EQ(link("f", "no/x"), -ENOENT);
	CHECK_EQ(link("f", "f/x"), -ENOTDIR);
	CHECK_EQ(link("d", "e"), -EPERM);
	CHECK_EQ(link("/dev/null", "x"), -EXDEV);
	CHECK_EQ(unlink("f"), 0);
	check_file("d/g", 100, 1);
	/* Many names of one file. */
	char name[16];
	struct stat st;
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		CHECK_EQ(link("d/g", name), 0);
	}
	CHECK_EQ(stat("l7", &st), 0);
	CHECK_EQ(st.st_nlink, 51);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		CHECK_EQ(unlink(name), 0);
	}
	CHECK_EQ(stat("d/g", &st), 0);
	CHECK_EQ(st.st_nlink, 1);
}

static void test_deep(void)
{
	char path[PATH_MAX] = "";
	size_t length = 0;
	const int depth = 40;

	for (int i = 0; i < depth; i++) {
		CHECK_EQ(mkdir("deep"), 0);
		CHECK_EQ(chdir("deep"), 0);
		length += (size_t)snprintf(path + length, sizeof(path) - length, "deep/");
	}
	make_file("bottom", 10, 1);
	for (int i = 0; i < depth; i++)
		CHECK_EQ(chdir(".."), 0);
	snprintf(path + length, sizeof(path) - length, "bottom");
	check_file(path, 10, 1);
	CHECK_EQ(unlink(path), 0);
	for (int i = 0; i < depth; i++) {
		path[length - 1] = 0;
		CHECK_EQ(rmdir(path), 0);
		length -= 5;
	}
}

static void test_chdir(void)
{
	uint64_t here = inode_of(".");

	make_file("f", 1, 1);
	CHECK_EQ(mkdir("d"), 0);
	CHECK_EQ(chdir("none"), -ENOENT);
	CHECK_EQ(chdir("f"), -ENOTDIR);
	CHECK_EQ(chdir(""), -ENOENT);
	CHECK_EQ(inode_of("."), here);
	CHECK_EQ(chdir("d"), 0);
	CHECK_EQ(inode_of(".."), here);
	CHECK_EQ(chdir(".."), 0);
	CHECK_EQ(inode_of("."), here);
	CHECK_EQ(chdir("/proc"), 0);
	CHECK_OK(open("meminfo", O_RDONLY));
	CHECK_EQ(chdir("/dev"), 0);
	CHECK_OK(open("null", O_RDONLY));
	CHECK_EQ(chdir("../tmp/usertests"), 0);
	CHECK_EQ(inode_of("."), here);
}

/* Enough entries for several blocks of the directory, removed from the front, the back and the middle. */
static void test_large_directory(void)
{
	const int n = 120;
	char name[64];

	CHECK_EQ(mkdir("d"), 0);
	make_file("d/x", 5, 1);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "d/a-rather-long-name-for-a-file-number-%d", i * 37 % n);
		CHECK_EQ(link("d/x", name), 0);
	}
	CHECK_EQ(count_entries("d"), n + 3);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "d/a-rather-long-name-for-a-file-number-%d", i * 53 % n);
		CHECK_EQ(unlink(name), 0);
		if (i % 40 == 0)
			CHECK_EQ(count_entries("d"), n + 3 - 1 - i);
	}
	CHECK_EQ(count_entries("d"), 3);
	CHECK_EQ(unlink("d/x"), 0);
	CHECK_EQ(rmdir("d"), 0);
}

static void test_many_directories(void)
{
	int n = (int)MIN(free_inodes() / 4, 60UL);
	char name[32];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		CHECK_EQ(mkdir(name), 0);
		snprintf(name, sizeof(name), "d%d/f", i);
		make_file(name, 3, 1);
	}
	struct stat st;
	CHECK_EQ(stat(".", &st), 0);
	CHECK_EQ(st.st_nlink, n + 2);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "d%d/f", i);
		CHECK_EQ(unlink(name), 0);
		snprintf(name, sizeof(name), "d%d", i);
		CHECK_EQ(rmdir(name), 0);
	}
}

static void test_getdents(void)
{
	make_file("f", 10, 1);
	int file = (int)CHECK_OK(open("f", O_RDONLY));
	int dir = (int)CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
	CHECK_EQ(getdents(file, buffer, 1000), -ENOTDIR);
	CHECK_EQ(getdents(dir, buffer, 10), -EINVAL);
	CHECK_EQ(getdents(99, buffer, 1000), -EBADF);
	CHECK_EQ(getdents(dir, (void *)0x1000, 1000), -EFAULT);
	/* Room for one entry at a time. */
	int entries = 0;
	for (long n; (n = CHECK_OK(getdents(dir, buffer, 32))) > 0;) {
		struct dirent *entry = (struct dirent *)buffer;
		CHECK(n <= 32 && entry->d_reclen % 8 == 0 && entry->d_ino > 0);
		CHECK_EQ(entry->d_type, strcmp(entry->d_name, "f") == 0 ? DT_REG : DT_DIR);
		entries++;
	}
	CHECK_EQ(entries, 3);
	CHECK_EQ(getdents(dir, buffer, 1000), 0);
	CHECK_EQ(lseek(dir, 0, SEEK_SET), 0);
	CHECK(getdents(dir, buffer, 1000) > 0);
	/* The root lists what is mounted on it. */
	int root = (int)CHECK_OK(open("/", O_RDONLY));
	CHECK(getdents(root, buffer, 4096) > 0);
}

static void follow_and_change(long who)
{
	/* The link, and what it names, come and go meanwhile. */
	for (int i = 0; i < 40; i++) {
		if (who == 0) {
			unlink("race");
			symlink(i % 2 ? "x" : "y", "race");
			continue;
		}
		int fd = open("race", O_RDWR | (i % 2 ? O_CREAT : 0), 0644);
		CHECK(fd >= 0 || fd == -ENOENT || fd == -EIO);
		if (fd >= 0)
			close(fd);
	}
}

static void test_symbolic_links(void)
{
	char target[300];
	struct stat st;

	CHECK_EQ(mkdir("d"), 0);
	make_file("d/f", 5000, 1);
	CHECK_EQ(symlink("f", "d/short"), 0);
	check_file("d/short", 5000, 1);
	/* Too long for the inode: a block of its own. */
	memset(target, '/', sizeof(target));
	str_copy(target + 200, "README", sizeof(target) - 200);
	CHECK_EQ(symlink(target, "long"), 0);
	CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	CHECK_EQ(close((int)CHECK_OK(open("long", O_RDONLY))), 0);
	check_file("d/short", 5000, 1);
	int fd = (int)CHECK_OK(open("long", O_RDONLY | O_NOFOLLOW));
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK((st.st_mode & S_IFMT) == S_IFLNK && st.st_size == 206);
	CHECK(read(fd, buffer, 1) < 0);
	close(fd);
	CHECK(open("long", O_RDWR | O_NOFOLLOW) < 0);
	CHECK_EQ(open("long", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), -ENOTDIR);
	CHECK_EQ(symlink("f", "d/short"), -EEXIST);
	CHECK_EQ(symlink("", "e"), -ENOENT);
	CHECK_EQ(symlink("self", "self"), 0);
	CHECK_EQ(open("self", O_RDONLY), -ELOOP);
	CHECK_EQ(open("self", O_RDWR | O_CREAT, 0644), -ELOOP);
	CHECK_EQ(open("self/f", O_RDONLY), -ELOOP);
	/* link and unlink mean the link itself. */
	CHECK_EQ(link("self", "again"), 0);
	CHECK_EQ(unlink("self"), 0);
	CHECK_EQ(open("again", O_RDONLY), -ENOENT);
	for (int i = 0; i < 4; i++)
		start(follow_and_change, i);
	finish_all(4);
}

const struct test tests_dir[] = {
    {"dots", test_dots, 0, ". and .. and // in paths, at the root and across mounts"},
    {"mkdir-rmdir", test_mkdir_rmdir, 0, "made and removed, and when they must not be"},
    {"links", test_links, 0, "several names of one file"},
    {"symlinks", test_symbolic_links, 0, "short and long, in a circle, while they change"},
    {"deep-paths", test_deep, 0, "forty directories deep"},
    {"chdir", test_chdir, 0, "to places that are and are not"},
    {"large-directory", test_large_directory, 0, "entries over several blocks"},
    {"many-directories", test_many_directories, 0, "60 directories with a file each"},
    {"getdents", test_getdents, 0, "entries one by one, misuse"},
    {NULL, NULL, 0, NULL},
};
