/* SPDX-License-Identifier: MIT */
/* Symbolic links on the way: in the middle of paths, before slashes, in chains, for every call that takes a path. */
#include "tests.h"

static void expect_opens(const char *path)
{
	check_file(path, 5000, 1);
}

static void prepare_tree(void)
{
	CHECK_EQ(mkdir("a"), 0);
	CHECK_EQ(mkdir("a/b"), 0);
	make_file("a/b/f", 5000, 1);
	CHECK_EQ(symlink("a", "l"), 0);
	CHECK_EQ(symlink("../a/b", "a/up"), 0);
	CHECK_EQ(symlink("b/f", "a/file"), 0);
}

static void test_middle(void)
{
	char path[32];

	prepare_tree();
	expect_opens("l/b/f");
	expect_opens("l/up/f");
	expect_opens("l/up/../file"); /* .. of what the link names */
	expect_opens("l//./up///f");
	CHECK_EQ(open("l/../l/up/../../a/file/", O_RDONLY), -ENOTDIR);
	CHECK_EQ(open("a/file/f", O_RDONLY), -ENOTDIR);
	CHECK_EQ(open("l/none/f", O_RDONLY), -ENOENT);
	CHECK_EQ(close((int)CHECK_OK(open("l/", O_RDONLY | O_DIRECTORY))), 0);
	/* From the root, over a mount. */
	CHECK_EQ(symlink("/proc", "p"), 0);
	CHECK_EQ(close((int)CHECK_OK(open("p/self/status", O_RDONLY))), 0);
	snprintf(path, sizeof(path), "p/%d/../meminfo", getpid());
	CHECK_EQ(close((int)CHECK_OK(open(path, O_RDONLY))), 0);
}

static void test_every_call(void)
{
	char *const argv[] = {"true", NULL};

	prepare_tree();
	CHECK_EQ(close((int)CHECK_OK(creat("l/new"))), 0);
	CHECK_EQ(file_size("a/new"), 0);
	CHECK_EQ(link("l/b/f", "l/up/g"), 0);
	expect_opens("a/b/g");
	CHECK_EQ(mkdir("l/up/d"), 0);
	CHECK_EQ(rmdir("a/b/d"), 0);
	CHECK_EQ(mknod("l/up/n", S_IFCHR, 0x300), 0);
	CHECK_EQ(unlink("l/up/n"), 0);
	CHECK_EQ(symlink("f", "l/up/s"), 0);
	expect_opens("a/up/s");
	CHECK_EQ(unlink("l/up/g"), 0);
	CHECK_EQ(chdir("l/up"), 0);
	expect_opens("f");
	CHECK_EQ(chdir("../.."), 0);
	/* A link that is made to a name that is not there makes that name. */
	CHECK_EQ(symlink("l/made", "maker"), 0);
	CHECK_EQ(open("maker", O_RDWR | O_CREAT | O_EXCL, 0644), -EEXIST);
	CHECK_EQ(close((int)CHECK_OK(open("maker", O_RDWR | O_CREAT, 0644))), 0);
	CHECK_EQ(file_size("a/made"), 0);
	/* The link itself. */
	CHECK_EQ(rmdir("l"), -ENOTDIR);
	CHECK_EQ(unlink("l/"), -ENOTDIR);
	CHECK_EQ(mkdir("l"), -EEXIST);
	CHECK_EQ(unlink("l"), 0);
	expect_opens("a/b/f");
	CHECK_EQ(symlink("/bin", "programs"), 0);
	int pid = fork();
	if (pid == 0) {
		exec("programs/true", argv);
		exit(9);
	}
	CHECK_EQ(finish(pid), 0);
	CHECK_EQ(symlink("programs/true", "program"), 0);
	pid = fork();
	if (pid == 0) {
		exec("program", argv);
		exit(9);
	}
	CHECK_EQ(finish(pid), 0);
}

static void test_chains(void)
{
	char name[8], next[8], *longest = malloc(PATH_MAX);

	prepare_tree();
	CHECK(longest);
	/* Ten links are followed in one path, eleven are not. */
	CHECK_EQ(symlink("a/b", "l0"), 0);
	for (int i = 1; i <= 10; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(next, sizeof(next), "l%d", i - 1);
		CHECK_EQ(symlink(next, name), 0);
	}
	expect_opens("l9/f");
	CHECK_EQ(open("l10/f", O_RDONLY), -ELOOP);
	CHECK_EQ(chdir("l10"), -ELOOP);
	CHECK_EQ(open("l4/../../l5/f", O_RDONLY), -ELOOP);
	expect_opens("l4/../../l4/f");
	/* In circles. */
	CHECK_EQ(symlink("y/z", "x"), 0);
	CHECK_EQ(symlink("x/z", "y"), 0);
	CHECK_EQ(open("x", O_RDONLY), -ELOOP);
	CHECK_EQ(open("y/f", O_RDWR | O_CREAT, 0644), -ELOOP);
	CHECK_EQ(mkdir("x/d"), -ELOOP);
	CHECK_EQ(unlink("y/d"), -ELOOP);
	/* What the target and the rest make together may be too long, and is not cut off. */
	memset(longest, '/', PATH_MAX);
	longest[0] = 'l'; /* "a" instead of it is as long */
	str_copy(longest + PATH_MAX - 4, "b/f", 4);
	expect_opens(longest);
	CHECK_EQ(symlink("a/.", "m"), 0);
	longest[0] = 'm';
	CHECK_EQ(open(longest, O_RDONLY), -ENAMETOOLONG);
	memmove(longest + 1, longest + 3, PATH_MAX - 3);
	expect_opens(longest);
	free(longest);
}

const struct test tests_links[] = {
    {"links-middle", test_middle, 0, "symbolic links in the middle of paths"},
    {"links-calls", test_every_call, 0, "every call that takes a path, through links"},
    {"links-chains", test_chains, 0, "long chains, circles, paths too long"},
    {NULL, NULL, 0, NULL},
};
